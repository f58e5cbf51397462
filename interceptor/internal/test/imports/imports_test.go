package imports_test

import (
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/imports"
)

// never are the packages that are never linked into a user's program.
var never = []string{"./interceptor/internal/test/...", "./interceptor/internal/dev/..."}

// unverified are the packages for tests, which may read tokens that are not verified.
var unverified = append([]string{"./interceptor/guardtest"}, never...)

var rules = []imports.Rule{
	{From: "./interceptor/token", Ban: "google.golang.org/protobuf/...", Why: "a token is bytes: verifying it needs no schema"},
	{From: "./interceptor/token", Ban: "connectrpc.com/...", Why: "a token is verified the same way for every transport"},
	{From: "./interceptor/token", Ban: "./interceptor", Why: "token is a leaf: package interceptor joins it to rules"},
	{From: "./interceptor/token", Ban: "./interceptor/policy", Why: "token is a leaf: what a token proves does not depend on who asks"},
	{From: "./interceptor/token", Ban: "testing", Why: "code in production must not know when it is tested"},

	{From: "./interceptor/policy", Ban: "connectrpc.com/...", Why: "rules are the same for every transport"},
	{From: "./interceptor/policy", Ban: "github.com/golang-jwt/jwt/...", Why: "rules are compiled before there is a token"},
	{From: "./interceptor/policy", Ban: "github.com/MicahParks/keyfunc/...", Why: "rules are compiled before there is a key"},
	{From: "./interceptor/policy", Ban: "github.com/MicahParks/jwkset/...", Why: "rules are compiled before there is a key"},
	{From: "./interceptor/policy", Ban: "./interceptor/token", Why: "policy is a leaf: what an RPC demands does not depend on who issues tokens"},
	{From: "./interceptor/policy", Ban: "./interceptor", Why: "policy is a leaf: package interceptor joins it to tokens"},
	{From: "./interceptor/policy", Ban: "net/http", Why: "compiling rules touches no network"},
	{From: "./interceptor/policy", Ban: "testing", Why: "code in production must not know when it is tested"},

	{From: "./interceptor/policydiff", Ban: "connectrpc.com/...", Why: "rules are the same for every transport"},
	{From: "./interceptor/policydiff", Ban: "github.com/golang-jwt/jwt/...", Why: "rules are compared with rules: there is no token"},
	{From: "./interceptor/policydiff", Ban: "./interceptor/token", Why: "rules are compared with rules: there is no token"},
	{From: "./interceptor/policydiff", Ban: "./interceptor", Why: "which rule is looser follows from the rules alone; a test compares with the guard"},
	{From: "./interceptor/policydiff", Ban: "net/http", Why: "comparing rules touches no network"},
	{From: "./interceptor/policydiff", Ban: "testing", Why: "code in production must not know when it is tested"},
	{From: "./...", Ban: "./interceptor/policydiff", Except: []string{"./interceptor/policydiff"}, Why: "tools use it: a server does not compare rules"},

	{From: "./interceptor", Ban: "./interceptor/devissuer", Why: "a package that accepts tokens must not hold code that makes them"},
	{From: "./interceptor", Ban: "./interceptor/guardtest", Why: "it serves the tests of users"},
	{From: "./interceptor", Ban: "./interceptor/clientauth", Why: "a server needs no tokens of its own"},
	{From: "./interceptor", Ban: "./interceptor/probe", Why: "users of interceptor alone must not pay for grpchealth"},
	{From: "./interceptor", Ban: "connectrpc.com/grpchealth/...", Why: "users of interceptor alone must not pay for grpchealth"},
	{From: "./interceptor", Ban: "golang.org/x/oauth2/...", Why: "a package that verifies tokens does not ask for tokens"},
	{From: "./interceptor", Ban: "testing", Why: "code in production must not know when it is tested"},

	{From: "./interceptor", Ban: "google.golang.org/grpc/...", Why: "users of Connect must not pay for grpc-go, 6 MB of a program"},
	{From: "./interceptor", Ban: "connectrpc.com/connect/v2/...", Why: "users of Connect's first version must not pay for its second"},
	{From: "./interceptor/guardtest", Ban: "google.golang.org/grpc/...", Why: "users of Connect must not pay for grpc-go, 6 MB of a program"},
	{From: "./interceptor/grpcguardtest", Ban: "connectrpc.com/connect/v2/...", Why: "users of grpc-go must not pay for connect-go's second version"},
	{From: "./interceptor/connectv2guard", Ban: "google.golang.org/grpc/...", Why: "users of Connect must not pay for grpc-go, 6 MB of a program"},
	{From: "./interceptor/connectv2guard", Ban: "testing", Why: "code in production must not know when it is tested"},
	{From: "./interceptor/grpcguard", Ban: "testing", Why: "code in production must not know when it is tested"},
	{From: "./interceptor/grpcguard", Ban: "connectrpc.com/connect/v2/...", Why: "users of grpc-go must not pay for connect-go's second version"},
	{From: "./sample/...", Ban: "google.golang.org/grpc/...", Why: "users of Connect start from the sample"},

	{From: "./interceptor/probe", Ban: "./interceptor", Why: "whether there are keys does not depend on rules"},
	{From: "./interceptor/probe", Ban: "google.golang.org/grpc/...", Why: "users of Connect must not pay for grpc-go, 6 MB of a program"},
	{From: "./interceptor/probe", Ban: "testing", Why: "code in production must not know when it is tested"},
	{From: "./interceptor/grpcprobe", Ban: "./interceptor", Why: "whether there are keys does not depend on rules"},
	{From: "./interceptor/grpcprobe", Ban: "testing", Why: "code in production must not know when it is tested"},
	{From: "./interceptor/clientauth", Ban: "google.golang.org/grpc/...", Why: "clients of Connect must not pay for grpc-go's 6 MB"},
	{From: "./interceptor/clientauth", Ban: "./interceptor/devissuer", Why: "a package that asks for tokens must not hold code that makes them"},
	{From: "./interceptor/clientauth", Ban: "testing", Why: "code in production must not know when it is tested"},
	{From: "./interceptor/grpcclientauth", Ban: "./interceptor/devissuer", Why: "a package that asks for tokens must not hold code that makes them"},
	{From: "./interceptor/grpcclientauth", Ban: "testing", Why: "code in production must not know when it is tested"},
	{From: "./interceptor/internal/endpoint", Ban: "./...", Why: "it is a leaf, for keys and for tokens alike"},
	{From: "./interceptor/internal/endpoint", Ban: "testing", Why: "code in production must not know when it is tested"},
	{From: "./...", Ban: "./interceptor/internal/unverified", Except: unverified, Why: "a token that is not verified decides nothing"},
	{From: "./interceptor/internal/unverified/hook", Ban: "./...", Why: "it is a leaf, since package token imports it"},
	{From: "./interceptor/internal/jose", Ban: "./...", Why: "it is a leaf: form does not depend on who is trusted"},
	{From: "./interceptor/internal/jose", Ban: "testing", Why: "code in production must not know when it is tested"},

	{From: "./interceptor/internal/traits", Ban: "./...", Why: "it is a leaf, since package token imports it"},
	{From: "./interceptor/internal/compiling", Ban: "./...", Why: "it is a leaf, since package deployment imports it"},
	{From: "./interceptor/internal/help", Ban: "./...", Why: "it is a leaf, for the logs of decisions and of keys alike"},
	{From: "./interceptor/internal/document", Ban: "./...", Why: "it is a leaf: servers and tools read all kinds of configuration"},
	{From: "./interceptor/internal/document", Ban: "testing", Why: "code in production must not know when it is tested"},
	{From: "./interceptor/deployment", Ban: "./interceptor", Why: "tools read a deployment without a guard"},
	{From: "./interceptor/deployment", Ban: "connectrpc.com/...", Why: "a deployment is the same for every transport"},
	{From: "./interceptor/deployment", Ban: "google.golang.org/grpc/...", Why: "a deployment is the same for every transport"},
	{From: "./interceptor/deployment", Ban: "testing", Why: "code in production must not know when it is tested"},
	{From: "./interceptor", Ban: "./interceptor/deployment", Why: "a program may have its settings elsewhere"},

	{From: "./interceptor/internal/callctx", Ban: "./...", Why: "it is a leaf, for guards and for clients alike"},
	{From: "./interceptor/internal/cache", Ban: "./...", Why: "it is a leaf, for verified tokens and for fetched ones alike"},

	{From: "./interceptor/devissuer", Ban: "./...", Why: "an issuer that shares code with the verifier shares its mistakes"},
	{From: "./interceptor/devissuer", Ban: "google.golang.org/protobuf/...", Why: "OpenID Connect speaks JSON"},
	{From: "./interceptor/devissuer", Ban: "connectrpc.com/...", Why: "OpenID Connect speaks plain HTTP"},
	{From: "./interceptor/devissuer", Ban: "testing", Why: "the sample runs it outside of tests"},

	{From: "./...", Ban: "./interceptor/internal/test/...", Except: never, Why: "it serves our tests, and forges tokens"},
	{From: "./...", Ban: "./interceptor/internal/guide", Except: never, Why: "its issuers are examples, for tests and tools"},
	{From: "./...", Ban: "./interceptor/internal/dev/...", Except: never, Why: "it serves development"},
	{From: "./interceptor/internal/test/tokens", Ban: "./...", Why: "code that forges tokens must not share the mistakes of the verifier"},
	{From: "./interceptor/internal/test/tokens", Ban: "testing", Why: "it is a table of tokens, for any program"},
	{From: "./interceptor/internal/test/catalogue", Ban: "connectrpc.com/...", Why: "the answers are the same over every transport"},
	{From: "./interceptor/internal/test/catalogue", Ban: "./interceptor", Why: "the right answers do not depend on the code"},
	{From: "./interceptor/internal/test/catalogue", Ban: "testing", Why: "it is a table of calls, for any program"},

	{From: "./gen/protoauthz/...", Ban: "...", But: []string{"std", "google.golang.org/protobuf/..."}, Why: "all generated code of all users imports it"},
	{From: "./interceptor/...", Ban: "./gen/sample/...", Except: []string{"./interceptor/internal/test/catalogue", "./interceptor/internal/test/harness"}, Why: "the sample's messages must not register in a user's program"},
	{From: "./interceptor/...", Ban: "github.com/rs/cors/...", Why: "each server decides which web pages may call"},
	{From: "./interceptor/...", Ban: "./sample/...", Why: "the sample shows the library and is not a part of it"},
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
