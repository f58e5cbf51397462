package token

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/cache"
	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
)

// How answers are asked for. Each bound closes a way to starve this server or the issuer.
const (
	defaultMaxAge = 1 * time.Minute
	maxMaxAge     = 1 * time.Hour
	defaultLimit  = 50               // new tokens in a second
	refusedAge    = 10 * time.Second // how long a refusal is kept
	maxRefused    = 1_000            // refusals that are kept
	maxAsked      = 100              // known tokens that are asked for at once: see cached
	maxLimit      = 100_000
)

// An Introspection says how a server asks an issuer about tokens.
type Introspection struct {
	// Client authenticates this server at the issuer. Required.
	Client ClientAuthentication
	// SignedResponseAudience is the id of this server at the issuer. If set, the issuer must sign its answers (RFC 9701),
	// and `aud` of an answer must hold the id. A plain answer is then [ErrVerifierUnavailable]. The default,
	// "", asks for plain answers.
	SignedResponseAudience string
	// MaxAge is how long an answer is good, from one second to an hour. A token that the issuer withdraws is
	// accepted until then. The default, zero, is a minute.
	MaxAge time.Duration
	// JWE says that the issuer's opaque tokens are encrypted (RFC 7516 section 3.1), as Zitadel's are: a token of
	// five segments whose header has `enc` is then introspected. The default, false, makes a JWE [ErrMalformed].
	JWE bool
	// Limit is the number of new tokens about which the issuer is asked in any second, from 1 to 100,000. A token
	// is new unless the cache has an answer, even an old one, that the token is active. A call beyond the Limit is
	// [ErrBusy]. While requests about tokens that are not new fail, the same number bounds these requests, and the
	// calls beyond it get the last failure. The default, zero, is 50.
	Limit int
}

// An Introspector verifies opaque tokens by asking their issuer (RFC 7662). It is safe for concurrent use and
// needs no closing. The zero Introspector accepts nothing. To accept JWTs too, give the Introspector to
// [NewVerifier] by [WithIntrospector]: a JWT is never sent to the introspection endpoint.
//
// An answer is read as the claims of a JWT are, by the names that the [Issuer] gives them. Types and RequiredHeader do
// nothing, and for plain answers neither do Algorithms and KeySetURL. `active` must be true. `iss`, `exp`, `nbf` and
// `iat` are checked where the answer has them. `token_type` must be Bearer: a token for DPoP (RFC 9449) is refused,
// since a bearer cannot prove its key. An answer without `token_type` is accepted only if [Issuer.RequiredClaims] has
// an entry whose values name access tokens, such as "token_use": {"access_token"}: they are Bearer, at+jwt, or hold
// "access". `token_use` and `typ`, which some issuers write, must name access tokens, too. An entry of RequiredClaims
// for one of these three members decides by the member alone.
//
// An answer is good for [Introspection.MaxAge], or until `exp` if that is earlier. A new call asks again once nine
// tenths of that time are over. [WithCache] bounds how many answers are kept, by digests of their tokens. An open
// stream outlives the answer about its token only if the issuer then answers again that the token is active. The
// refusal of a token is kept for ten seconds, and a failure is not kept.
//
// All calls with one token share one request. The request takes at most 5 seconds and follows no redirect. A call waits
// at most 2 seconds. If the endpoint cannot be reached, refuses this server (401 or 403) or answers with anything but
// 200 and a JSON object of at most 64 KiB, the call is refused with [ErrVerifierUnavailable]. A call whose token is
// beyond [Introspection.Limit] is refused with [ErrBusy] at once.
type Introspector struct {
	reader    *reader
	settings  Introspection
	transport http.RoundTripper
	leeway    time.Duration
	keys      *issuerKeys // of signed answers, or nil for plain answers
	endpoint  endpointURL
	good      *cache.Cache[answer] // of active tokens, and of tokens that were active before
	refused   *cache.Cache[answer]
	slots     chan struct{} // taken by known tokens that are asked for, at most maxAsked

	mu          sync.Mutex
	flights     map[digest]*answerFlight
	newTokens   window // of requests about tokens that are not known
	knownTokens window // of requests about known tokens, while failure is not nil
	failure     error  // of the last request for a known token
}

// A digest stands for a token, so that the token itself is not kept.
type digest [sha256.Size]byte

// An answer is what the issuer has said about a token. It has either claims or an error.
type answer struct {
	claims   *Claims
	validity validity
	err      error
	goodTill time.Time
}

// NewIntrospector returns a verifier for the opaque tokens of an issuer. It does no I/O. The options [WithTransport],
// [WithLeeway], [WithCache] and, for the keys of signed answers, [WithKeySetObserver] and [WithLogger] apply. Any
// other option is a fault. The error names every fault.
func NewIntrospector(issuer Issuer, settings Introspection, opts ...Option) (*Introspector, error) {
	o := newOptions(opts)
	o.refuseForIntrospector()
	form := formAnswer
	if settings.SignedResponseAudience != "" {
		form = formSignedAnswer
		if err := endpoint.CheckSetting(settings.SignedResponseAudience); err != nil {
			o.faults = append(o.faults, fmt.Errorf("token: Introspection.SignedResponseAudience %w", err))
		}
	}
	if settings.MaxAge == 0 {
		settings.MaxAge = defaultMaxAge
	}
	if settings.MaxAge < time.Second || settings.MaxAge > maxMaxAge {
		o.faults = append(o.faults, fmt.Errorf("token: Introspection.MaxAge: %v is not between %v and %v: 0 stands for %v", settings.MaxAge, time.Second, maxMaxAge, defaultMaxAge))
	}
	if settings.Limit == 0 {
		settings.Limit = defaultLimit
	}
	if settings.Limit < 1 || settings.Limit > maxLimit {
		o.faults = append(o.faults, fmt.Errorf("token: Introspection.Limit: %d is not between 1 and %d: 0 stands for %d", settings.Limit, maxLimit, defaultLimit))
	}
	if o.transport == nil {
		o.transport = endpoint.KeptTransport()
	}
	o.faults = append(o.faults, settings.Client.check(o.transport)...)
	reader, faults := issuer.compile(form)
	o.faults = append(o.faults, faults...)
	if err := reader.checkTransport(o.transport); err != nil {
		o.faults = append(o.faults, reader.fault(err))
	}
	if len(o.faults) > 0 {
		return nil, endpoint.JoinFaults(o.faults)
	}
	i := &Introspector{
		reader: reader, settings: settings, transport: o.transport, leeway: o.leeway,
		good: cache.New[answer](o.cacheSize), refused: cache.New[answer](maxRefused),
		slots: make(chan struct{}, maxAsked), flights: map[digest]*answerFlight{},
		newTokens: newWindow(settings.Limit), knownTokens: newWindow(settings.Limit),
	}
	if form == formSignedAnswer {
		i.keys = newIssuerKeys(reader, o)
	}
	return i, nil
}

// refuseForIntrospector refuses the options that an introspector has no use for.
func (o *options) refuseForIntrospector() {
	for _, option := range []struct {
		given bool
		fault string
	}{
		{len(o.issuers) > 0, "WithIssuer: an introspector asks one issuer: leave the option out"},
		{o.introspector != nil, "WithIntrospector: give the option to NewVerifier"},
		{o.signatureLimit != 0, "WithSignatureLimit: give the option to NewVerifier: Introspection.Limit bounds requests"},
		{o.cacheSize == 0, "WithoutCache: answers are kept for Introspection.MaxAge: set a shorter one, of a second at least"},
	} {
		if option.given {
			o.faults = append(o.faults, errors.New("token: NewIntrospector: "+option.fault))
		}
	}
}

// Authenticate calls [Bearer] and [Introspector.Verify] for the values of a request's Authorization header, and
// returns the errors of both.
func (i *Introspector) Authenticate(ctx context.Context, authorization []string) (*Claims, error) {
	raw, err := credentials(authorization)
	if err != nil {
		return nil, err
	}
	return i.Verify(ctx, raw)
}

// Verify returns the claims of an active opaque token. A JWT is [ErrMalformed], and so is a token of more than 4 KiB.
// Verify waits at most 2 seconds, and stops waiting when ctx ends. Every error matches one of the errors of this
// package. For [ErrVerifierUnavailable] and [ErrBusy], try again later.
func (i *Introspector) Verify(ctx context.Context, raw string) (*Claims, error) {
	switch {
	case i == nil || i.reader == nil:
		return nil, ErrInvalid
	case len(raw) > maxOpaque:
		return nil, malformed("token has %d bytes, and an opaque token at most %d", len(raw), maxOpaque)
	case !i.isOpaque(raw):
		return nil, malformed("it is a JWT, and an Introspector asks about opaque tokens alone: give the Introspector to NewVerifier by WithIntrospector, so that the Verifier verifies JWTs; if the issuer's opaque tokens are encrypted, set Introspection.JWE")
	}
	return i.verifyOpaque(ctx, raw)
}

// verifyOpaque verifies an opaque token.
func (i *Introspector) verifyOpaque(ctx context.Context, raw string) (*Claims, error) {
	if err := checkB64Token(raw); err != nil {
		return nil, err
	}
	of := digest(sha256.Sum256([]byte(raw)))
	now := time.Now()
	if a, _ := i.cached(of, now); a != nil {
		return a.claims, a.err
	}
	f, err := i.flightOf(of, raw, now)
	if err != nil {
		return nil, err
	}
	a, err := f.wait(ctx, i, now)
	if err != nil {
		return nil, err
	}
	return a.claims, a.err
}

// cached returns the answer about a token that is good now, or nil. A token is known if it was active when the issuer
// was asked last.
func (i *Introspector) cached(of digest, now time.Time) (a *answer, known bool) {
	key := string(of[:])
	if a = i.good.Get(key); a != nil && a.claims != nil {
		known = true
		if err := a.validity.check(now, i.leeway, true); err != nil && !a.claims.expiry.IsZero() {
			return &answer{err: err}, known // asking again would change nothing
		}
		if now.Before(a.goodTill) {
			return a, known
		}
	}
	if a = i.refused.Get(key); a != nil && now.Before(a.goodTill) {
		return a, known
	}
	return nil, known
}

// keep keeps an answer. A token that has stopped being active stops being known.
func (i *Introspector) keep(of digest, known bool, a *answer) {
	if a.claims != nil || known {
		i.good.Put(string(of[:]), a)
	}
	if a.claims == nil {
		i.refused.Put(string(of[:]), a)
	}
}

func (i *Introspector) unavailable(cause error) error {
	// The cause may match another error of this package, such as ErrKeysUnavailable, so its text alone stays.
	return fmt.Errorf("%w: issuer %q: %s", ErrVerifierUnavailable, endpoint.DisplayURL(i.reader.URL), cause.Error())
}
