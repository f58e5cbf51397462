package interceptor_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A finished is a stream whose client sends nothing more.
type finished []proto.Message

// Receive implements [*interceptor.Stream].
func (f *finished) Receive(into any) error {
	if len(*f) == 0 {
		return io.EOF
	}
	proto.Merge(into.(proto.Message), (*f)[0]) //nolint:errcheck,forcetypeassert // the tests receive messages alone
	*f = (*f)[1:]
	return nil
}

// Send implements [*interceptor.Stream].
func (*finished) Send(any) error { return nil }

// causes are the refusals by each rule, with the text for the log.
var causes = []struct {
	row, method string // the method is one of the sample, or a whole procedure
	claims      string
	header      http.Header
	message     any // nil: the call is refused by its header
	want        string
}{
	{"C7 empty", "ListDocuments", inAcme, nil, ask(""), `the request names no organization: the field "organization_id" is empty: the client must set "organization_id" to the organization of its token`},
	{"C7 nil", "ListDocuments", inAcme, nil, (*samplev1.ListDocumentsRequest)(nil), `the request names no organization: the field "organization_id" is empty: the client must set "organization_id" to the organization of its token`},
	{"C7 another", "ListDocuments", inAcme, nil, ask(globex), `the request names another organization than the token, in the field "organization_id": the client must set "organization_id" to the organization of its token, byte for byte, or use another token`},
	{"C7 nearly the same", "ListDocuments", inAcme, nil, ask("ACME"), `the request names another organization than the token, in the field "organization_id": the client must set "organization_id" to the organization of its token, byte for byte, or use another token`},
	{"C7 pattern, empty", "GetDocument", inAcme, nil, get(""), `the request names no organization: the field "name" is empty: the client must set "name" to organizations/{organization}/documents/* with the organization of its token`},
	{"C7 pattern, another form", "GetDocument", inAcme, nil, get("documents/1"), `the request names no organization: the field "name" does not have the form organizations/{organization}/documents/* (or a segment is empty, . or ..): the client must set "name" to organizations/{organization}/documents/* with the organization of its token`},
	{"C7 pattern, an empty segment", "GetDocument", inAcme, nil, get("organizations//documents/1"), `the request names no organization: the field "name" does not have the form organizations/{organization}/documents/* (or a segment is empty, . or ..): the client must set "name" to organizations/{organization}/documents/* with the organization of its token`},
	{"C7 pattern, a step of a path", "GetDocument", inAcme, nil, get("organizations/acme/documents/.."), `the request names no organization: the field "name" does not have the form organizations/{organization}/documents/* (or a segment is empty, . or ..): the client must set "name" to organizations/{organization}/documents/* with the organization of its token`},
	{"C7 pattern, another", "GetDocument", inAcme, nil, get("organizations/globex/documents/1"), `the request names another organization than the token, in the field "name": the client must set "name" to organizations/{organization}/documents/* with the organization of its token, byte for byte, or use another token`},
	{"C7 no elements", "BatchGetDocuments", inAcme, nil, batch(), `the request names no organization: the field "requests" has no elements: the client must set "requests.organization_id", in every element, to the organization of its token`},
	{"C7 an empty element", "BatchGetDocuments", inAcme, nil, batch(acme, ""), `the request names no organization: the field "requests[1].organization_id" is empty: the client must set "requests.organization_id", in every element, to the organization of its token`},
	{"C7 another element", "BatchGetDocuments", inAcme, nil, batch(acme, acme, globex), `the request names another organization than the token, in the field "requests[2].organization_id": the client must set "requests.organization_id", in every element, to the organization of its token, byte for byte, or use another token`},
	{"C7 a message that is not set", "/test.v1.Nested/Unary", inAcme, nil, naming(acme), `the request names no organization: the field "document" is not set: the client must set "document.name" to the organization of its token`},
	{"C7 a message in the message", "/test.v1.Nested/Unary", inAcme, nil, &message{Document: new(document)}, `the request names no organization: the field "document.name" is empty: the client must set "document.name" to the organization of its token`},
	{"C7 another type", "ListDocuments", inAcme, nil, get("acme"), `the message has no field "organization_id" as the rule knows it: compile the rules from the version of the .proto file that the server is built from`},
	{"C7 no message of Protobuf", "ListDocuments", inAcme, nil, acme, `the message is not a proto.Message, so its fields cannot be read: the server's code must give the guard messages of Protobuf`},

	{"C7 no header", "UpdateSettings", inAcme, nil, nil, `the request names no organization: the header x-organization-id is absent: the client must send it once, with the organization of its token`},
	{"C7 empty header", "UpdateSettings", inAcme, named(""), nil, `the request names no organization: the header x-organization-id is empty: the client must send it once, with the organization of its token`},
	{"C7 two headers", "UpdateSettings", inAcme, named(acme, acme), nil, `the request does not name one organization: the header x-organization-id has more than one value: the client must send it once, with the organization of its token`},
	{"C7 joined headers", "UpdateSettings", inAcme, named("acme, acme"), nil, `the request does not name the organization of the token alone: the header x-organization-id holds a comma, perhaps of a proxy that has joined two of them: the client must send it once, with the organization of its token`},
	{"C7 another in the header", "UpdateSettings", inAcme, named(globex), nil, `the request names another organization than the token, in the header x-organization-id: the client must send it once, with the organization of its token, byte for byte, or use another token`},

	{"C8 one", "/test.v1.Read/Unary", `"aud": "` + api + `"`, nil, nil, `the token lacks the scope read:a: the client must request it from the issuer; if the issuer does not grant that, add it to a role of the caller at the issuer; the token has no scope at all, in none of the claims ["scope"]: if the issuer writes scopes into another claim, the server must name that claim in token.Issuer.ScopeClaims`},
	{"C8 one of two", "/test.v1.Global/Unary", `"aud": "` + api + `", "scope": "read:a other"`, nil, nil, `the token lacks the scope write:b: the client must request it from the issuer; if the issuer does not grant that, add it to a role of the caller at the issuer`},
	{"C8 two", "/test.v1.Global/Unary", `"aud": "` + api + `", "scope": "other"`, nil, nil, `the token lacks the scopes read:a write:b: the client must request them from the issuer; if the issuer does not grant that, add it to a role of the caller at the issuer`},
	{"C8 any", "/test.v1.Any/Unary", `"aud": "` + api + `", "scope": "read:a other"`, nil, nil, `the token lacks each of the scopes sell buy, of which one is enough: the client must request one of them from the issuer; if the issuer does not grant that, add it to a role of the caller at the issuer`},
	{"C8 all beside any", "/test.v1.Any/Unary", `"aud": "` + api + `", "scope": "buy"`, nil, nil, `the token lacks the scope read:a: the client must request it from the issuer; if the issuer does not grant that, add it to a role of the caller at the issuer`},
	{"C8 all and any", "/test.v1.Any/Unary", `"aud": "` + api + `"`, nil, nil, `the token lacks the scope read:a and each of the scopes sell buy, of which one is enough: the client must request read:a and one of sell buy from the issuer; if the issuer does not grant that, add it to a role of the caller at the issuer; the token has no scope at all, in none of the claims ["scope"]: if the issuer writes scopes into another claim, the server must name that claim in token.Issuer.ScopeClaims`},

	{"audience", "/test.v1.Read/Unary", `"aud": "https://other.example.test"`, nil, nil, `the token is for another API, or for none: its aud does not hold the audience of the rule, "` + api + `", byte for byte: the client must request a token for that API, as its resource or audience, or the server must name its API right in policy.WithAudience, or by audience in authz.json`},
	{"organization token for an API", "/test.v1.Read/Unary", `"aud": "urn:logto:organization:acme"`, nil, nil, `the token is an organization token (its aud names an organization), and the method is for the API "` + api + `": the client must request a token for that API, as its resource or audience`},
	{"organization's token for all", "/test.v1.Read/Unary", inAcme, nil, nil, `the token has an organization claim, and the method is for no organization: the client must request a token without an organization`},
	{"no organization", "/test.v1.Field/Unary", `"aud": "` + api + `"`, nil, nil, `the token has no organization claim (organization_id), and the method is for an organization: the client must request a token for an organization; if the issuer writes the organization into another claim, the server must name that claim in token.Issuer.OrganizationClaim`},
	{"empty organization", "/test.v1.Field/Unary", `"aud": "` + api + `", "organization_id": ""`, nil, nil, `the organization claim of the token is empty, or names several organizations: the issuer must write one organization there, or the client must request a token for one`},
	{"API token for an organization", "/test.v1.Member/Unary", inAcme, nil, nil, `the token is for the API "` + api + `", and the method is for an organization without an API: the client must request an organization token, for one organization and without an API (resource)`},
	{"two organizations", "/test.v1.Member/Unary", `"aud": ["urn:logto:organization:acme", "urn:logto:organization:globex"]`, nil, nil, `the aud of the token names more than one organization, or an API beside it: the client must request an organization token, for one organization and without an API (resource)`},
	{"two organizations, in two claims", "/test.v1.Member/Unary", `"aud": "urn:logto:organization:acme", "organization_id": "globex"`, nil, nil, `the aud and the organization claim of the token do not name the same organization: the issuer must write the same organization into both`},
	{"neither API nor organization", "/test.v1.Member/Unary", `"aud": "other"`, nil, nil, `the aud of the token names no organization, and the method is for one: the client must request an organization token, for one organization and without an API (resource)`},
	{"a client", "/test.v1.User/Unary", `"aud": "` + api + `", "client_id": "user"`, nil, nil, `the method is for users only, and the token is a client's own: the client must use the token of a user who has signed in`},
	{"a user", "/test.v1.Client/Unary", `"aud": "` + api + `", "client_id": "app"`, nil, nil, `the method is for clients only, and the token is a user's: the client must use a token of its own (client credentials)`},
	{"neither user nor client", "/test.v1.User/Unary", `"aud": "` + api + `"`, nil, nil, `the method is for users only, and the token does not tell a user from a client: the server must set ClientTokens or UserTokens of its token.Issuer, or the rule must have CALLER_ANY`},

	{"C14 no rule", "/test.v1.Unruled/Unary", inAcme, nil, nil, `no rule was compiled for the procedure "/test.v1.Unruled/Unary": give policy.Compile the .proto file of its service, or make the service public with policy.WithPublic, or by public in authz.json; if the server does not have this procedure, the client must call another`},
	{"C14 no rule, text that breaks lines", "/a\nrefused=no\x1b[2J\u202e\xff/b", inAcme, nil, nil, `no rule was compiled for the procedure "/a\nrefused=no\x1b[2J\u202e\xff/b": give policy.Compile the .proto file of its service, or make the service public with policy.WithPublic, or by public in authz.json; if the server does not have this procedure, the client must call another`},
	{"C14 no rule, text without end", "/" + strings.Repeat("x", 20<<10), inAcme, nil, nil, `no rule was compiled for the procedure "/` + strings.Repeat("x", 199) + `": give policy.Compile the .proto file of its service, or make the service public with policy.WithPublic, or by public in authz.json; if the server does not have this procedure, the client must call another`},
}

const inAcme = `"aud": "` + api + `", "organization_id": "acme", "scope": "read:data write:settings"`

func ask(organization string) proto.Message {
	return &samplev1.ListDocumentsRequest{OrganizationId: organization}
}

func get(name string) proto.Message { return &samplev1.GetDocumentRequest{Name: name} }

func batch(organizations ...string) proto.Message {
	message := new(samplev1.BatchGetDocumentsRequest)
	for _, organization := range organizations {
		message.Requests = append(message.Requests, &samplev1.BatchGetDocumentsRequest_Request{OrganizationId: organization})
	}
	return message
}

func named(organizations ...string) http.Header {
	return http.Header{"X-Organization-Id": organizations}
}

// TestOutsideCauses makes sure that the text for the log names the cause and the remedy of each refusal,
// and holds nothing of the request or of the token.
func TestOutsideCauses(t *testing.T) {
	t.Parallel()
	documents, err := policy.Compile(policy.Files{samplev1.File_sample_v1_document_proto}, policy.WithAudience(api))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range causes {
		t.Run(test.row, func(t *testing.T) {
			t.Parallel()
			table, called := rules(t), test.method
			if !strings.HasPrefix(called, "/") {
				table, called = documents, "/sample.v1.DocumentService/"+called
			}
			var logged []string
			guard := interceptor.New(unverified(`{"sub": "user", "exp": 4102444800, `+test.claims+`}`), table,
				interceptor.WithObserver(func(_ context.Context, event interceptor.Event) {
					logged = append(logged, event.Denial.Unwrap().Error())
				}))
			header := http.Header{"Authorization": {"Bearer any"}}
			merge(header, test.header)
			call, denial := guard.Admit(t.Context(), called, header)
			if (denial == nil) != (test.message != nil) {
				t.Fatalf("the header is refused: %v", denial)
			}
			if test.message != nil {
				denial = call.Judge(test.message)
			}
			if denial == nil || len(logged) != 1 || logged[0] != test.want || denial.Unwrap().Error() != test.want {
				t.Errorf("%v, logged\n     %q\nwant %q", denial, logged, test.want)
			}
			if test.row[:2] == "C7" && (denial.Reason() != organization.reason || denial.Error() != organization.text) {
				t.Errorf("the client reads %q", denial)
			}
		})
	}
}

// TestOutsideStreamCauses is TestOutsideCauses for refusals of streams alone.
func TestOutsideStreamCauses(t *testing.T) {
	t.Parallel()
	receive := func(_ context.Context, stream *interceptor.Stream) error { return stream.Receive(new(message)) }
	twice := func(ctx context.Context, stream *interceptor.Stream) error {
		return errors.Join(receive(ctx, stream), receive(ctx, stream))
	}
	for name, test := range map[string]struct {
		messages finished
		handler  func(context.Context, *interceptor.Stream) error
		want     string
	}{
		"C7 no message":      {nil, receive, `the request names no organization: the stream ended without a message: the client must send a message that sets the field "organization_id"`},
		"C7 an empty field":  {finished{naming("")}, receive, `the request names no organization: the field "organization_id" is empty: the client must set "organization_id" to the organization of its token`},
		"C7 another, second": {finished{naming(acme), naming(globex)}, twice, `the request names another organization than the token, in the field "organization_id": the client must set "organization_id" to the organization of its token, byte for byte, or use another token`},
		"C7 sent first": {finished{naming(acme)}, func(_ context.Context, stream *interceptor.Stream) error { return stream.Send(text(acme)) },
			`the handler sends before it has received a message that names the organization, in the field "organization_id": the handler must receive such a message first`},
		"C7 returned first": {finished{naming(acme)}, func(context.Context, *interceptor.Stream) error { return nil },
			`the handler has returned before it received a message that names the organization, in the field "organization_id": the handler must receive such a message first`},
	} {
		for _, options := range [][]interceptor.Option{nil, {interceptor.WithoutStreamExpiry()}} {
			guard := interceptor.New(unverified(`{"sub": "user", "exp": 4102444800, `+inAcme+`}`), rules(t), options...)
			call, denial := guard.Admit(t.Context(), procedure("Field", connect.StreamTypeBidi), http.Header{"Authorization": {"Bearer any"}})
			if denial != nil {
				t.Fatal(denial)
			}
			messages := test.messages
			err := call.Serve(interceptor.Transport{
				Receive: messages.Receive, Send: messages.Send, Refuse: func(denial *interceptor.Denial) error { return denial },
			}, test.handler)
			denial, ok := errors.AsType[*interceptor.Denial](err)
			if !ok || denial.Error() != organization.text || denial.Unwrap().Error() != test.want {
				t.Errorf("%s: %v, logged\n     %q\nwant %q", name, err, denial.Unwrap(), test.want)
			}
		}
	}
}

// TestMissingScopes makes sure that a cause holds scopes of the rule and none of the token, however the
// cause is printed.
func TestMissingScopes(t *testing.T) {
	t.Parallel()
	guard := interceptor.New(unverified(`{"sub": "secret", "exp": 4102444800, "aud": "`+api+`", "scope": "secret read:a"}`), rules(t))
	_, denial := guard.Admit(t.Context(), procedure("Any", connect.StreamTypeUnary), http.Header{"Authorization": {"Bearer any"}})
	for _, printed := range prints(denial) {
		if strings.Contains(printed, "secret") {
			t.Errorf("printed %q", printed)
		}
	}
	if !errors.Is(denial, denial.Unwrap()) || errors.Is(denial, token.ErrInvalid) {
		t.Errorf("the cause is %v", denial.Unwrap())
	}
}

// prints are the ways in which a careless logger prints an error and its cause.
func prints(denial *interceptor.Denial) (printed []string) {
	for _, form := range []string{"%v", "%+v", "%#v", "%q", "%s"} {
		printed = append(printed, fmt.Sprintf(form, denial), fmt.Sprintf(form, denial.Unwrap()))
	}
	return printed
}

// TestVerifiedExpired makes sure that the cause blames a verifier that returns expired claims.
func TestVerifiedExpired(t *testing.T) {
	t.Parallel()
	var told interceptor.Event
	guard := interceptor.New(unverified(`{"sub": "user", "exp": 1, "aud": "`+api+`"}`), rules(t),
		interceptor.WithObserver(func(_ context.Context, event interceptor.Event) { told = event }))
	_, denial := guard.Admit(t.Context(), procedure("Token", connect.StreamTypeUnary), http.Header{"Authorization": {"Bearer any"}})
	const want = "token has expired: the server's Verifier has returned claims whose Deadline has passed: it must return claims that are good now"
	if denial.Reason() != interceptor.ReasonTokenExpired || !errors.Is(denial, token.ErrExpired) || denial.Unwrap().Error() != want {
		t.Errorf("%v, %v", denial, denial.Unwrap())
	}
	if told.Denial == nil || told.Claims != nil {
		t.Errorf("the observer is told of %v and the claims of a refused token", told.Denial)
	}
}
