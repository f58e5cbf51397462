package clientauth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/oauth2"
)

// A Source gives calls their token. [Client.Source], [Client.SourceFunc], [FromTokenSource] and
// [Forward] return one. It is safe for concurrent use.
type Source struct {
	holder func(context.Context) (holder, error) // for the call with this context
}

// A holder has one token.
type holder interface {
	token(context.Context) (*oauth2.Token, error)
	// drop notes that a server has refused the token.
	drop(refused *oauth2.Token)
}

// holderKey is the extra field of a token for its holder.
const holderKey = "github.com/protoauthz/protoauthz/interceptor/clientauth"

// withHolder returns the token with its holder. The same holder replaces the token if it is refused, since
// the context may then choose another organization.
func withHolder(h holder, token *oauth2.Token) *oauth2.Token {
	return token.WithExtra(map[string]any{holderKey: h})
}

func (s *Source) holderOf(ctx context.Context, token *oauth2.Token) (holder, error) {
	if h, ok := token.Extra(holderKey).(holder); ok {
		return h, nil
	}
	return s.choose(ctx)
}

// choose returns the holder for a context. It recovers a panic of the user's function, which for a stream runs
// on a goroutine of connect-go or net/http.
func (s *Source) choose(ctx context.Context) (h holder, err error) {
	defer func() {
		if p := recover(); p != nil { // its value may hold a secret
			h, err = nil, fmt.Errorf("clientauth: the function that chooses the token panicked with a %T", p)
		}
	}()
	return s.holder(ctx)
}

// Token returns a copy of the token for a call with this context. Do not print it, and do not send it
// over plain HTTP. The errors match errors of this package or of the context.
func (s *Source) Token(ctx context.Context) (*oauth2.Token, error) {
	h, err := s.choose(ctx)
	if err != nil {
		return nil, err
	}
	return copyOf(h.token(ctx))
}

// copyOf returns a copy of a token, since the user may write to the token and other calls use it too.
func copyOf(token *oauth2.Token, err error) (*oauth2.Token, error) {
	if token == nil {
		return nil, err
	}
	own := *token
	return &own, err
}

// Drop tells the source that a server has refused a token of [Source.Token], so that later calls
// get another token. The context does not matter for such a token. Drop does nothing if the
// token is already replaced, or if the source replaced another one less than a minute ago.
func (s *Source) Drop(ctx context.Context, refused *oauth2.Token) {
	if h, err := s.holderOf(ctx, refused); err == nil {
		h.drop(refused)
	}
}

// Replace drops a token as [Source.Drop] does, and returns another token for the same target. The
// wait ends with the context. The error is [ErrSameToken] if there is no other token.
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

// FromTokenSource returns a source that takes its tokens from an [oauth2.TokenSource], such as a
// fixed token or the credentials of a cloud provider.
//
// Every call asks the token source, so it should keep its token ([oauth2.ReuseTokenSource]). Calls
// at the same time share one answer. A call stops waiting when its context ends, but cannot end
// the work of the token source, which has no context. After a failure the token source is asked
// again a second later at the earliest. This pause doubles with every failure, up to 60 seconds.
// The error is [ErrRefused] for an [oauth2.RetrieveError] that trying again does not change, and
// for a token that is not a bearer token. Otherwise it is [ErrUnavailable]. After a server has
// refused the token, the token source is asked once more. If it returns the same token, the call is
// not repeated.
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
		return grant{token: token}, nil // endAt is zero, so the next call asks again
	}}
	return &Source{func(context.Context) (holder, error) { return r, nil }}
}

// sourceFault returns the reason and the text for an error of a token source. It does not repeat the
// error, which may hold a whole response. An error of an unknown type may pass.
func sourceFault(err error) (reason, fault error) {
	if answer, ok := errors.AsType[*oauth2.RetrieveError](err); ok && answer.Response != nil {
		refused := newRefusal(answer.Response.StatusCode, answer.ErrorCode)
		return refused.reason(), fmt.Errorf("the source failed: %w", refused)
	}
	return ErrUnavailable, fmt.Errorf("the source failed with a %T", err)
}
