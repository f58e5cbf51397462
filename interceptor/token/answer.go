package token

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
)

// maxAnswer is the size of the largest answer that is read, in bytes, since answers are kept.
const maxAnswer = 64 << 10

// read reads an answer about a token (RFC 7662 section 2.2). The error means that the text is not an answer.
func (i *Introspector) read(text string) (*answer, error) {
	if len(text) > maxAnswer {
		return nil, fmt.Errorf("the answer has more than %d bytes: have the issuer put less into it", maxAnswer)
	}
	index, err := jose.NewIndex(text)
	if errors.Is(err, jose.ErrJSON) {
		return nil, fmt.Errorf("the answer is %w", endpoint.NotJSON([]byte(text), adviceIntrospection))
	} else if err != nil {
		return nil, fmt.Errorf("the answer: %w: the issuer must correct it", err)
	}
	defer index.Release()
	now := time.Now()
	claims, validity, err := i.accept(index, text, now)
	if err != nil {
		return &answer{err: err, goodTill: now.Add(refusedAge)}, nil
	}
	// A call that gets the answer from the cache has some time left until the deadline.
	return &answer{claims: claims, validity: validity, goodTill: now.Add(claims.Deadline().Sub(now) / 10 * 9)}, nil
}

// accept returns the claims in an answer, if the token is an active access token.
func (i *Introspector) accept(index jose.Index, text string, now time.Time) (*Claims, validity, error) {
	none := validity{}
	switch active := index.Find([]string{"active"}); active {
	case "true":
	case "false":
		return nil, none, errInactive
	default:
		return nil, none, invalid("the issuer's answer has no active that is true or false")
	}
	if iss := index.Find([]string{"iss"}); iss != "" {
		if name, _ := jose.Text(iss); name != i.reader.URL {
			return nil, none, invalid("iss in the issuer's answer is not Issuer.URL, %q: is the token from another issuer?", endpoint.DisplayURL(i.reader.URL))
		}
	}
	if err := i.checkAccessToken(index); err != nil {
		return nil, none, err
	}
	p := i.reader.payload(index)
	validity, err := i.reader.readValidity(p, i.leeway)
	if err != nil {
		return nil, none, err
	}
	var expiry time.Time
	deadline := now.Add(i.settings.MaxAge)
	if validity.until.IsZero() {
		validity.until = deadline
	} else {
		expiry = validity.until.Add(-i.leeway)
	}
	if err := validity.check(now, i.leeway, true); err != nil {
		return nil, none, err
	}
	if validity.until.Before(deadline) {
		deadline = validity.until
	}
	claims, err := i.reader.claims(base64.RawURLEncoding.EncodeToString([]byte(text)), i.reader.URL, p, deadline, i.leeway)
	if err != nil {
		return nil, none, err
	}
	claims.expiry = expiry
	return claims, validity, nil
}

var errInactive = invalid("the issuer says that the token is not active: it has expired or was withdrawn, it is not a token of this issuer, or the issuer does not show it to this client")

// An answerKind is a member by which an answer tells what kind of token it is about, and the values for access tokens.
type answerKind struct {
	member string
	access []string
}

var answerKinds = []answerKind{
	{"token_type", []string{"bearer", "dpop"}},
	{"token_use", []string{"access_token", "access"}},
	{"typ", []string{"bearer", "dpop", "at+jwt"}},
}

// checkAccessToken refuses an answer about a token of another kind, such as a refresh token, which is active too.
func (i *Introspector) checkAccessToken(index jose.Index) error {
	for _, kind := range answerKinds {
		value := index.Find([]string{kind.member})
		if value == "" || i.reader.listsValues(kind.member) {
			continue
		}
		text, _ := jose.Text(value)
		if !slices.Contains(kind.access, jose.CanonicalType(text)) {
			return invalid("%s in the issuer's answer is not %q, as an access token's is: is it a refresh token or an ID token? If the issuer's access tokens have another value, list that value for %[1]s in Issuer.RequiredClaims", kind.member, kind.access[0])
		}
		if strings.EqualFold(text, "dpop") {
			return invalid("bound to a key of the sender (%s), which a bearer cannot prove: the client must request a token without DPoP and without mTLS", kind.member)
		}
	}
	if index.Find([]string{"token_type"}) == "" && !slices.ContainsFunc(i.reader.required, requirement.tellsAccessToken) {
		return invalid("the issuer's answer has no token_type, so a refresh token would look like an access token: list in Issuer.RequiredClaims a member of the answer that tells access tokens, with values that name these, such as \"token_use\": {\"access_token\"}")
	}
	return nil
}

// listsValues reports whether RequiredClaims lists values for a member.
func (r *reader) listsValues(member string) bool {
	return slices.ContainsFunc(r.required, func(entry requirement) bool {
		return entry.path[0] == member && len(entry.path)+len(entry.rest) == 1 && len(entry.values) > 0
	})
}

// ofEveryKind are the members that an answer may have about any kind of token (RFC 7662 section 2.2, and azp).
var ofEveryKind = []string{"active", "scope", "client_id", "azp", "username", "exp", "iat", "nbf", "sub", "aud", "iss", "jti"}

// tellsAccessToken reports whether an entry of RequiredClaims tells access tokens from refresh tokens. It does by values
// that name access tokens: an entry that lists organizations does not.
func (r requirement) tellsAccessToken() bool {
	return len(r.values) > 0 && !r.optional && !slices.Contains(ofEveryKind, r.path[0]) && !slices.ContainsFunc(r.values, namesOther)
}

// namesOther reports whether a value does not name access tokens.
func namesOther(value string) bool {
	value = jose.CanonicalType(value)
	return !strings.Contains(value, "access") && !slices.Contains([]string{"bearer", "dpop", "at+jwt"}, value)
}

// verifySigned verifies a signed answer and returns what it says (RFC 9701 section 5).
func (i *Introspector) verifySigned(ctx context.Context, contentType, raw string) (string, error) {
	now := time.Now()
	if !isSigned(contentType) {
		return "", errors.New("its Content-Type is not " + typeSigned + ": have the issuer sign the answers to this client, or leave Introspection.SignedResponseAudience empty")
	}
	token, err := jose.ParseJWS(raw)
	switch {
	case err != nil: // whose text is for the client that has sent a token
		return "", errors.New("it is not a signed JWT in compact form (RFC 7515 section 7.1)")
	case token.TypeFault != "":
		return "", errors.New(token.TypeFault)
	case jose.CanonicalType(token.Type) != "token-introspection+jwt":
		return "", errors.New("its typ is not token-introspection+jwt")
	case !slices.Contains(i.keys.algorithms, token.Algorithm):
		return "", fmt.Errorf("its alg is not one of %q, the issuer's Algorithms", i.reader.Algorithms)
	}
	index, err := jose.NewIndex(token.Payload)
	if err != nil {
		return "", fmt.Errorf("its payload: %w", err)
	}
	defer index.Release()
	if iss, _ := jose.Text(index.Find([]string{"iss"})); iss != i.reader.URL {
		return "", errors.New("its iss is not Issuer.URL")
	}
	if audience, _, _ := jose.Texts(index.Find([]string{"aud"})); !slices.Contains(audience, i.settings.SignedResponseAudience) {
		return "", errors.New("its aud does not hold Introspection.SignedResponseAudience")
	}
	issued, _, err := readDate("its iat", index.Find([]string{"iat"}))
	if err != nil {
		return "", err
	}
	if apart := aheadOf(i.leeway); issued.ceil().After(now.Add(apart)) || issued.ceil().Before(now.Add(-apart)) {
		return "", fmt.Errorf("its iat is not within %v of this server's clock: set the clocks of the issuer and of this server right", apart)
	}
	if expires, ok, err := readDate("its exp", index.Find([]string{"exp"})); ok && !now.Before(expires.floor().Add(i.leeway)) {
		return "", cmp.Or(err, errors.New("its exp has passed"))
	}
	if err := i.keys.signed(ctx, &token, now); err != nil {
		return "", err
	}
	said := index.Find([]string{"token_introspection"})
	if !strings.HasPrefix(said, "{") {
		return "", errors.New("its token_introspection is not an object")
	}
	return strings.Clone(said), nil
}

// signed makes sure that a key of the issuer has signed a text. If the issuer has used a kid again for another key,
// signed fetches the keys and tries once more.
func (k *issuerKeys) signed(ctx context.Context, token *jose.JWS, asked time.Time) error {
	name := keyName{token.KeyID, token.Algorithm}
	if err := k.keys.await(ctx, name, asked); errors.Is(err, ErrInvalid) {
		return errors.New("no key of the issuer's key set has its kid and alg")
	} else if err != nil {
		return err
	}
	for range 2 {
		tried := k.keys.current.Load().find(name)
		for _, key := range tried {
			if key.isOf(issuedBy{iss: k.URL}) && token.SignedBy(key.Public) {
				return nil
			}
		}
		if !k.keys.changed(ctx, name, tried, asked) {
			break
		}
	}
	return errSignature
}
