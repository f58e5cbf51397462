package clientauth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/oauth2"
)

// A Source gives calls their token. Make one with [Client.Source], [Client.SourceFunc],
// [FromTokenSource] or [Forward]. It is safe for concurrent use.
type Source struct {
	holder func(context.Context) (holder, error) // of the call with this context
}

// A holder has one token.
type holder interface {
	token(context.Context) (*oauth2.Token, error)
	// drop says that a server has refused a token.
	drop(refused *oauth2.Token)
}

// holderKey is the extra field of a token that has its holder.
const holderKey = "github.com/protoauthz/protoauthz/interceptor/clientauth"

// withHolder returns the token with its holder, which is asked for another one if it is refused: the
// context may then choose another organization than the one that the call began with.
func withHolder(h holder, token *oauth2.Token) *oauth2.Token {
	return token.WithExtra(map[string]any{holderKey: h})
}

func (s *Source) holderOf(ctx context.Context, token *oauth2.Token) (holder, error) {
	if h, ok := token.Extra(holderKey).(holder); ok {
		return h, nil
	}
	return s.choose(ctx)
}

// choose is the holder for a context, which a function of somebody else may choose: of a stream,
// on a goroutine whose panic nobody could recover.
func (s *Source) choose(ctx context.Context) (h holder, err error) {
	defer func() {
		if p := recover(); p != nil { // what it says may be a secret
			h, err = nil, fmt.Errorf("clientauth: what chooses the token panicked with a %T", p)
		}
	}()
	return s.holder(ctx)
}

// Token returns the token for a call with this context, in a copy of the caller's own. It must not
// be printed or sent over plain HTTP. The errors are those of this package and of the context.
func (s *Source) Token(ctx context.Context) (*oauth2.Token, error) {
	h, err := s.choose(ctx)
	if err != nil {
		return nil, err
	}
	return copyOf(h.token(ctx))
}

// copyOf returns a copy of a token that serves other calls, too: its user may write to the copy.
func copyOf(token *oauth2.Token, err error) (*oauth2.Token, error) {
	if token == nil {
		return nil, err
	}
	own := *token
	return &own, err
}

// Drop says that a server has refused a token of [Source.Token], so that later calls get
// another one, whatever the context. It does nothing if they do already, or if it was done less
// than a minute ago.
func (s *Source) Drop(ctx context.Context, refused *oauth2.Token) {
	if h, err := s.holderOf(ctx, refused); err == nil {
		h.drop(refused)
	}
}

// Replace is [Source.Drop], and returns another token for the same target, whatever the
// context, with which only the wait ends. If there is none, the error is [ErrSameToken].
func (s *Source) Replace(ctx context.Context, refused *oauth2.Token) (*oauth2.Token, error) {
	h, err := s.holderOf(ctx, refused)
	if err != nil {
		return nil, err
	}
	h.drop(refused)
	token, err := copyOf(h.token(ctx))
	if err == nil && token.AccessToken == refused.AccessToken {
		return nil, fmt.Errorf("clientauth: %w", ErrSameToken)
	}
	return token, err
}

// FromTokenSource gives calls the token of any other source: a fixed one, or one of Google's.
//
// The source is asked for every call, so it should keep its token ([oauth2.ReuseTokenSource]);
// calls made at the same time share one answer. As it has no context, a call that ends no
// longer waits for it, but cannot end it. After a failure it is asked again a second later,
// doubling to 60 with every failure: its error is [ErrRefused] if it is an
// [oauth2.RetrieveError] that trying again does not change, or if the token is not a bearer token,
// and [ErrUnavailable] otherwise. When a server has refused its token it is asked once
// more; if the answer is the same, the call is not repeated.
func FromTokenSource(source oauth2.TokenSource) *Source {
	if source == nil {
		panic("clientauth: FromTokenSource needs a source")
	}
	r := &refresher{shared: new(backoff), fetch: func() (grant, error) {
		token, err := source.Token()
		reason := ErrRefused
		switch {
		case err != nil:
			reason, err = sourceFault(err)
		case token == nil:
			err = errors.New("the source returned neither a token nor an error")
		case !token.Expiry.IsZero() && !time.Now().Before(token.Expiry):
			reason, err = ErrUnavailable, errors.New("the source returned an expired token")
		default:
			err = check(token)
		}
		if err != nil {
			return grant{}, fmt.Errorf("clientauth: %w: %w", reason, err)
		}
		return grant{token: token}, nil // it is not kept here
	}}
	return &Source{func(context.Context) (holder, error) { return r, nil }}
}

// sourceFault is what may be told of another source's error: [oauth2.RetrieveError], for one,
// repeats the whole response. Of an error of another type nobody knows whether it may pass.
func sourceFault(err error) (reason, fault error) {
	if answer, ok := errors.AsType[*oauth2.RetrieveError](err); ok && answer.Response != nil {
		refused := newRefusal(answer.Response.StatusCode, answer.ErrorCode)
		return refused.reason(), fmt.Errorf("the source failed: %w", refused)
	}
	return ErrUnavailable, fmt.Errorf("the source failed with a %T", err)
}
