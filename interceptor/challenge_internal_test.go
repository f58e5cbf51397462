package interceptor

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/emptypb"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// scopeToken is the form of a scope (RFC 6749 section 3.3).
var scopeToken = regexp.MustCompile(`\A[\x21\x23-\x5b\x5d-\x7e]+\z`)

// compileOne compiles a rule that requires an audience and scopes, as a guard keeps it.
func compileOne(t testing.TB, audience string, all, any []string) (*guardRule, error) {
	t.Helper()
	options := new(descriptorpb.MethodOptions)
	proto.SetExtension(options, authzv1.E_Method, &authzv1.MethodRule{
		Model: authzv1.Model_MODEL_GLOBAL_RESOURCE, Scopes: all, AnyScopes: any,
	})
	empty := proto.String(".google.protobuf.Empty")
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name:       proto.String("scopes/v1/scopes.proto"),
		Package:    proto.String("scopes.v1"),
		Syntax:     proto.String("proto3"),
		Dependency: []string{emptypb.File_google_protobuf_empty_proto.Path(), authzv1.File_protoauthz_v1_authz_proto.Path()},
		Service: []*descriptorpb.ServiceDescriptorProto{{
			Name:   proto.String("Service"),
			Method: []*descriptorpb.MethodDescriptorProto{{Name: proto.String("Call"), InputType: empty, OutputType: empty, Options: options}},
		}},
	}, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	table, err := policy.Compile(policy.Files{file}, policy.WithAudience(audience))
	if err != nil {
		return nil, err
	}
	rule, _ := new(Guard).rulesOf(table, true).lookup("/scopes.v1.Service/Call")
	return rule, nil
}

// parseChallenge reads a WWW-Authenticate that holds one challenge, as strictly
// as RFC 9110 section 11.6.1 and RFC 6750 section 3 let a server write it. It
// returns the parameters, or the mistake.
func parseChallenge(value string) (params map[string]string, fault string) {
	const token = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	rest, ok := strings.CutPrefix(value, "Bearer ")
	if !ok {
		return nil, "the scheme is not Bearer"
	}
	params = map[string]string{}
	for {
		quoted := strings.TrimLeft(rest, token)
		name := strings.ToLower(rest[:len(rest)-len(quoted)])
		if rest, ok = strings.CutPrefix(quoted, `="`); name == "" || !ok {
			return nil, "not a parameter with a quoted string: " + quoted
		}
		if _, twice := params[name]; twice {
			return nil, name + " is there twice"
		}
		var content strings.Builder
		for {
			if rest == "" {
				return nil, "a quoted string has no end"
			}
			c := rest[0]
			if rest = rest[1:]; c == '"' {
				break
			}
			if c == '\\' {
				if rest == "" {
					return nil, "a quoted pair has no end"
				}
				c, rest = rest[0], rest[1:]
			}
			if c < ' ' || c > '~' {
				return nil, "a quoted string holds what no field value may hold"
			}
			content.WriteByte(c)
		}
		if params[name] = content.String(); rest == "" {
			return params, ""
		}
		if rest, ok = strings.CutPrefix(rest, ", "); !ok {
			return nil, "parameters are not separated: " + rest
		}
	}
}

func TestParseChallenge(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		value string
		want  map[string]string
	}{
		{`Bearer realm="r"`, map[string]string{"realm": "r"}},
		{`Bearer realm="", scope="a b"`, map[string]string{"realm": "", "scope": "a b"}},
		{`Bearer realm="a\"\\b, c=\"d"`, map[string]string{"realm": `a"\b, c="d`}},
		{``, nil},
		{`Bearer`, nil},
		{`Bearer `, nil},
		{`Basic realm="r"`, nil},
		{`Bearer abc==`, nil},
		{`Bearer realm=r`, nil},
		{`Bearer realm = "r"`, nil},
		{`Bearer ="r"`, nil},
		{`Bearer realm="r`, nil},
		{`Bearer realm="r\`, nil},
		{`Bearer realm="r",`, nil},
		{`Bearer realm="r", `, nil},
		{`Bearer realm="r" scope="a"`, nil},
		{`Bearer realm="r",scope="a"`, nil},
		{`Bearer realm="r", REALM="r"`, nil},
		{`Bearer realm="r", Basic realm="r"`, nil},
		{"Bearer realm=\"r\n\"", nil},
		{"Bearer realm=\"r\x00\"", nil},
		{"Bearer realm=\"\u00e9\"", nil},
		{"Bearer realm=\"r\"\r\n", nil},
	} {
		params, fault := parseChallenge(test.value)
		if (fault == "") != (test.want != nil) || !maps.Equal(params, test.want) {
			t.Errorf("%q: got %q, %q, want %q", test.value, params, fault, test.want)
		}
	}
}

// TestQuotedString makes sure that a quoted string holds printable ASCII alone.
func TestQuotedString(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":           `""`,
		" a~":        `" a~"`,
		"\x1f\x7f":   `"%1F%7F"`,
		"\r\n":       `"%0D%0A"`,
		"\u00fc":     `"%C3%BC"`,
		`"\`:         `"\"\\"`,
		"a, b=\"c\"": `"a, b=\"c\""`,
	} {
		if got := quotedString(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// realmOf is how a challenge shows an audience: in ASCII, as in a URI.
func realmOf(audience string) (realm string) {
	for _, c := range []byte(audience) {
		if c > '~' {
			realm += fmt.Sprintf("%%%02X", c)
		} else {
			realm += string(rune(c))
		}
	}
	return realm
}

// errorsOf are the errors of challenges. A reason that is absent has no challenge.
var errorsOf = map[Reason]string{
	ReasonTokenMissing: "", ReasonSchemeUnsupported: "", ReasonModelMismatch: "", ReasonOrganizationMismatch: "", ReasonSubjectMismatch: "", ReasonCallerNotAllowed: "",
	ReasonTokenMalformed: "invalid_token", ReasonTokenInvalid: "invalid_token", ReasonTokenExpired: "invalid_token",
	ReasonTokenNotYetValid: "invalid_token", ReasonAudienceMismatch: "invalid_token",
	ReasonScopeInsufficient: "insufficient_scope",
}

// FuzzChallenge makes sure that the challenge and the ErrorInfo of a refusal hold the audience and the
// scopes of the rule. An audience or a scope that would break the challenge is escaped or a fault.
func FuzzChallenge(f *testing.F) {
	// Scopes are separated by line breaks.
	split := func(scopes string) []string {
		if scopes == "" {
			return nil
		}
		return strings.Split(scopes, "\n")
	}
	legal := func(audience, all, any string) bool {
		scopes := slices.Concat(split(all), split(any))
		unique := slices.Compact(slices.Sorted(slices.Values(scopes)))
		return utf8.ValidString(audience) && legalAudience.MatchString(audience) && !strings.HasPrefix(strings.ToLower(audience), "urn:logto:") &&
			len(scopes) > 0 && len(unique) == len(scopes) && !slices.ContainsFunc(scopes, func(s string) bool { return !scopeToken.MatchString(s) })
	}
	accepted, refused := 0, 0
	seed := func(audience, all, any string) {
		if legal(audience, all, any) {
			accepted++
		} else {
			refused++
		}
		f.Add(audience, all, any)
	}
	for _, scopes := range [][2]string{
		{"read:a", ""}, {"", "read:a"}, {"read:a\nwrite:b", ""}, {"read:a", "sell\nbuy"}, {"", "sell\nbuy\ngive"},
		{"a,b", "c=d"}, {"realm=x,error=invalid_token", ""}, {"https://api.example.test/a?b=c&d=%20#e", "{}|~!'()*"},
		{"", ""}, {"a\na", ""}, {"a", "a"}, {"a\n", ""}, {"\n", ""}, {" a", ""}, {"a b", ""}, {"", "a\tb"}, {`a"`, ""}, {`a", error="x`, ""},
		{`\`, ""}, {"", `a\`}, {"a\r", ""}, {"a\x00", ""}, {"a\x7f", ""}, {"a", "\u00e9"}, {"\xff", ""}, {"a\u00a0b", ""}, {"a\u2028", ""},
	} {
		seed(testAPI, scopes[0], scopes[1])
	}
	for _, audience := range []string{
		`"`, `\`, `a"b`, `a\"b`, `a\\`, `a",error="x`, `a"\`, "https://api.example.test/?a=b&c=%22", "\u00e9", "e\u0301", "\u30c1", "\U0001f512", "\u00a0", "\u0085", "\u2028", "\xff", "%",
		"", " ", "a b", "a\n", "a\r\nSet-Cookie:x", "\x00", "a\x7f", "urn:logto:organization:a",
	} {
		seed(audience, "read:a", "")
	}
	if accepted < 20 || refused < 20 {
		f.Fatalf("%d accepted and %d refused seeds: too few", accepted, refused)
	}
	f.Fuzz(func(t *testing.T, audience, all, any string) {
		rule, err := compileOne(t, audience, split(all), split(any))
		if (err == nil) != legal(audience, all, any) {
			t.Fatalf("audience %q, scopes %q, %q: %v", audience, all, any, err)
		}
		if err != nil {
			return
		}
		for _, known := range meanings {
			reason := known.reason
			denial := &Denial{reason: reason, scopes: rule.Scopes, anyScopes: rule.AnyScopes}
			if reason == ReasonScopeInsufficient && utf8.ValidString(audience) { // as it comes about
				claims, _ := claimed(logto, "sub", `"alice"`, "aud", string(must(json.Marshal(audience))))
				if _, denial = decide(&rule.Way, claims); denial == nil {
					t.Fatalf("%v lets in a token without scopes", rule)
				}
			}
			denial = (&Call{rule: rule}).inRealm(denial)
			checkRefusal(t, denial, audience, split(all), split(any))
			if reason == ReasonTokenMalformed || reason == ReasonSchemeUnsupported {
				denial.severalCredentials = true
				checkRefusal(t, denial, audience, split(all), split(any))
			}
		}
	})
}

// legalAudience has letters, marks, numbers, punctuation and symbols.
var legalAudience = regexp.MustCompile(`\A[\pL\pM\pN\pP\pS]+\z`)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// checkRefusal makes sure of the answer that a denial is over every protocol.
func checkRefusal(t testing.TB, denial *Denial, audience string, all, any []string) {
	t.Helper()
	for _, protocol := range []string{connect.ProtocolConnect, connect.ProtocolGRPC, connect.ProtocolGRPCWeb} {
		for _, kind := range []connect.StreamType{connect.StreamTypeUnary, connect.StreamTypeClient, connect.StreamTypeServer, connect.StreamTypeBidi} {
			err := connectError(denial, nil, connect.Spec{StreamType: kind}, connect.Peer{Protocol: protocol})
			values := slices.Clone(err.Meta()["Www-Authenticate"])
			if told := checkInfo(t, err, denial.reason, all, any); told != "" {
				checkChallenge(t, told, denial, audience, slices.Concat(all, any))
				if protocol == connect.ProtocolConnect && kind == connect.StreamTypeUnary {
					if len(values) != 1 || values[0] != told {
						t.Errorf("%s: the header is %q, the detail tells %q", denial.reason, values, told)
					}
					continue
				}
			} else if _, ok := errorsOf[denial.reason]; ok {
				t.Errorf("%s: %s, %v call tells no challenge", denial.reason, protocol, kind)
			}
			if len(values) > 0 {
				t.Errorf("%s: %s, %v call carries %q", denial.reason, protocol, kind, values)
			}
		}
	}
}

// checkChallenge makes sure that a challenge holds the audience, the error of the reason, and the scopes
// if a scope is missing.
func checkChallenge(t testing.TB, challenge string, denial *Denial, audience string, scopes []string) {
	t.Helper()
	want := map[string]string{"realm": realmOf(audience)}
	code, ok := errorsOf[denial.reason]
	if denial.severalCredentials {
		code = "invalid_request"
	}
	if code != "" {
		want["error"] = code
	}
	if denial.reason != ReasonScopeInsufficient {
		scopes = nil
	}
	params, fault := parseChallenge(challenge)
	if got := takeScopes(params, "scope"); !ok || fault != "" || !slices.Equal(got, scopes) || !maps.Equal(params, want) {
		t.Errorf("%s: %s: got scopes %q, %q, %s, want %q, %q", denial.reason, challenge, got, params, fault, scopes, want)
	}
}

// checkInfo makes sure that an error has one detail, with the reason, and with the scopes if a scope is
// missing. It returns the challenge of the detail.
func checkInfo(t testing.TB, err *connect.Error, reason Reason, all, any []string) (challenge string) {
	t.Helper()
	want := (&Denial{reason: reason}).meaning()
	if want.reason != reason || err.Message() != want.text || err.Code() != want.code || len(err.Details()) != 1 {
		t.Fatalf("%s: got %v with %d details", reason, err, len(err.Details()))
	}
	value, valueErr := err.Details()[0].Value()
	info, ok := value.(*errdetails.ErrorInfo)
	if valueErr != nil || !ok || info.GetReason() != string(reason) || info.GetDomain() != "protoauthz" {
		t.Fatalf("%s: got detail %v, %v", reason, value, valueErr)
	}
	if reason != ReasonScopeInsufficient {
		all, any = nil, nil
	}
	metadata := maps.Clone(info.GetMetadata())
	challenge = metadata["challenge"]
	delete(metadata, "challenge")
	required, alternatives := takeScopes(metadata, "required_scopes"), takeScopes(metadata, "any_scopes")
	if !slices.Equal(required, slices.Concat(all, any)) || !slices.Equal(alternatives, any) || len(metadata) > 0 {
		t.Errorf("%s: got metadata %q, want scopes %q and %q", reason, info.GetMetadata(), all, any)
	}
	return challenge
}

// takeScopes removes a list of scopes from params and returns it, or nil if params has none.
func takeScopes(params map[string]string, name string) []string {
	list, ok := params[name]
	if !ok {
		return nil
	}
	delete(params, name)
	return strings.Split(list, " ") // of which an empty one stays
}

// TestSeveralCredentials makes sure that a request with several credentials is told from a request with
// one credential of a wrong form.
func TestSeveralCredentials(t *testing.T) {
	t.Parallel()
	const cause = ": the request has more than one credential: the client must send one token, in one Authorization header; " +
		"does a proxy or a middleware add another?"
	for _, values := range [][]string{
		{"Bearer a.b.c", "Bearer a.b.c"}, {"Basic YTpi", "Bearer a.b.c"}, {"Bearer a.b.c, Bearer a.b.c"}, {"Bearer a.b.c,a.b.c"},
		{"Bearer opaque, Basic YTpi"}, {"Basic YTpi, Bearer a.b.c"}, {"basic YTpi,bearer a.b.c"}, {"Bearer a.b.c a.b.c"}, {"Bearer   a, Bearer b"}, {"Bearer opaque Bearer opaque"}, {"DPoP a.b.c, Bearer a.b.c"}, {"Basic a,b Bearer c"},
		{"Bearer opaque, opaque"}, {"Bearer " + strings.Repeat("a", maxJoined-len("Bearer , Bearer b")) + ", Bearer b"}, {"Basic YTpi Bearer a"}, {"Basic YTpi, Basic YTpi"}, {`Digest realm="x", Bearer y`}, {"Bearer a;Bearer b"}, {"Bearer a Bearer\tb"}, {"Bearer a.b.c; Bearer a.b.c"},
	} {
		_, err := token.Bearer(values)
		denial := denyCredentials(values, err)
		if got := denial.Unwrap(); !errors.Is(got, err) || got.Error() != err.Error()+cause {
			t.Errorf("%q: %v", values, got)
		}
	}
	for _, values := range [][]string{
		nil, {"Bearer a b"}, {"Bearer a.b.c,"}, {"Bearer a;b"}, {"Bearer a b.c.d"}, {"Foo a b c"}, {"Foo a.b.c d.e.f"}, {"Bearer " + strings.Repeat("a", maxJoined-len("Bearer , Bearer b")+1) + ", Bearer b"}, {`Bearer token="a.b.c"`}, {"Basic YTpi"}, {`Digest username="a", realm="b"`}, {`Digest realm="x, Bearer y"`}, {`Digest realm="x" , nonce="y"`}, {`Digest realm="x" , nonce="y" , qop="auth"`}, {"Foo a, b, c"},
		{"Bearer Bearer a.b.c"}, {"Bearer "}, {""}, {`Bearer {"a":"b", "c":"d"}`},
	} {
		_, err := token.Bearer(values)
		if got := denyCredentials(values, err).Unwrap(); !errors.Is(got, err) || !strings.HasPrefix(got.Error(), err.Error()) || strings.HasSuffix(got.Error(), cause) {
			t.Errorf("%q: %v", values, got)
		}
	}
}

// TestSeveralIsCheap makes sure that a hostile header is read once, without a copy.
func TestSeveralIsCheap(t *testing.T) { //nolint:paralleltest // testing.AllocsPerRun must be alone
	for _, header := range []string{
		"Foo " + strings.Repeat(",", 16<<10), "Bearer a" + strings.Repeat(" a", 16<<10), "Bearer " + strings.Repeat(`"`, 16<<10),
		"Basic a" + strings.Repeat(",", 16<<10) + "b", "Bearer a" + strings.Repeat(";.", 16<<10), "Bearer " + strings.Repeat("a", 32<<10) + " b",
	} {
		values := []string{header}
		if allocations := testing.AllocsPerRun(10, func() { severalCredentials(values) }); allocations > 0 {
			t.Errorf("%.10q…: %v allocations", header, allocations)
		}
	}
}
