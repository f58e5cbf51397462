package imports_test

import (
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/imports"
)

// never are the packages that are linked into no program of a user's.
var never = []string{"./interceptor/internal/test/...", "./interceptor/internal/dev/..."}

// unverified are the packages for tests, which may read tokens that nobody has verified.
var unverified = append([]string{"./interceptor/guardtest"}, never...)

var rules = []imports.Rule{
	{From: "./interceptor/token", Ban: "google.golang.org/protobuf/...", Why: "a token is bytes: verifying it needs no schema"},
	{From: "./interceptor/token", Ban: "connectrpc.com/...", Why: "a token is verified the same way for every transport"},
	{From: "./interceptor/token", Ban: "./interceptor", Why: "token is a leaf: what joins it to rules stands above it"},
	{From: "./interceptor/token", Ban: "./interceptor/policy", Why: "token is a leaf: what a token proves does not hang on who asks"},
	{From: "./interceptor/token", Ban: "testing", Why: "what runs in production must not know when it is tested"},

	{From: "./interceptor/policy", Ban: "connectrpc.com/...", Why: "rules are the same for every transport"},
	{From: "./interceptor/policy", Ban: "github.com/golang-jwt/jwt/...", Why: "rules are compiled before there is a token"},
	{From: "./interceptor/policy", Ban: "github.com/MicahParks/keyfunc/...", Why: "rules are compiled before there is a key"},
	{From: "./interceptor/policy", Ban: "github.com/MicahParks/jwkset/...", Why: "rules are compiled before there is a key"},
	{From: "./interceptor/policy", Ban: "./interceptor/token", Why: "policy is a leaf: what an RPC demands does not hang on who issues tokens"},
	{From: "./interceptor/policy", Ban: "./interceptor", Why: "policy is a leaf: what joins it to tokens stands above it"},
	{From: "./interceptor/policy", Ban: "net/http", Why: "compiling rules touches no network"},
	{From: "./interceptor/policy", Ban: "testing", Why: "what runs in production must not know when it is tested"},

	{From: "./interceptor/policydiff", Ban: "connectrpc.com/...", Why: "rules are the same for every transport"},
	{From: "./interceptor/policydiff", Ban: "github.com/golang-jwt/jwt/...", Why: "rules are compared with rules: there is no token"},
	{From: "./interceptor/policydiff", Ban: "./interceptor/token", Why: "rules are compared with rules: there is no token"},
	{From: "./interceptor/policydiff", Ban: "./interceptor", Why: "what is looser follows from the rules alone; that the guard agrees is a test's to say"},
	{From: "./interceptor/policydiff", Ban: "net/http", Why: "comparing rules touches no network"},
	{From: "./interceptor/policydiff", Ban: "testing", Why: "what runs in production must not know when it is tested"},
	{From: "./...", Ban: "./interceptor/policydiff", Except: []string{"./interceptor/policydiff"}, Why: "it serves tools: no server compares rules"},

	{From: "./interceptor", Ban: "./interceptor/devissuer", Why: "what accepts tokens must hold no code that makes them"},
	{From: "./interceptor", Ban: "./interceptor/guardtest", Why: "it serves the tests of those who import the guard"},
	{From: "./interceptor", Ban: "./interceptor/clientauth", Why: "who only serves calls needs no tokens of its own"},
	{From: "./interceptor", Ban: "golang.org/x/oauth2/...", Why: "what verifies tokens asks for none"},
	{From: "./interceptor", Ban: "testing", Why: "what runs in production must not know when it is tested"},

	{From: "./interceptor", Ban: "google.golang.org/grpc/...", Why: "users of Connect must not pay for grpc-go, 6 MB of a program"},
	{From: "./interceptor", Ban: "connectrpc.com/connect/v2/...", Why: "users of Connect's first version must not pay for its second"},
	{From: "./interceptor/guardtest", Ban: "google.golang.org/grpc/...", Why: "users of Connect must not pay for grpc-go, 6 MB of a program"},
	{From: "./interceptor/grpcguardtest", Ban: "connectrpc.com/connect/v2/...", Why: "users of grpc-go must not pay for connect-go's second version"},
	{From: "./interceptor/connectv2guard", Ban: "google.golang.org/grpc/...", Why: "users of Connect must not pay for grpc-go, 6 MB of a program"},
	{From: "./interceptor/connectv2guard", Ban: "testing", Why: "what runs in production must not know when it is tested"},
	{From: "./interceptor/grpcguard", Ban: "testing", Why: "what runs in production must not know when it is tested"},
	{From: "./interceptor/grpcguard", Ban: "connectrpc.com/connect/v2/...", Why: "users of grpc-go must not pay for connect-go's second version"},
	{From: "./sample/...", Ban: "google.golang.org/grpc/...", Why: "the sample is what users of Connect start from"},

	{From: "./interceptor/clientauth", Ban: "google.golang.org/grpc/...", Why: "clients of Connect must not pay for grpc-go's 6 MB"},
	{From: "./interceptor/clientauth", Ban: "./interceptor/devissuer", Why: "what asks for tokens must hold no code that makes them"},
	{From: "./interceptor/clientauth", Ban: "testing", Why: "what runs in production must not know when it is tested"},
	{From: "./interceptor/grpcclientauth", Ban: "./interceptor/devissuer", Why: "what asks for tokens must hold no code that makes them"},
	{From: "./interceptor/grpcclientauth", Ban: "testing", Why: "what runs in production must not know when it is tested"},
	{From: "./interceptor/internal/endpoint", Ban: "./...", Why: "it is a leaf, for keys and for tokens alike"},
	{From: "./interceptor/internal/endpoint", Ban: "testing", Why: "what runs in production must not know when it is tested"},
	{From: "./...", Ban: "./interceptor/internal/unverified", Except: unverified, Why: "what nobody has verified decides nothing"},
	{From: "./interceptor/internal/unverified/hook", Ban: "./...", Why: "it is a leaf, since package token imports it"},
	{From: "./interceptor/internal/jose", Ban: "./...", Why: "it is a leaf: form does not depend on who is trusted"},
	{From: "./interceptor/internal/jose", Ban: "testing", Why: "what runs in production must not know when it is tested"},

	{From: "./interceptor/internal/callctx", Ban: "./...", Why: "it is a leaf, for guards and for clients alike"},
	{From: "./interceptor/internal/cache", Ban: "./...", Why: "it is a leaf, for verified tokens and for fetched ones alike"},

	{From: "./interceptor/devissuer", Ban: "./...", Why: "an issuer that shares code with the verifier shares its mistakes"},
	{From: "./interceptor/devissuer", Ban: "google.golang.org/protobuf/...", Why: "OpenID Connect speaks JSON"},
	{From: "./interceptor/devissuer", Ban: "connectrpc.com/...", Why: "OpenID Connect speaks plain HTTP"},
	{From: "./interceptor/devissuer", Ban: "testing", Why: "the sample runs it outside of tests"},

	{From: "./...", Ban: "./interceptor/internal/test/...", Except: never, Why: "what serves our tests is in nobody's program: it forges tokens"},
	{From: "./...", Ban: "./interceptor/internal/dev/...", Except: never, Why: "what serves development is in nobody's program"},
	{From: "./interceptor/internal/test/tokens", Ban: "./...", Why: "what forges tokens must not share the mistakes of what verifies them"},
	{From: "./interceptor/internal/test/tokens", Ban: "testing", Why: "any test may make something of a table of tokens"},
	{From: "./interceptor/internal/test/catalogue", Ban: "connectrpc.com/...", Why: "the answers are the same over every transport"},
	{From: "./interceptor/internal/test/catalogue", Ban: "./interceptor", Why: "what must be answered does not hang on what is"},
	{From: "./interceptor/internal/test/catalogue", Ban: "testing", Why: "any test may make the calls of a table"},

	{From: "./gen/protoauthz/...", Ban: "...", But: []string{"std", "google.golang.org/protobuf/..."}, Why: "all generated code of all users imports it"},
	{From: "./interceptor/...", Ban: "./gen/sample/...", Except: []string{"./interceptor/internal/test/harness"}, Why: "the sample's messages must not register in a user's program"},
	{From: "./interceptor/...", Ban: "github.com/rs/cors/...", Why: "which web pages may call is for each server to say"},
	{From: "./interceptor/...", Ban: "./sample/...", Why: "the sample shows the library and is no part of it"},
}

func TestImports(t *testing.T) {
	t.Parallel()
	faults, err := imports.Check(t.Context(), "../../../..", rules)
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range faults {
		t.Error(fault)
	}
}
