package catalogue

import (
	"net/http"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// globals are tokens of an organization for a method that is global.
func (f forge) globals() []Case {
	return []Case{
		{Row: "D38", Name: "organization_id", Service: "Read", Authorization: f.resource(orgA, "read:a"), Want: Model},
		{Row: "D38", Name: "organization_id, no scope required", Service: "Authenticated", Authorization: f.resource(orgA, ""), Want: Model},
		{Row: "D38", Name: "organization_id in another case", Service: "Read", Authorization: f.good("ORGANIZATION_ID", orgA)},
		{Row: "D39", Name: "organization_id empty", Service: "Read", Authorization: f.resource("", "read:a"), Want: Model},
		{Row: "D39", Name: "organization_id empty, no scope required", Service: "Authenticated", Authorization: f.resource("", ""), Want: Model},
		{Row: "D39", Name: "organization_id of a space", Service: "Read", Authorization: f.resource(" ", "read:a"), Want: Model},
	}
}

// resources are calls for another organization than the token's, and calls that name none. The answer is the
// same for an organization that exists and for one that does not.
func (f forge) resources() []Case {
	inA, inB := f.resource(orgA, "read:data"), f.resource(orgB, "read:data")
	cases := []Case{
		{Row: "D40", Name: "request A, token B", Service: "Field", Authorization: inB, Want: Organization},
		{Row: "D40", Name: "request for none that exists, token A", Service: "Field", Authorization: inA, Messages: naming("nonexistent"), Want: Organization},
		{Row: "D40", Name: "request A, token A", Service: "Field", Authorization: inA},
		{Row: "D41", Name: "no organization_id", Service: "Field", Authorization: f.global("read:data"), Want: Model},
		{Row: "D41", Name: "no organization_id, read from the header", Service: "Header", Authorization: f.global("read:data"), Header: organizationHeader(orgA), Want: Model},
		{Row: "D41", Name: "no organization_id, read from the token", Service: "Token", Authorization: f.global("read:data"), Want: Model},
		{Row: "D41", Name: "another claim", Service: "Field", Authorization: f.good("scope", "read:data", "org_id", orgA, "organizationId", orgA, "ORGANIZATION_ID", orgA), Want: Model},
		{Row: "D42", Name: "neither names one", Service: "Field", Authorization: f.global("read:data"), Messages: naming(""), Want: Model},
		{Row: "D42", Name: "neither names one, in the header", Service: "Header", Authorization: f.global("read:data"), Header: organizationHeader(""), Want: Model},
		{Row: "D43", Name: "both empty", Service: "Field", Authorization: f.resource("", "read:data"), Messages: naming(""), Want: Model},
		{Row: "D43", Name: "both empty, in the header", Service: "Header", Authorization: f.resource("", "read:data"), Header: organizationHeader(""), Want: Model},
		{Row: "D43", Name: "both empty, in the token", Service: "Token", Authorization: f.resource("", "read:data"), Want: Model},
		{Row: "D43", Name: "both empty, in aud", Service: "Member", Authorization: f.member("", "invite:member"), Messages: naming(""), Want: Model},
		{Row: "D44", Name: "request names none, token A", Service: "Field", Authorization: inA, Messages: naming(""), Want: Organization},
		{Row: "D44", Name: "no header, token A", Service: "Header", Authorization: inA, Want: Organization},
		{Row: "D44", Name: "request names none, aud A", Service: "Member", Authorization: f.member(orgA, "invite:member"), Messages: naming(""), Want: Organization},
	}
	for _, other := range []struct{ name, organization string }{
		{"prefix", orgA[:6]}, {"longer", orgA + "0"}, {"in upper case", "A1B2C3D4E5F6"}, {"with a space", orgA + " "}, {"after a space", " " + orgA},
		{"with a NUL", orgA + "\x00"}, {"a list", orgA + "," + orgB}, {"a path", "../" + orgA}, {"the URN", urn + orgA}, {"any", "*"}, {"a look-alike", "\u0430" + orgA[1:]},
	} {
		cases = append(cases, Case{Row: "D40", Name: other.name + ", token A", Service: "Field", Authorization: inA, Messages: naming(other.organization), Want: Organization})
	}
	return cases
}

func organizationHeader(values ...string) http.Header {
	return http.Header{"X-Organization-Id": values}
}

// members are organization tokens.
func (f forge) members() []Case {
	aud := func(values ...string) []string { return f.good("scope", "invite:member", "aud", values) }
	several := []Case{
		{Name: "A and B", Authorization: aud(urn+orgA, urn+orgB)},
		{Name: "A twice", Authorization: aud(urn+orgA, urn+orgA)},
		{Name: "A and the API", Authorization: aud(urn+orgA, tokens.API)},
		{Name: "A and another API", Authorization: aud(urn+orgA, tokens.OtherAPI)},
		{Name: "A and none", Authorization: aud(urn+orgA, urn)},
		{Name: "A, and a claim of B", Authorization: f.good("scope", "invite:member", "aud", urn+orgA, "organization_id", orgB)},
		{Name: "A, and an empty claim", Authorization: f.good("scope", "invite:member", "aud", urn+orgA, "organization_id", "")},
	}
	cases := []Case{
		{Row: "D45", Name: "request A, aud B", Service: "Member", Authorization: f.member(orgB, "invite:member"), Want: Organization},
		{Row: "D45", Name: "request for none that exists, aud A", Service: "Member", Authorization: f.member(orgA, "invite:member"), Messages: naming("nonexistent"), Want: Organization},
		{Row: "D45", Name: "request the URN, aud A", Service: "Member", Authorization: f.member(orgA, "invite:member"), Messages: naming(urn + orgA), Want: Organization},
		{Row: "D45", Name: "request A, aud A", Service: "Member", Authorization: f.member(orgA, "invite:member")},
		{Row: "D45", Name: "request A, aud A in an array", Service: "Member", Authorization: aud(urn + orgA)},
		{Row: "D45", Name: "request A, aud and claim A", Service: "Member", Authorization: f.good("scope", "invite:member", "aud", urn+orgA, "organization_id", orgA)},
		{Row: "D45", Name: "another URN", Service: "Member", Authorization: aud("urn:logto:organizations:" + orgA), Want: Audience},
		{Row: "D45", Name: "the URN in upper case", Service: "Member", Authorization: aud("URN:LOGTO:ORGANIZATION:" + orgA), Want: Audience},
		{Row: "D45", Name: "the bare id", Service: "Member", Authorization: aud(orgA), Want: Audience},
	}
	for _, requested := range []struct{ name, organization string }{{"A", orgA}, {"B", orgB}, {"both", orgA + " " + orgB}, {"none", ""}} {
		for _, c := range several {
			c.Row, c.Service, c.Messages, c.Want = "D46", "Member", naming(requested.organization), Model
			c.Name = "aud " + c.Name + ", request " + requested.name
			cases = append(cases, c)
		}
	}
	return cases
}

// confusions are tokens of one permission model for a method of another.
func (f forge) confusions() []Case {
	all := "read:a write:b read:data invite:member sell manage:members buy"
	var cases []Case
	for _, test := range []struct {
		token         string
		authorization []string
		services      []string
	}{
		{"a global token", f.global(all), []string{"Member", "Field", "Nested", "Token"}},
		{"an organization's token for the API", f.resource(orgA, all), []string{"Member", "Read", "Global", "Any", "Authenticated", "User"}},
		{"an organization token", f.member(orgA, all), []string{"Field", "Nested", "Token", "Read", "Global", "Any", "Authenticated", "User"}},
		{"an organization token for the API", f.good("scope", all, "aud", []string{tokens.API, urn + orgA}), []string{"Member", "Field", "Read", "Authenticated"}},
	} {
		for _, service := range test.services {
			cases = append(cases, Case{Row: "D47", Name: test.token + " on " + service, Service: service, Authorization: test.authorization, Want: Model})
		}
	}
	return cases
}

// otherPlaces are organizations that a header names, or the token alone.
func (f forge) otherPlaces() []Case {
	inA := f.resource(orgA, "read:data")
	header := func(name string, values []string, want Answer) Case {
		c := Case{Name: "header, " + name, Service: "Header", Authorization: inA, Want: want}
		if values != nil {
			c.Header = organizationHeader(values...)
		}
		return c
	}
	return []Case{
		header("A", []string{orgA}, Answer{}),
		header("empty", []string{""}, Organization),
		header("B", []string{orgB}, Organization),
		header("A twice", []string{orgA, orgA}, Organization),
		header("A, then B", []string{orgA, orgB}, Organization),
		header("B, then A", []string{orgB, orgA}, Organization),
		header("a list", []string{orgA + "," + orgB}, Organization),
		{Name: "the message names it instead of the header", Service: "Header", Authorization: inA, Messages: naming(orgA), Want: Organization},
		{Name: "the header names it instead of the message", Service: "Field", Authorization: inA, Header: organizationHeader(orgA), Messages: naming(orgB), Want: Organization},
		{Name: "the token alone", Service: "Token", Authorization: inA, Messages: naming(orgB)},
	}
}
