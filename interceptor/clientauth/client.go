package clientauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/protoauthz/protoauthz/interceptor/internal/cache"
	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
)

// maxTargets is for how many targets a client keeps tokens, of about 2 KiB each.
const maxTargets = 10_000

// A Client gets tokens for itself, by the client credentials grant (RFC 6749 section 4.4),
// and keeps them: one for each [Target], 10,000 at most, of which those that were not asked
// for lately make room for others. It is safe for concurrent use and needs no closing. All
// sources of a process that act as the same client should come from one Client.
//
// A token is kept for as long as the provider says (`expires_in`), at most a day, and for a
// minute if the answer does not say it: nothing is read from the token itself. When a quarter of
// that is left, five minutes at most, the next call fetches another one in the background; in its
// last tenth, ten seconds at most, a token is no longer handed out and calls wait for the next one.
// However many calls wait, there is one request, which ends after 5 seconds, reads at most 1 MiB
// and follows no redirect; the end of a call's context ends its own wait only.
//
// A request that fails is not repeated until a second later, doubling to 60 with every
// failure; until then, calls get its error at once, unless they have a token that is still
// good. Some failures hold up all targets: no answer, an answer that makes [ErrUnavailable], or a
// refusal of the client. No other target is asked for within a second, and then one in a second
// until an answer shows that the endpoint works: one target for which it fails holds no other up
// for longer. There is no such limit before the first failure: a client that starts asks once for
// each target that is called.
//
// A token that a server has refused is replaced at once, but no more than once a minute for
// each target: what refuses fresh tokens will refuse the next one too. If there is no other to
// be had, it serves on: other servers may accept it.
type Client struct {
	provider  Provider
	id        string
	secret    func() string // which cannot be printed
	transport http.RoundTripper
	failing   backoff // of the endpoint, which one target may only seem to be

	mu         sync.Mutex // held to make a refresher
	refreshers *cache.Cache[refresher]
}

// A Target is what a token is for. The zero Target is none: asking for it is an error.
type Target struct {
	// Resource is the API that is called: its resource indicator (Logto) or identifier,
	// which becomes the token's `aud`.
	Resource string
	// Organization is the organization in which the token is to be good. If empty, the
	// token is good for none, or for all: see the permission models.
	Organization string
	// Scopes are the scopes to ask for. Providers grant those of them that the client
	// holds; if there are none here, Logto grants none and Auth0 all.
	Scopes []string
}

// An Option changes how a [Client] works.
type Option func(*options)

type options struct {
	transport http.RoundTripper
	faults    []error
}

// WithTransport sets how tokens are fetched: for private certificate authorities and
// proxies. It must end a request when the request's context ends. Timeouts, size limits and
// the refusal of redirects still apply. The default is like [http.DefaultTransport], but
// keeps no idle connections.
func WithTransport(transport http.RoundTripper) Option {
	return func(o *options) {
		if transport == nil {
			o.faults = append(o.faults, errors.New("clientauth: WithTransport: transport is nil"))
		}
		o.transport = transport
	}
}

// New makes a client, given what the provider calls it and its secret. It does no I/O. The
// error holds every fault.
func New(provider Provider, id, secret string, opts ...Option) (*Client, error) {
	o := &options{transport: endpoint.Transport()}
	for _, option := range opts {
		if option == nil {
			o.faults = append(o.faults, errors.New("clientauth: an option is nil"))
			continue
		}
		option(o)
	}
	provider, faults := provider.withDefaults()
	o.faults = append(o.faults, faults...)
	if err := endpoint.CheckSetting(id); err != nil {
		o.faults = append(o.faults, fmt.Errorf("clientauth: the client's id %w", err))
	}
	if err := endpoint.CheckSetting(secret); err != nil {
		o.faults = append(o.faults, fmt.Errorf("clientauth: the client's secret %w", err))
	}
	if len(o.faults) > 0 {
		return nil, endpoint.JoinFaults(o.faults)
	}
	return &Client{
		provider: provider, id: id, secret: func() string { return secret }, transport: o.transport,
		failing: backoff{longest: minRetry}, refreshers: cache.New[refresher](maxTargets),
	}, nil
}

// Format implements [fmt.Formatter]: a printed client holds no secret.
func (c *Client) Format(out fmt.State, _ rune) { _, _ = io.WriteString(out, "clientauth.Client") }

// Source gives calls the token for a target.
func (c *Client) Source(target Target) *Source {
	form, err := c.form(target)
	return &Source{func(context.Context) (holder, error) {
		if err != nil {
			return nil, err
		}
		return c.refresher(form), nil
	}}
}

// SourceFunc gives each call the token for a target of its own, which may depend on what its
// context holds, such as the organization of the call that it is made for:
//
//	source := client.SourceFunc(func(ctx context.Context) (clientauth.Target, error) {
//		organization := interceptor.ClaimsFromContext(ctx).OrganizationID()
//		if organization == "" {
//			return clientauth.Target{}, errors.New("no organization")
//		}
//		return clientauth.Target{Resource: "https://api.example.com", Organization: organization}, nil
//	})
//
// Return an error where there must be an organization and is none: a target without one is
// valid, and may open more. A call whose target is an error does not go out; a panic is an error
// that does not repeat what it says. The function
// must be safe for concurrent use. A call that is repeated with another token
// keeps its target.
func (c *Client) SourceFunc(target func(context.Context) (Target, error)) *Source {
	if target == nil {
		panic("clientauth: SourceFunc needs a function")
	}
	return &Source{func(ctx context.Context) (holder, error) {
		target, err := target(ctx)
		if err != nil {
			return nil, fmt.Errorf("clientauth: no target: %w", err)
		}
		form, err := c.form(target)
		if err != nil {
			return nil, err
		}
		return c.refresher(form), nil
	}}
}

// form is the request for a token, without the client's credentials. That of a target is
// always the same, and of another another.
func (c *Client) form(target Target) (string, error) {
	values := url.Values{"grant_type": {"client_credentials"}}
	if target.Resource != "" {
		values.Set(c.provider.ResourceParameter, target.Resource)
	}
	if target.Organization != "" {
		if c.provider.OrganizationParameter == "" {
			return "", fmt.Errorf("clientauth: %w: the provider has no tokens for one organization", ErrRefused)
		}
		values.Set(c.provider.OrganizationParameter, target.Organization)
	}
	for _, scope := range target.Scopes {
		if scope == "" || strings.ContainsFunc(scope, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
			return "", fmt.Errorf("clientauth: %w: %q is no scope (RFC 6749 section 3.3)", ErrRefused, scope)
		}
	}
	if len(target.Scopes) > 0 {
		values.Set("scope", strings.Join(target.Scopes, " "))
	}
	if len(values) == 1 {
		return "", fmt.Errorf("clientauth: %w: the target is empty", ErrRefused)
	}
	return values.Encode(), nil
}

func (c *Client) refresher(form string) *refresher {
	if r := c.refreshers.Get(form); r != nil {
		return r
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.refreshers.Get(form) // another call may have made it
	if r == nil {
		r = &refresher{fetch: func() (grant, error) { return c.fetch(form) }, shared: &c.failing}
		c.refreshers.Put(form, r)
	}
	return r
}
