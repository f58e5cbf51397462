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

// maxTargets is the number of targets for which a client keeps tokens, of about 2 KiB each.
const maxTargets = 10_000

// A Client gets tokens for itself by the client credentials grant (RFC 6749 section 4.4), and
// keeps one for each [Target]. It keeps at most 10,000 tokens: tokens that were not used lately
// make room for others. A Client is safe for concurrent use and needs no closing. Use one Client
// for all sources of a process that act as the same client.
//
// A token is kept for its lifetime (`expires_in`), at most a day, or for a minute if the response
// has no lifetime. The token itself is not read. When a quarter of the lifetime is left, at most
// five minutes, the next call fetches another token in the background. In the last tenth, at most
// ten seconds, calls wait for the next token. All waiting calls share one request, which ends
// after 5 seconds, reads at most 1 MiB and follows no redirect. The end of a call's context ends
// the wait of that call alone.
//
// A request that fails is repeated a second later at the earliest. This pause doubles with every
// failure, up to 60 seconds. During the pause, calls get the error at once, unless they have a
// token that is still good. Some failures delay all targets: no response, a response that makes
// [ErrUnavailable], or a refusal of the client. Then no other target is asked for within a second,
// and one target in each second after that, until a response shows that the endpoint works. So a
// target that always fails does not delay the others for longer. Before the first failure, a
// client asks for each target at once.
//
// A token that a server has refused is replaced at once, but not more than once a minute for
// each target, since a server that refuses fresh tokens will refuse the next token too. If there
// is no other token, calls still get the refused token: other servers may accept it.
type Client struct {
	provider  Provider
	id        string
	secret    func() string // a function cannot be printed
	transport http.RoundTripper
	failing   backoff // of the endpoint

	mu         sync.Mutex // from the look-up of a refresher until there is one
	refreshers *cache.Cache[refresher]
}

// A Target is what a token is for. The zero Target is an error.
type Target struct {
	// Resource is the API that is called: its resource indicator (Logto) or identifier,
	// which becomes the token's `aud`.
	Resource string
	// Organization is the id of the organization that the token is for. If empty, the
	// token is for no organization, or for all: see the permission models.
	Organization string
	// Scopes are the scopes to ask for. Providers leave out scopes that the client does not
	// hold. If empty, Logto grants no scope, and Auth0 all scopes of the client.
	Scopes []string
}

// An Option changes how a [Client] works.
type Option func(*options)

type options struct {
	transport http.RoundTripper
	faults    []error
}

// WithTransport sets the transport that fetches tokens, for private certificate authorities and
// proxies. The transport must end a request when the request's context ends. Timeouts, size
// limits and the refusal of redirects still apply. Plain http uses a copy of the transport without
// its proxy: see [Provider.InsecureHTTPHosts]. The default is [http.DefaultTransport] without idle
// connections.
func WithTransport(transport http.RoundTripper) Option {
	return func(o *options) {
		if transport == nil {
			o.faults = append(o.faults, errors.New("clientauth: WithTransport: transport is nil"))
		}
		o.transport = transport
	}
}

// New returns a client, given its id and its secret at the provider. It does no I/O. The error
// names every fault.
func New(provider Provider, id, secret string, opts ...Option) (*Client, error) {
	o := &options{transport: endpoint.Transport()}
	for _, option := range opts {
		if option == nil {
			o.faults = append(o.faults, errors.New("clientauth: an option is nil"))
			continue
		}
		option(o)
	}
	provider, faults := provider.withDefaults(o.transport)
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

// Format implements [fmt.Formatter]. A printed client holds no secret.
func (c *Client) Format(out fmt.State, _ rune) { _, _ = io.WriteString(out, "clientauth.Client") }

// Source returns a source that gives every call the token for one target.
func (c *Client) Source(target Target) *Source {
	form, err := c.form(target)
	return &Source{func(context.Context) (holder, error) {
		if err != nil {
			return nil, err
		}
		return c.refresher(form), nil
	}}
}

// SourceFunc returns a source that chooses the target for each call by the call's context, such
// as the organization of the call that is being handled:
//
//	source := client.SourceFunc(func(ctx context.Context) (clientauth.Target, error) {
//		organization := interceptor.ClaimsFromContext(ctx).OrganizationID()
//		if organization == "" {
//			return clientauth.Target{}, errors.New("no organization")
//		}
//		return clientauth.Target{Resource: "https://api.example.com", Organization: organization}, nil
//	})
//
// Return an error if a required organization is missing, since the token for a target without an
// organization may grant more. A call does not go out if the function returns an error or
// panics. The error after a panic does not repeat the panic's value. The function must be safe for
// concurrent use. A call that is repeated with another token keeps its target.
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

// form returns the form of the request for a token, without the client's credentials. Equal targets
// have equal forms, and other targets other forms.
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
			return "", fmt.Errorf("clientauth: %w: %q is not a scope (RFC 6749 section 3.3)", ErrRefused, scope)
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
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.refreshers.Get(form)
	if r == nil {
		r = &refresher{fetch: func() (grant, error) { return c.fetch(form) }, shared: &c.failing}
		c.refreshers.Put(form, r)
	}
	return r
}
