package grpcguard_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/grpcguard"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
)

// refused is an error that a client gets from any server.
func refused(t *testing.T, code codes.Code, details ...protoadapt.MessageV1) error {
	t.Helper()
	all, err := status.New(code, "no").WithDetails(details...)
	if err != nil {
		t.Fatal(err)
	}
	return all.Err()
}

func challenging(challenge string) *errdetails.ErrorInfo {
	return &errdetails.ErrorInfo{Reason: "TOKEN_MISSING", Domain: "protoauthz", Metadata: map[string]string{"challenge": challenge}}
}

// TestChallenge makes sure that Challenge returns the challenge of the refusal, and no text that does not fit into
// a header of HTTP.
func TestChallenge(t *testing.T) {
	t.Parallel()
	const good = `Bearer realm="https://api.example.test", error="insufficient_scope", scope="read:a write:b"`
	scopes := challenging(good)
	scopes.Reason = "SCOPE_INSUFFICIENT"
	other := challenging(good)
	other.Domain = "example.test"
	long := func(size int) string {
		return `Bearer realm="` + strings.Repeat("x", size-len(`Bearer realm=""`)) + `"`
	}
	guard := harness.Expiring(t, time.Hour)
	_, inProcess := grpcguard.Unary(guard)(t.Context(), new(message), &grpc.UnaryServerInfo{FullMethod: catalogue.Procedure("Field", catalogue.Unary)}, unary)
	denial, ok := errors.AsType[*interceptor.Denial](inProcess)
	if !ok || denial.Challenge() == "" {
		t.Fatal(inProcess)
	}
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"none":                        {nil, ""},
		"another error":               {errors.New("no"), ""},
		"refused in this process":     {inProcess, denial.Challenge()},
		"401":                         {refused(t, codes.Unauthenticated, challenging(good)), good},
		"403":                         {refused(t, codes.PermissionDenied, scopes), good},
		"wrapped":                     {fmt.Errorf("call: %w", refused(t, codes.PermissionDenied, scopes)), good},
		"behind other details":        {refused(t, codes.PermissionDenied, &errdetails.RetryInfo{}, other, scopes), good},
		"realm only":                  {refused(t, codes.Unauthenticated, challenging(`Bearer realm="a"`)), `Bearer realm="a"`},
		"escapes":                     {refused(t, codes.Unauthenticated, challenging(`Bearer realm="a \"b\" \\c"`)), `Bearer realm="a \"b\" \\c"`},
		"as long as may be":           {refused(t, codes.Unauthenticated, challenging(long(8<<10))), long(8 << 10)},
		"longer":                      {refused(t, codes.Unauthenticated, challenging(long(8<<10+1))), ""},
		"another code":                {refused(t, codes.Unavailable, challenging(good)), ""},
		"another reason's code":       {refused(t, codes.PermissionDenied, challenging(good)), ""},
		"another domain":              {refused(t, codes.Unauthenticated, other), ""},
		"no challenge":                {refused(t, codes.PermissionDenied, &errdetails.ErrorInfo{Domain: "protoauthz"}), ""},
		"no details":                  {refused(t, codes.Unauthenticated), ""},
		"empty":                       {refused(t, codes.Unauthenticated, challenging("")), ""},
		"another scheme":              {refused(t, codes.Unauthenticated, challenging(`Basic realm="a"`)), ""},
		"another scheme before it":    {refused(t, codes.Unauthenticated, challenging(`Basic realm="a", Bearer realm="a"`)), ""},
		"another scheme behind it":    {refused(t, codes.Unauthenticated, challenging(`Bearer realm="a", Basic realm="a"`)), ""},
		"another scheme, longer name": {refused(t, codes.Unauthenticated, challenging(`BearerX realm="a"`)), ""},
		"lower case":                  {refused(t, codes.Unauthenticated, challenging(`bearer realm="a"`)), ""},
		"two lines":                   {refused(t, codes.Unauthenticated, challenging("Bearer realm=\"a\"\r\nSet-Cookie: a=b")), ""},
		"a line break at the end":     {refused(t, codes.Unauthenticated, challenging("Bearer realm=\"a\"\n")), ""},
		"a line break in a value":     {refused(t, codes.Unauthenticated, challenging("Bearer realm=\"a\n\"")), ""},
		"an escaped line break":       {refused(t, codes.Unauthenticated, challenging("Bearer realm=\"a\\\n\"")), ""},
		"a tab":                       {refused(t, codes.Unauthenticated, challenging("Bearer\trealm=\"a\"")), ""},
		"NUL":                         {refused(t, codes.Unauthenticated, challenging("Bearer realm=\"\x00\"")), ""},
		"beyond ASCII":                {refused(t, codes.Unauthenticated, challenging(`Bearer realm="ä"`)), ""},
		"an open quote":               {refused(t, codes.Unauthenticated, challenging(`Bearer realm="a`)), ""},
		"an escaped quote at the end": {refused(t, codes.Unauthenticated, challenging(`Bearer realm="a\"`)), ""},
		"no parameter":                {refused(t, codes.Unauthenticated, challenging(`Bearer`)), ""},
		"a token":                     {refused(t, codes.Unauthenticated, challenging(`Bearer abc.def.ghi`)), ""},
	} {
		if got := grpcguard.Challenge(test.err); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
		if got := grpcguard.DenialFrom(test.err); got.Challenge() != test.want {
			t.Errorf("%s: the denial has %q, want %q", name, got.Challenge(), test.want)
		}
	}
}

// TestDenialFrom makes sure that DenialFrom finds the refusal in a status as well as in an error of connect-go, and
// none in other errors.
func TestDenialFrom(t *testing.T) {
	t.Parallel()
	info := &errdetails.ErrorInfo{Reason: "SCOPE_INSUFFICIENT", Domain: "protoauthz", Metadata: map[string]string{"required_scopes": "read:a c d", "any_scopes": "c d"}}
	detail, err := connect.NewErrorDetail(info)
	if err != nil {
		t.Fatal(err)
	}
	ofConnect := connect.NewError(connect.CodePermissionDenied, errors.New("no"))
	ofConnect.AddDetail(detail)
	for name, err := range map[string]error{
		"status": refused(t, codes.PermissionDenied, info), "wrapped": fmt.Errorf("call: %w", refused(t, codes.PermissionDenied, info)), "connect-go": ofConnect,
	} {
		got := grpcguard.DenialFrom(err)
		if got.Reason() != interceptor.ReasonScopeInsufficient || got.Code() != connect.CodePermissionDenied || !slices.Equal(got.Scopes(), []string{"read:a"}) || !slices.Equal(got.AnyScopes(), []string{"c", "d"}) {
			t.Errorf("%s: %v", name, got)
		}
	}
	for name, err := range map[string]error{
		"nil": nil, "an error": errors.New("no"), "OK": status.New(codes.OK, "").Err(), "another code": refused(t, codes.Unknown, info), "no details": refused(t, codes.PermissionDenied),
	} {
		if got := grpcguard.DenialFrom(err); got != nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}
