package token

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

const (
	defaultLeeway = 30 * time.Second
	maxLeeway     = 5 * time.Minute
)

// An Option changes how a [Verifier] or an [Introspector] works.
type Option func(*options)

type options struct {
	issuers        []Issuer
	leeway         time.Duration
	cacheSize      int               // 0 for no cache
	signatureLimit int               // 0 for the default
	transport      http.RoundTripper // nil for the default
	observers      []func(KeySetEvent)
	logger         *slog.Logger // nil unless one is named
	logsAnyway     bool         // to the default log, also beside an observer
	introspector   *Introspector
	faults         []error
}

func newOptions(opts []Option) *options {
	o := &options{leeway: defaultLeeway, cacheSize: defaultCacheSize}
	for _, option := range opts {
		if option == nil {
			o.faults = append(o.faults, errors.New("token: an option is nil"))
			continue
		}
		option(o)
	}
	return o
}

// WithIssuer accepts the tokens of another issuer too. Each issuer's tokens are
// verified with its own keys only. Rules do not tell issuers apart: every issuer is
// trusted for all scopes and organizations.
func WithIssuer(issuer Issuer) Option {
	return func(o *options) { o.issuers = append(o.issuers, issuer) }
}

// WithLeeway sets by how much the clocks of issuer and verifier may differ, from
// zero to 5 minutes. The default is 30 seconds. An `iat` may be ahead of the verifier's
// clock by the leeway, but always by 10 seconds, and never by more than 60 seconds.
func WithLeeway(leeway time.Duration) Option {
	return func(o *options) {
		if leeway < 0 || leeway > maxLeeway {
			o.faults = append(o.faults, fmt.Errorf("token: WithLeeway: %v is not between 0 and %v", leeway, maxLeeway))
		}
		o.leeway = leeway
	}
}

// WithTransport sets the transport that fetches keys and introspects tokens, for private certificate authorities of all
// issuers ([net/http.Transport.TLSClientConfig], RootCAs) and proxies ([net/http.Transport.Proxy]). For the authorities
// of one issuer set [Issuer.CAFile]. The transport must end a request when the request's context ends. Timeouts, size
// limits and the refusal of redirects still apply. Plain http uses a copy of the transport without its proxy: see
// [Issuer.InsecureHTTPHosts]. The default is [http.DefaultTransport] without idle connections. The default of
// [NewIntrospector] keeps idle connections of HTTP/2 for 4 seconds, except with [Issuer.CAFile].
func WithTransport(transport http.RoundTripper) Option {
	return func(o *options) {
		if transport == nil {
			o.faults = append(o.faults, errors.New("token: WithTransport: transport is nil"))
		}
		o.transport = transport
	}
}

// WithIntrospector accepts opaque tokens too, and verifies these with the introspector. A token whose first segment
// decodes to a JSON object is a JWT or a JWE. A JWT is never introspected, and a JWE only with [Introspection.JWE]. Any
// other token is opaque. The introspector has options of its own. Without an introspector, an opaque token is
// [ErrMalformed].
func WithIntrospector(introspector *Introspector) Option {
	return func(o *options) {
		switch {
		case introspector == nil || introspector.reader == nil:
			o.faults = append(o.faults, errors.New("token: WithIntrospector: the introspector is not from NewIntrospector: check its error"))
		case o.introspector != nil:
			o.faults = append(o.faults, errors.New("token: WithIntrospector is given twice: an opaque token does not tell its issuer, so give one introspector"))
		}
		o.introspector = introspector
	}
}
