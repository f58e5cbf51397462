package troubleshooting_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/devissuer"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A callSituation is a refused call, of a row of docs/troubleshooting.md.
type callSituation struct {
	reason interceptor.Reason // the row's section
	name   string             // the row's first cell
	called string             // a service of the tests, or a whole procedure
	setup  func(*testing.T) situation
}

// A situation is what a newcomer meets: a server, and what a client sends.
type situation struct {
	verifier interceptor.Verifier
	table    *policy.Table // nil: the rules of the tests' services
	options  []interceptor.Option
	handlers handlers

	header http.Header
	method catalogue.Method // zero: catalogue.Unary
	named  []string         // the organization of each message; nil: none in a message
	owner  string           // whom the document of a unary call names
}

// carrying is the header of a request with a token.
func carrying(raw string) http.Header { return http.Header{"Authorization": {"Bearer " + raw}} }

// listening returns an issuer that listens, and whose tokens name a URL: the address of the listener, unless another
// one is given.
func listening(t *testing.T, start func(*httptest.Server), named string) (server *httptest.Server, issuer *devissuer.Issuer) {
	t.Helper()
	server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { issuer.ServeHTTP(w, r) }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // the client ends a handshake
	start(server)
	t.Cleanup(server.Close)
	if named == "" {
		named = server.URL
	}
	issuer = issuing(t, named)
	return server, issuer
}

// withoutKeyLog keeps the log about keys, which no call waits for, out of the log of calls.
var withoutKeyLog = token.WithLogger(slog.New(slog.DiscardHandler))

// keysAt returns the situation of an issuer that has signed a token, for a verifier of an endpoint.
func keysAt(t *testing.T, endpoint string, issuer *devissuer.Issuer, options ...token.Option) situation {
	t.Helper()
	verifier, err := token.NewVerifier(token.Logto(endpoint), append(options, withoutKeyLog)...)
	if err != nil {
		t.Fatal(err)
	}
	return situation{verifier: verifier, header: carrying(issuer.Token(t, global("read:a")))}
}

// sendingClaims returns the situation of a good issuer and a client that sends another token than a good one.
func sendingClaims(claims claims, options ...devissuer.MintOption) func(*testing.T) situation {
	return func(t *testing.T) situation {
		server, issuer := listening(t, (*httptest.Server).Start, "")
		in := keysAt(t, server.URL, issuer)
		in.header = carrying(issuer.Token(t, claims, options...))
		return in
	}
}

// clockAhead returns the situation of an issuer whose clock is ahead.
func clockAhead(ahead, lifetime time.Duration) func(*testing.T) situation {
	return func(t *testing.T) situation {
		issuer, verifier := trusting(t)
		if err := verifier.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		issued := time.Now().Add(ahead) // the bubble's clock
		raw := issuer.Token(t, with(with(global("read:a"), "iat", issued.Unix()), "exp", issued.Add(lifetime).Unix()))
		return situation{verifier: verifier, header: carrying(raw)}
	}
}

// issuing returns an issuer whose tokens name a URL.
func issuing(t *testing.T, named string) *devissuer.Issuer {
	t.Helper()
	issuer, err := devissuer.New(named+"/oidc", devissuer.Config{SigningAlgorithm: "ES256"})
	if err != nil {
		t.Fatal(err)
	}
	return issuer
}

// sendingCredentials returns the situation of a good issuer and a client that sends other credentials than its token.
func sendingCredentials(credentials func(raw string) []string) func(*testing.T) situation {
	return func(t *testing.T) situation {
		in := sendingClaims(global("read:a"))(t)
		in.header["Authorization"] = credentials(in.header.Get("Authorization"))
		return in
	}
}

// calling returns the situation with another call.
func (in situation) calling(method catalogue.Method, header http.Header, named ...string) situation {
	merge(in.header, header)
	in.method, in.named = method, named
	return in
}

// inOrganization returns the situation of a good token for acme and a client that names other organizations.
func inOrganization(method catalogue.Method, header http.Header, named ...string) func(*testing.T) situation {
	return func(t *testing.T) situation {
		return sendingClaims(resource("acme", "read:data"))(t).calling(method, header, named...)
	}
}

// failing returns the situation of a verifier of the server's own.
func failing(verify harness.VerifierFunc, options ...interceptor.Option) func(*testing.T) situation {
	return func(*testing.T) situation {
		return situation{verifier: verify, header: carrying("any"), options: options}
	}
}

// opaque returns the situation of an issuer that answers requests about opaque tokens.
func opaque(status int, answer string) func(*testing.T) situation {
	return func(t *testing.T) situation {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, answer)
		}))
		t.Cleanup(server.Close)
		issuer := token.Logto(server.URL)
		issuer.IntrospectionURL = server.URL + "/introspect"
		settings := token.Introspection{Client: token.ClientSecretBasic("api", "secret"), Limit: 1}
		introspector, err := token.NewIntrospector(issuer, settings)
		if err != nil {
			t.Fatal(err)
		}
		return situation{verifier: introspector, header: carrying("nF3xYk2Qm8sT")}
	}
}

// tokenSituations are refusals for the token alone.
var tokenSituations = []callSituation{
	{"TOKEN_MISSING", "the client sends no token", "Read", sendingCredentials(func(string) []string { return nil })},
	{"SCHEME_UNSUPPORTED", "the client sends the token without the word Bearer", "Read", sendingCredentials(func(good string) []string { return []string{good[len("Bearer "):]} })},
	{"SCHEME_UNSUPPORTED", "the client sends a user and a password", "Read", sendingCredentials(func(string) []string { return []string{"Basic dXNlcjpwYXNz"} })},
	{"TOKEN_MALFORMED", "the issuer has issued an opaque token", "Read", sendingCredentials(func(string) []string { return []string{"Bearer nF3xYk2Qm8sT"} })},
	{"TOKEN_MALFORMED", "the variable with the token is empty", "Read", sendingCredentials(func(string) []string { return []string{"Bearer "} })},
	{"TOKEN_MALFORMED", "the client sends quotes around the token", "Read", sendingCredentials(func(good string) []string { return []string{`Bearer "` + good[len("Bearer "):] + `"`} })},
	{"TOKEN_MALFORMED", "the client and a middleware both send a token", "Read", sendingCredentials(func(good string) []string { return []string{good, good} })},
	{"TOKEN_MALFORMED", "the token is cut off", "Read", sendingCredentials(func(good string) []string { return []string{good[:len(good)/2]} })},
	{"TOKEN_MALFORMED", "the token is longer than 16 KiB", "Read", sendingClaims(with(global("read:a"), "groups", strings.Repeat("group ", 3<<10)))},

	{"TOKEN_INVALID", "an ID token", "Read", sendingClaims(claims{"aud": "web", "sub": "user"}, devissuer.WithHeader("typ", "JWT"))},
	{"TOKEN_INVALID", "an ID token without typ", "Read", sendingClaims(claims{"aud": "web", "sub": "user"}, devissuer.WithHeader("typ", nil))},
	{"TOKEN_INVALID", "an ID token among access tokens of typ JWT", "Read", func(t *testing.T) situation {
		server, issuer := listening(t, (*httptest.Server).Start, "")
		as := token.Logto(server.URL)
		as.Types = []string{"JWT"}
		verifier, err := token.NewVerifier(as)
		if err != nil {
			t.Fatal(err)
		}
		return situation{verifier: verifier, header: carrying(issuer.Token(t, claims{"aud": "web", "sub": "user", "nonce": "n"}, devissuer.WithHeader("typ", "JWT")))}
	}},
	{"TOKEN_INVALID", "compose: the token has the name for browsers", "Read", func(t *testing.T) situation {
		inside := token.Logto("http://logto:8080")
		inside.InsecureHTTPHosts = []string{"logto"}
		verifier, err := token.NewVerifier(inside)
		if err != nil {
			t.Fatal(err)
		}
		return situation{verifier: verifier, header: carrying(issuing(t, "http://localhost:8080").Token(t, global("read:a")))}
	}},
	{"TOKEN_INVALID", "a token of another environment, or of an issuer that has restarted", "Read", func(t *testing.T) situation {
		server, _ := listening(t, (*httptest.Server).Start, "")
		return keysAt(t, server.URL, issuing(t, server.URL))
	}},
	{"TOKEN_INVALID", "the token was changed, or its end is cut off", "Read", sendingCredentials(func(good string) []string { return []string{good[:len(good)-8] + "AAAAAAAA"} })},
	{"TOKEN_INVALID", "the issuer signs with another algorithm", "Read", func(t *testing.T) situation {
		server, issuer := listening(t, (*httptest.Server).Start, "")
		verifier, err := token.NewVerifier(token.Issuer{URL: server.URL + "/oidc", Algorithms: []string{"RS256"}})
		if err != nil {
			t.Fatal(err)
		}
		return situation{verifier: verifier, header: carrying(issuer.Token(t, global("read:a")))}
	}},
	{"TOKEN_INVALID", "the issuer in authz.json has another port", "Read", func(t *testing.T) situation {
		server, issuer := listening(t, (*httptest.Server).Start, "http://127.0.0.1:3002")
		return keysAt(t, server.URL, issuer)
	}},
	{"TOKEN_INVALID", "a token without exp", "Read", sendingClaims(with(global("read:a"), "exp", nil))},
	{"TOKEN_INVALID", "a token that DPoP or mTLS binds to a key", "Read", sendingClaims(with(global("read:a"), "cnf", claims{"jkt": "0"}))},
	{"TOKEN_INVALID", "an opaque token that was withdrawn", "Read", opaque(http.StatusOK, `{"active": false}`)},

	{"TOKEN_EXPIRED", "an old token, or an issuer whose clock is late", "Read", clockAhead(-10*time.Minute, 5*time.Minute)},
	{"TOKEN_EXPIRED", "a stream outlives its token", "Read", func(t *testing.T) situation {
		in := clockAhead(0, time.Minute)(t)
		in.handlers.server = func(ctx context.Context, _ *connect.Request[message], _ *connect.ServerStream[answer]) error {
			<-ctx.Done()
			return ctx.Err()
		}
		return in.calling(catalogue.Server, nil, "")
	}},
	{"TOKEN_NOT_YET_VALID", "an issuer whose clock is ahead", "Read", clockAhead(10*time.Minute, time.Hour)},

	{"VERIFIER_UNAVAILABLE", "the issuer does not answer about an opaque token", "Read", opaque(http.StatusServiceUnavailable, "")},
	{"VERIFIER_UNAVAILABLE", "a database of API keys is away", "Read", failing(func(context.Context, string) (*token.Claims, error) {
		return nil, fmt.Errorf("%w: the database of API keys: connection refused", token.ErrVerifierUnavailable)
	})},
	{"VERIFIER_BUSY", "more opaque tokens than the issuer may be asked for", "Read", func(t *testing.T) situation {
		in := opaque(http.StatusOK, `{"active": false}`)(t)
		_, _ = in.verifier.Verify(t.Context(), "another")
		return in
	}},
	{"GUARD_FAILED", "the verifier panics", "Read", failing(func(context.Context, string) (*token.Claims, error) { panic("no database") })},
	{"GUARD_FAILED", "the verifier returns an error of its own", "Read", failing(func(context.Context, string) (*token.Claims, error) { return nil, errors.New("no such key") })},
	{"GUARD_FAILED", "an observer panics", "Read", func(t *testing.T) situation {
		in := sendingClaims(global("read:a"))(t)
		in.options = []interceptor.Option{interceptor.WithDefaultLog(), interceptor.WithObserver(func(context.Context, interceptor.Event) { panic("no counter") })}
		return in
	}},
}

// ruleSituations are refusals of good tokens.
var ruleSituations = []callSituation{
	{"AUDIENCE_MISMATCH", "the token is for another API", "Read", sendingClaims(claims{"aud": "https://other.example.test", "scope": "read:a"})},
	{"AUDIENCE_MISMATCH", "the token is for no organization", "Member", sendingClaims(claims{"aud": "https://other.example.test"})},

	{"MODEL_MISMATCH", "a token for an organization, a method for none", "Read", sendingClaims(resource("acme", "read:a"))},
	{"MODEL_MISMATCH", "an organization token, a method of the API", "Read", sendingClaims(claims{"aud": "urn:logto:organization:acme"})},
	{"MODEL_MISMATCH", "a token for no organization, a method for one", "Field", sendingClaims(claims{"aud": api, "scope": "read:data", "org_id": "acme"})},
	{"MODEL_MISMATCH", "an organization claim that is empty", "Field", sendingClaims(resource("", "read:data"))},
	{"MODEL_MISMATCH", "a token for the API, a method of an organization without an API", "Member", sendingClaims(resource("acme", "read:data"))},
	{"MODEL_MISMATCH", "a token for two organizations", "Member", sendingClaims(claims{"aud": []string{"urn:logto:organization:acme", "urn:logto:organization:globex"}})},
	{"MODEL_MISMATCH", "an audience and a claim of two organizations", "Member", sendingClaims(claims{"aud": "urn:logto:organization:acme", "organization_id": "globex"})},

	{"ORGANIZATION_MISMATCH", "the field is empty", "Field", inOrganization(catalogue.Unary, nil)},
	{"ORGANIZATION_MISMATCH", "the field names another organization", "Field", inOrganization(catalogue.Unary, nil, "globex")},
	{"ORGANIZATION_MISMATCH", "a message of a stream names another organization", "Field", inOrganization(catalogue.Bidi, nil, "acme", "globex")},
	{"ORGANIZATION_MISMATCH", "the header is absent", "Header", inOrganization(catalogue.Unary, nil)},
	{"ORGANIZATION_MISMATCH", "the header names another organization", "Header", inOrganization(catalogue.Unary, http.Header{"X-Organization-Id": {"globex"}})},
	{"ORGANIZATION_MISMATCH", "the header comes twice", "Header", inOrganization(catalogue.Unary, http.Header{"X-Organization-Id": {"acme", "acme"}})},
	{"ORGANIZATION_MISMATCH", "the client ends its stream without a message", "Field", inOrganization(catalogue.Client, nil, []string{}...)},
	{"ORGANIZATION_MISMATCH", "the handler of a stream sends first", "Field", func(t *testing.T) situation {
		in := inOrganization(catalogue.Bidi, nil, "acme")(t)
		in.handlers.bidi = func(_ context.Context, stream *connect.BidiStream[message, answer]) error {
			return stream.Send(new(answer))
		}
		return in
	}},

	{"SCOPE_INSUFFICIENT", "the token lacks a scope", "Read", sendingClaims(global("openid"))},
	{"SCOPE_INSUFFICIENT", "the token lacks each scope of a choice", "Any", sendingClaims(global("read:a"))},
	{"SCOPE_INSUFFICIENT", "the token has no scope that the server finds", "Read", sendingClaims(claims{"aud": api, "permissions": []string{"read:a"}})},

	{"CALLER_NOT_ALLOWED", "a client calls a method for users", "User", sendingClaims(claims{"aud": api, "sub": "app", "client_id": "app"})},
	{"CALLER_NOT_ALLOWED", "a user calls a method for clients", "Client", sendingClaims(claims{"aud": api, "sub": "user", "client_id": "app"})},
	{"CALLER_NOT_ALLOWED", "the token tells no user from a client", "User", sendingClaims(claims{"aud": api, "sub": "user", "client_id": nil})},

	{"RULE_MISSING", "the table lacks the file of the service", catalogue.Unruled, sendingClaims(global("read:a"))},
	{"RULE_MISSING", "the method has no annotation", orderCall, func(t *testing.T) situation {
		in := sendingClaims(global("read:a"))(t)
		in.table = unannotated(t, policy.WithUnannotatedRefused(orders))
		return in
	}},
}
