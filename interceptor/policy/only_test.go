package policy_test

import (
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/protos"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// TestOnly takes each way of a rule, and ways that there are not.
func TestOnly(t *testing.T) {
	t.Parallel()
	source := protos.OrderService(`option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE};`,
		`option (protoauthz.v1.method) = {scopes: ["a"] alternatives: [{scopes: ["b"]}, {authenticated: true subject: {field: "a"}}]};`, `option (protoauthz.v1.method) = {public: true};`)
	files, err := protos.Compile(t.Context(), "../../proto", map[string]string{"order.proto": source}, "order.proto")
	if err != nil {
		t.Fatal(err)
	}
	table, err := policy.Compile(files, policy.WithAudience("urn:a"), policy.WithSubjectIssuer("https://a.test"))
	if err != nil {
		t.Fatal(err)
	}
	const method = "/order.v1.OrderService/Call0"
	for _, test := range []struct {
		procedure string
		way       int
		want      string
	}{
		{method, 0, method + "  global_resource  audience=urn:a  all of a  caller=any  organization=-\n"},
		{method, 1, method + "  global_resource  audience=urn:a  all of b  caller=any  organization=-\n"},
		{method, 2, method + "  global_resource  audience=urn:a  authenticated  caller=any  organization=-  subject=field:a\n"},
		{method, 3, ""},
		{method, -1, ""},
		{"/order.v1.OrderService/Call1", 0, ""},
		{"/order.v1.OrderService/Call2", 0, ""},
	} {
		only := table.Only(test.procedure, test.way)
		if only.String() != test.want || only.Audience() != "urn:a" || only.SubjectIssuer() != "https://a.test" {
			t.Errorf("%s, way %d:\n%s\nwant\n%s", test.procedure, test.way, only, test.want)
		}
	}
	if rule, _ := table.Lookup(method); len(rule.Ways()) != 3 || rule.Scopes[0] != "a" {
		t.Errorf("the table has changed: %s", table)
	}
}
