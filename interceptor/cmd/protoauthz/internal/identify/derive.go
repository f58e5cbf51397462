package identify

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// todoClaim stands in RequiredClaims until the user has answered all questions. Its empty list is a fault, so no
// server starts with it.
const todoClaim = "TODO"

// derive answers the questions of the guide ("Write an Issuer") by a token, as far as a token does. It leaves the
// other answers to the user.
func derive(t *Token) (f Finding) {
	if f.Refused = t.unfit(); f.Refused != nil {
		return f
	}
	remarks := map[string]string{} // printed for the user, whose part each TODO is
	issuer := token.Issuer{URL: t.issuer, Algorithms: []string{t.algorithm}, RequiredClaims: map[string][]string{todoClaim: {}}}
	if !strings.HasPrefix(t.issuer, "https://") {
		issuer.KeySetURL = todoKeySet
	} else {
		remarks["KeySetURL"] = "TODO: set it if the issuer has no document at URL + /.well-known/openid-configuration that names the same issuer."
	}
	remarks["RequiredClaims"] = "TODO: the typ tells access tokens from ID tokens. Remove this entry when all questions are answered."
	if typ := t.text("header.typ"); jose.CanonicalType(typ) != "at+jwt" {
		issuer.Types = []string{typ}
		remarks["RequiredClaims"] = "TODO: in place of this entry, name a claim that access tokens alone have, as \"client_id\": {token.AnyValue}. Compare an ID token of the same application." + t.candidates(" This token has", "client_id", "scp", "scope", "token_use", "token_type", "typ", "type", "uid", "cid")
	}
	issuer.ClientClaims = t.first("client_id", "azp", "cid", "appid", "clientId")
	if !t.body.Has("aud") {
		issuer.Audience = todoAudience
		remarks["Audience"] = "TODO: the token has no aud: list in RequiredClaims the clients of this API."
	}
	if issuer.SubjectClaims = t.first("sub"); issuer.SubjectClaims == nil {
		issuer.SubjectClaims = []string{todoClaim}
		remarks["SubjectClaims"] = "TODO: the token has no sub: name the claim that names the user for ever, or the client."
	}
	issuer.ScopeClaims = t.first("permissions", "scp", "scope", "roles", "groups")
	if slices.Equal(issuer.ScopeClaims, []string{"scope"}) && strings.HasPrefix(t.value("scope"), "[") {
		issuer.ScopeClaims = []string{"/scope/*"}
	}
	remarks["ScopeClaims"] = "TODO: which claim has what the caller may do? Users and clients must not write it." + t.candidates(" This token has", "permissions", "scp", "scope", "roles", "groups")
	remarks["UserTokens"] = "TODO: what tells a user's token? Without UserTokens and ClientTokens, rules for users or clients refuse every token."
	if client := t.first("client_id", "azp", "cid", "appid", "clientId"); client != nil && t.text(client[0]) == t.text("sub") {
		issuer.ClientTokens = map[string][]string{"sub": {"{client}"}}
		remarks["ClientTokens"] = "TODO: this client got the token for itself. All other tokens then count as users'."
		delete(remarks, "UserTokens")
	}
	remarks["OrganizationClaim"] = "TODO: which claim names the customer, and who writes it? Without it, a token for one customer counts for all." + t.candidates(" This token has", "org_id", "organization_id", "organization", "tenant_id", "tenantId", "tid", "tenant")
	for claim, field := range map[string]*[]string{"sub": &issuer.SubjectClaims, "scope": &issuer.ScopeClaims, "client_id": &issuer.ClientClaims} {
		if slices.Equal(*field, []string{claim}) {
			*field = nil // the default
		}
	}
	f.Issuer, f.Go = issuer, goLiteral(issuer, remarks)
	f.Todo = []string{"answer each TODO by the guide, interceptor/token/README.md, and verify an access token and an ID token of your own"}
	return f
}

// unfit returns why no issuer should accept a token of an unknown provider, or nil.
func (t *Token) unfit() error {
	switch {
	case t.marksID() != nil:
		return t.marksID()
	case t.body.Has("events"):
		return errors.New("it has events, so it is a logout token or a security event: give an access token")
	case t.issuer == "":
		return errors.New("it has no iss: configure the issuer to write one")
	case strings.HasPrefix(t.algorithm, "HS"):
		return errors.New("its alg is for a shared secret, with which every server could sign tokens: have the issuer sign with RS256 or ES256")
	case !slices.Contains(jose.Algorithms(), t.algorithm):
		return fmt.Errorf("its alg is none of %q", jose.Algorithms())
	case !t.body.Has("exp"):
		return errors.New("it has no exp: have the issuer limit the lifetime of tokens")
	}
	return nil
}

// marksID returns an error if a token has a claim that ID tokens have, and few others.
func (t *Token) marksID() error {
	kind := t.candidates("", "nonce", "at_hash", "c_hash")
	if kind == "" {
		return nil
	}
	return fmt.Errorf("it has%s, as ID tokens have, which tell the application who signed in: give the access token that came with it", strings.TrimSuffix(kind, "."))
}

// first returns the first of some claims that a token has, alone.
func (t *Token) first(claims ...string) []string {
	for _, claim := range claims {
		if t.body.Has(claim) {
			return []string{claim}
		}
	}
	return nil
}

// candidates returns a sentence about the claims that a token has, or "".
func (t *Token) candidates(begins string, claims ...string) string {
	claims = slices.DeleteFunc(claims, func(claim string) bool { return !t.body.Has(claim) })
	if len(claims) == 0 {
		return ""
	}
	return begins + " " + strings.Join(claims, ", ") + "."
}
