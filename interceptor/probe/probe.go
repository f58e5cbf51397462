// Package probe answers readiness probes: a server that cannot verify tokens should get no calls.
//
//	mux.Handle("/readyz", probe.Handler(verifier))
//	mux.Handle(grpchealth.NewHandler(probe.Checker(verifier), guard.HandlerOption()))
//
// A probe needs no token. The health service needs policy.WithPublic in the table of its guard.
//
// Anybody may be able to send probes, so probes cannot be used to burden the server or the issuer. All probes of one
// [Handler] or [Checker] share one question to the verifier at a time. [token.Verifier.Ready] fetches keys as the first
// call with a token would: not while the keys are fresh, one fetch at a time for each issuer, and after a failure with
// the same growing pauses. A probe is answered within 3 seconds, whatever the verifier does.
//
// Use probes of this package for readiness, and not for liveness: a restart does not repair an issuer.
package probe

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A Readier tells whether it can verify the tokens of issuers, or of all its issuers if none is given.
// [token.Verifier] is a Readier. Ready must be safe for concurrent use, and must return soon after its context ends.
// Its errors must hold no secret: see [Handler].
type Readier interface {
	Ready(ctx context.Context, issuers ...string) error
}

// An Option changes how a [Handler] or a [Checker] works.
type Option func(*options)

type options struct {
	issuers  []string // nil for all
	details  bool
	services []string
	faults   []error
}

// WithIssuers asks for the issuers with these URLs alone, so that the outage of another issuer, such as a partner's,
// takes no server out of service. Given twice, both lists count. The default is all issuers of the verifier.
func WithIssuers(urls ...string) Option {
	return func(o *options) {
		if len(urls) == 0 || slices.ContainsFunc(urls, endpoint.IsBlank) {
			o.faults = append(o.faults, errors.New("WithIssuers: a URL is missing or blank: give the URLs of issuers, or leave the option out"))
			return
		}
		o.issuers = append(o.issuers, urls...)
	}
}

// WithDetails makes a [Handler] show each issuer, by its URL, and whether its keys are there. Whoever can send a probe
// can then read these URLs. The default shows no issuer.
func WithDetails() Option {
	return func(o *options) { o.details = true }
}

// WithServices names the services that a [Checker] knows, such as "shop.v1.OrderService". All of them are as ready as
// the process. The default is none.
func WithServices(names ...string) Option {
	return func(o *options) { o.services = append(o.services, names...) }
}

// Handler returns a handler for readiness probes, such as Kubernetes' httpGet. The handler answers GET and HEAD: 200 if
// the issuers have keys, and 503 if not, or if the verifier panics. No answer may be cached. The text of an answer is
// "ready" or "not ready": see [WithDetails].
//
// The reason why the server is not ready goes to [log/slog.Default] as a warning, whenever the reason changes, and at
// most once a second. So an outage is two warnings by default: the verifier warns of the fetch that failed (see
// [token.WithLogger]), and the probe warns of the server.
//
// Handler panics if the verifier or an option is nil, for [WithServices], and for [WithIssuers] without a URL, with a
// blank URL, or with a URL that the verifier does not have. A verifier of your own without a method Issuers() []string
// cannot be asked for its URLs: with a wrong URL the server is never ready, and the log tells what Ready says.
func Handler(verifier Readier, opts ...Option) http.Handler {
	p := newProbe("Handler", verifier, opts)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Cache-Control", "no-store")
		header.Set("Content-Type", "text/plain; charset=utf-8")
		header.Set("X-Content-Type-Options", "nosniff")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			header.Set("Allow", "GET, HEAD")
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		found := p.await(r.Context())
		if found.err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = w.Write([]byte(p.text(found))) // the client may be gone
	})
}

// text is what a handler answers.
func (p *probe) text(found answer) string {
	lines := []string{state(found.err)}
	if p.details {
		for n, issuer := range p.issuers {
			err := found.err
			if found.each != nil {
				err = found.each[n]
			}
			lines = append(lines, state(err)+": "+endpoint.DisplayURL(issuer))
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

func state(err error) string {
	if err != nil {
		return "not ready"
	}
	return "ready"
}

// Checker returns a checker for [grpchealth.NewHandler]. The process, which is the service "", and all services of
// [WithServices] are serving if the issuers have keys, and not serving if not, or if the verifier panics. Any other
// service is [connect.CodeNotFound]. Checker logs as [Handler] does, and panics as Handler does, but for [WithDetails]
// in place of WithServices.
func Checker(verifier Readier, opts ...Option) grpchealth.Checker {
	return &checker{newProbe("Checker", verifier, opts)}
}

type checker struct{ *probe }

// Check implements [grpchealth.Checker].
func (c *checker) Check(ctx context.Context, request *grpchealth.CheckRequest) (*grpchealth.CheckResponse, error) {
	if request.Service != "" && !slices.Contains(c.services, request.Service) {
		return nil, connect.NewError(connect.CodeNotFound, errors.New("unknown service"))
	}
	if c.await(ctx).err != nil {
		return &grpchealth.CheckResponse{Status: grpchealth.StatusNotServing}, nil
	}
	return &grpchealth.CheckResponse{Status: grpchealth.StatusServing}, nil
}

// newProbe panics with all faults of the arguments of a function.
func newProbe(function string, verifier Readier, opts []Option) *probe {
	p := &probe{verifier: verifier}
	for _, option := range opts {
		if option == nil {
			p.faults = append(p.faults, errors.New("an option is nil: leave it out"))
			continue
		}
		option(&p.options)
	}
	switch {
	case function == "Checker" && p.details:
		p.faults = append(p.faults, errors.New("WithDetails: a Checker has no place for details: leave the option out"))
	case function == "Handler" && len(p.services) > 0:
		p.faults = append(p.faults, errors.New("WithServices: a Handler has no services: give the option to Checker"))
	}
	if v, ok := verifier.(*token.Verifier); verifier == nil || ok && v == nil {
		p.faults = append(p.faults, errors.New("the verifier is nil: check the error of NewVerifier"))
	} else if listing, ok := verifier.(interface{ Issuers() []string }); ok {
		p.checkIssuers(listing.Issuers())
	}
	if len(p.faults) > 0 {
		panic(fmt.Sprintf("probe: %s: %v", function, endpoint.JoinFaults(p.faults)))
	}
	return p
}

// checkIssuers compares the URLs with the issuers of the verifier, which are the default.
func (p *probe) checkIssuers(known []string) {
	for _, issuer := range p.issuers {
		if !slices.Contains(known, issuer) {
			p.faults = append(p.faults, fmt.Errorf("WithIssuers: %q is the Issuer.URL of no issuer of the verifier, whose issuers are %q", endpoint.DisplayURL(issuer), known))
		}
	}
	if p.issuers == nil {
		p.issuers = known
	}
}
