package token_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestClerkPermissions reads the permissions of an organization from their bits.
func TestClerkPermissions(t *testing.T) {
	t.Parallel()
	issuer := configured(func(i *token.Issuer) { i.ScopeClaims, i.OrganizationClaim = []string{token.ClerkPermissions}, "/o/id" })
	many := strings.Repeat("o:f,", 20) + "o:f"
	all := strings.Repeat("p,", 47) + "p"
	full := fmt.Sprint(uint64(1)<<48 - 1)
	for claims, want := range map[string]string{
		``:                  "none",
		`"fea":"o:orders"`:  "none",
		`"o":{"id":"acme"}`: "none",
		`"fea":"o:a,o:b","o":{"per":"read,write","fpm":"1,2"}`:                                               "org:a:read org:b:write",
		`"fea":"o:a,o:b","o":{"per":"read,write","fpm":"3,0"}`:                                               "org:a:read org:a:write",
		`"fea":"u:x,o:a,uo:b,ou:c","o":{"per":"read","fpm":"1,1,1"}`:                                         "org:a:read org:b:read org:c:read",
		`"fea":"u:x,u:y","o":{"per":"read","fpm":""}`:                                                        "none",
		`"fea":"o:a,o:b","o":{"per":"read","fpm":"1"}`:                                                       "org:a:read",
		`"fea":"o:a","o":{"per":"read,write","fpm":"4"}`:                                                     "",
		`"fea":"o:a","o":{"per":"read","fpm":"1,1"}`:                                                         "",
		`"fea":"u:a","o":{"per":"read","fpm":"1"}`:                                                           "",
		`"o":{"per":"read","fpm":"1"}`:                                                                       "",
		`"fea":"o:a","o":{"fpm":"1"}`:                                                                        "",
		`"fea":"o:a","o":{"per":"read"}`:                                                                     "none",
		`"fea":"o:a","o":{"per":"read","fpm":"-1"}`:                                                          "",
		`"fea":"o:a","o":{"per":"read","fpm":"1.0"}`:                                                         "",
		`"fea":"o:a","o":{"per":"read","fpm":" 1"}`:                                                          "",
		`"fea":"o:a","o":{"per":"read","fpm":"18446744073709551616"}`:                                        "",
		`"fea":["o:a"],"o":{"per":"read","fpm":"1"}`:                                                         "",
		`"fea":"o:a","o":{"per":["read"],"fpm":"1"}`:                                                         "",
		`"fea":"o:a","o":{"per":"read","fpm":1}`:                                                             "",
		`"fea":"o:a","o":null`:                                                                               "",
		`"fea":"o:a","o":["read"]`:                                                                           "",
		`"fea":"` + many + `","o":{"per":"` + all + `","fpm":"` + strings.Repeat(full+",", 19) + full + `"}`: "960",
		`"fea":"` + many + `","o":{"per":"` + all + `","fpm":"` + strings.Repeat(full+",", 20) + full + `"}`: "",
	} {
		got, err := readMembers(issuer, claims)
		switch scopes := got.Scopes(); want {
		case "":
			checkError(t, err, token.ErrInvalid)
		case "none":
			if err != nil || len(scopes) > 0 {
				t.Errorf("{%s}: %q, %v", claims, scopes, err)
			}
		case "960":
			if err != nil || len(scopes) != 960 {
				t.Errorf("%d scopes, %v", len(scopes), err)
			}
		default:
			if err != nil || !slices.Equal(scopes, strings.Fields(want)) {
				t.Errorf("{%s}: %q, %v, want %q", claims, scopes, err, want)
			}
		}
	}
}
