package devissuer

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// answerIntrospection tells a client about a token (RFC 7662 §2).
func (i *Issuer) answerIntrospection(w http.ResponseWriter, r *http.Request) (any, *refusal) {
	posted, _, refused := i.readClient(w, r)
	if refused != nil {
		return nil, refused
	}
	token := posted.Get("token")
	if token == "" {
		return nil, refuse(http.StatusBadRequest, "invalid_request", "token is missing")
	}
	claims, ok := i.claimsOf(token)
	if !ok {
		return map[string]any{"active": false}, nil
	}
	if _, given := claims["token_type"]; !given {
		claims["token_type"] = "Bearer"
	}
	claims["active"] = true
	return claims, nil
}

// claimsOf returns the claims of an access token that this issuer has made with one of its keys, unless the token
// is expired, not valid yet, or valid for ever. Issuers may share their keys: iss tells their tokens apart.
func (i *Issuer) claimsOf(token string) (claims jwt.MapClaims, ok bool) {
	keys := i.keySet()
	valid := []jwt.ParserOption{jwt.WithIssuer(i.url), jwt.WithExpirationRequired()}
	if strings.Contains(token, ".") {
		if hasLineBreak(token) {
			return nil, false
		}
		parser := jwt.NewParser(append(valid, jwt.WithJSONNumber(), jwt.WithStrictDecoding())...)
		parsed, err := parser.ParseWithClaims(token, &claims, func(parsed *jwt.Token) (any, error) {
			for _, key := range keys.keys {
				if key.id == parsed.Header["kid"] && key.method.Alg() == parsed.Method.Alg() {
					return key.private.Public(), nil
				}
			}
			return nil, jwt.ErrTokenUnverifiable
		})
		// Without typ, i.typ is NoType.
		return claims, err == nil && (parsed.Header["typ"] == i.typ || parsed.Header["typ"] == nil && i.typ == NoType)
	}
	text, ok := keys.openClaims(token)
	if !ok {
		return nil, false
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	_ = decoder.Decode(&claims) // the issuer has encrypted claims alone
	return claims, jwt.NewValidator(valid...).Validate(claims) == nil
}
