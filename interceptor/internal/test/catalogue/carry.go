package catalogue

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// carried are tokens that are missing, that come twice, or that come in another field.
func (f forge) carried() []Case {
	good := f.Token(tokens.I1.ES256)
	other := f.Token(tokens.I1.ES384)
	var cases []Case
	for _, service := range slices.Sorted(maps.Keys(Services)) {
		if !Services[service].GetPublic() {
			cases = append(cases, Case{Row: "D01", Name: "no Authorization, " + service, Service: service, Want: Missing, Everywhere: true})
		}
	}
	for _, field := range []string{"X-Authorization", "Proxy-Authorization", "X-Forwarded-Authorization", "Cookie", "Access-Token", "X-Access-Token"} {
		cases = append(cases, Case{Row: "D01", Name: "a token in " + field, Service: "Read", Header: http.Header{field: bearer(good)}, Want: Missing})
	}
	for _, values := range []struct {
		name   string
		values []string
	}{
		{"good, bad", []string{"Bearer " + good, "Bearer x.y.z"}},
		{"bad, good", []string{"Bearer x.y.z", "Bearer " + good}},
		{"good, good", []string{"Bearer " + good, "Bearer " + good}},
		{"good, another good", []string{"Bearer " + good, "Bearer " + other}},
		{"good, empty", []string{"Bearer " + good, ""}},
		{"empty, good", []string{"", "Bearer " + good}},
		{"Basic, good", []string{"Basic dXNlcjpwYXNz", "Bearer " + good}},
		{"good, Basic", []string{"Bearer " + good, "Basic dXNlcjpwYXNz"}},
		{"empty, empty", []string{"", ""}},
		{"three times good", []string{"Bearer " + good, "Bearer " + good, "Bearer " + good}},
	} {
		cases = append(cases, Case{Row: "D03", Name: values.name, Service: "Read", Authorization: values.values, Want: Several})
	}
	for _, value := range []struct {
		name, value string
		want        Answer
	}{
		{"good, bad", "Bearer " + good + ", Bearer x.y.z", Several},
		{"bad, good", "Bearer x.y.z, Bearer " + good, Several},
		{"good, good", "Bearer " + good + ", Bearer " + good, Several},
		{"without a space", "Bearer " + good + ",Bearer " + good, Several},
		{"tokens alone", "Bearer " + good + "," + good, Several},
		{"a space alone", "Bearer " + good + " " + good, Several},
		{"nothing behind the comma", "Bearer " + good + ",", Malformed},
		{"a semicolon", "Bearer " + good + "; Bearer " + good, Several},
		{"auth-params", `Bearer token="` + good + `"`, Malformed},
		{"quotes", `Bearer "` + good + `"`, Malformed},
		{"Basic behind", "Bearer " + good + ", Basic dXNlcjpwYXNz", Several},
		{"too large together", "Bearer " + strings.Repeat("x", 9<<10) + ", Bearer " + strings.Repeat("x", 9<<10), Several},
	} {
		cases = append(cases, Case{Row: "D04", Name: value.name, Service: "Read", Authorization: []string{value.value}, Want: value.want})
	}
	return append(cases, Case{
		Row: "D04", Name: "Basic before", Service: "Read", Authorization: []string{"Basic dXNlcjpwYXNz, Bearer " + good}, Want: SchemeBeside,
	}, Case{
		Row: "D04", Name: "auth-params of another scheme", Service: "Read", Authorization: []string{`Digest username="a", realm="Bearer b"`}, Want: Unsupported,
	})
}

// schemes are Authorization fields that begin with another word than "Bearer ".
func (f forge) schemes() []Case {
	good := f.Token(tokens.I1.ES256)
	var cases []Case
	for _, scheme := range []string{"bearer ", "BEARER ", "bEaReR ", "Bearer   "} {
		cases = append(cases, Case{Row: "D02", Name: "as " + strings.ReplaceAll(scheme, " ", "_"), Service: "Read", Authorization: []string{scheme + good}})
	}
	for _, value := range []struct{ name, value string }{
		{"Basic", "Basic dXNlcjpwYXNz"},
		{"Digest", `Digest username="user", realm="r", nonce="n", uri="/", response="0"`},
		{"bare token", good},
		{"DPoP", "DPoP " + good},
		{"Negotiate", "Negotiate " + good},
		{"Token", "Token " + good},
		{"JWT", "JWT " + good},
		{"longer", "Bearers " + good},
		{"shorter", "Beare " + good},
		{"glued on", "Bearer" + good},
		{"colon", "Bearer: " + good},
		{"equals sign", "Bearer=" + good},
		{"comma before", ", Bearer " + good},
		{"Bearer behind Basic", "Basic Bearer " + good},
		{"tab", "Bearer\t" + good},
		{"space before", " Bearer " + good},
		{"look-alike", "Веarer " + good},
	} {
		cases = append(cases, Case{Row: "D05", Name: value.name, Service: "Read", Authorization: []string{value.value}, Want: Unsupported})
	}
	for _, value := range []string{"Bearer ", "Bearer", "", "bearer", "Bearer   ", "Bearer =", "Bearer =="} {
		cases = append(cases, Case{Row: "D06", Name: "as " + strings.ReplaceAll(value, " ", "_"), Service: "Read", Authorization: []string{value}, Want: Malformed})
	}
	return append(cases, Case{Row: "D06", Name: "for an organization", Service: "Field", Authorization: []string{"Bearer "}, Want: Malformed})
}
