package catalogue

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// Opaque is the trust of [OpaqueCases]: the first issuer, which is asked about opaque tokens.
const Opaque = "an issuer that is asked"

// OpaqueCases returns cases with an opaque token in place of each JWT, and the trust of the server: the issuer
// answers with the payload of the JWT. An answer must be the same as for the JWT, since the same claims decide.
//
// These cases are left out:
//   - Cases in which the claims do not decide: no token is good but for its payload, which means that the first
//     issuer has signed it, by its key for ES256, under the usual header.
//   - Cases with a token that is too large, since an opaque token stands for a payload of any size.
//   - Cases with a payload behind a byte order mark, which an answer may have.
//   - Cases about keys that cannot be had.
//   - Cases with a payload without `iss` or `exp`, which an answer may lack (RFC 7662 section 2.2).
func OpaqueCases(cases []Case) ([]Case, *Trust, error) {
	issued := &issuance{payloads: map[string]string{}, handles: map[string]string{}}
	var opaque []Case
	for _, c := range cases {
		if issued.swap(&c) && c.Want != Unavailable {
			opaque = append(opaque, c)
		}
	}
	rows := map[string]bool{}
	for n := range opaque {
		c := &opaque[n]
		c.Everywhere = c.Everywhere || !rows[c.Row]
		rows[c.Row] = true
	}
	trust, err := newOpaqueTrust(issued)
	return opaque, trust, err
}

// An issuance holds the opaque tokens that were issued, each in place of a JWT.
type issuance struct {
	payloads map[string]string // by opaque token
	handles  map[string]string // by JWT
}

var credentials = regexp.MustCompile(`[A-Za-z0-9\-._~+/=]+`)

// swap swaps the JWTs of a case, and reports whether the case makes sense.
func (i *issuance) swap(c *Case) bool {
	swapped, sound := false, true
	c.Authorization, c.Header, c.Trust = slices.Clone(c.Authorization), c.Header.Clone(), Opaque
	swap := func(value string) string {
		return credentials.ReplaceAllStringFunc(value, func(raw string) string {
			payload, own := ownPayload(raw)
			if !own {
				return raw
			}
			const largest = 16 << 10
			members, readable := tokens.ReadObject([]byte(payload))
			sound = sound && len(raw) <= largest && !strings.HasPrefix(payload, "\ufeff") && (!readable || members["iss"] != nil && members["exp"] != nil)
			if !readable && c.Want == Malformed {
				c.Want, c.Cause = Unanswered, token.ErrVerifierUnavailable // the issuer's answer is none
			}
			swapped = true
			return i.issue(raw, payload)
		})
	}
	for n, value := range c.Authorization {
		c.Authorization[n] = swap(value)
	}
	for _, values := range c.Header {
		for n, value := range values {
			values[n] = swap(value)
		}
	}
	return swapped && sound
}

func (i *issuance) issue(raw, payload string) string {
	handle, ok := i.handles[raw]
	if !ok {
		handle = "opaque." + rand.Text() + "." + rand.Text() // the dots tell two tokens from one that a space has broken
		i.handles[raw] = handle
		i.payloads[handle] = strings.Replace(payload, "{", `{"active":true,"token_type":"Bearer",`, 1)
	}
	return handle
}

// ownPayload returns the payload of a token that is good but for its payload.
func ownPayload(raw string) (payload string, ok bool) {
	k := tokens.I1.ES256
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return "", false
	}
	signature, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	data, dataErr := base64.RawURLEncoding.Strict().DecodeString(parts[1])
	if err != nil || dataErr != nil || parts[0] != tokens.Encode([]byte(k.Header())) || len(signature) != 64 {
		return "", false
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	return string(data), ecdsa.Verify(tokens.As[*ecdsa.PublicKey](k.Private.Public()), digest[:], r, s)
}

// newOpaqueTrust makes a server that takes JWTs and opaque tokens, and an issuer that knows the latter.
func newOpaqueTrust(issued *issuance) (*Trust, error) {
	idp := tokens.NewIDP(tokens.JWKs(tokens.I1.Keys()...)...)
	idp.Elsewhere = &http.Transport{DisableKeepAlives: true}
	made := issuer(tokens.I1.URL)
	made.IntrospectionURL = "https://introspection.test/" // no claim of a case holds it, so that an error may
	idp.Serve(made.IntrospectionURL, func(request *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return nil, err
		}
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, err
		}
		answer := issued.payloads[form.Get("token")]
		if answer == "" {
			answer = `{"active":false}`
		}
		return tokens.Respond(http.StatusOK, answer)(request)
	})
	options := []token.Option{token.WithLeeway(leeway), token.WithTransport(idp)}
	introspector, err := token.NewIntrospector(made, token.Introspection{Client: token.ClientSecretBasic("api", "hunter2"), Limit: 100_000}, options...)
	if err != nil {
		return nil, err
	}
	verifier, err := token.NewVerifier(made, append(options, token.WithSignatureLimit(1000), token.WithIntrospector(introspector))...)
	return &Trust{verifier: verifier, idp: idp, issuers: []string{made.URL}, endpoint: made.IntrospectionURL}, err
}
