package interceptor_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// keyValues are the values of a good API key for an hour.
func keyValues(change func(*token.ClaimValues)) token.ClaimValues {
	values := token.ClaimValues{
		Issuer: "https://api.test/keys", Subject: "user_1", Caller: token.CallerUser, Audience: []string{api},
		Scopes: []string{"read:a", "write:b", "read:data", "invite:member"}, Expiry: time.Now().Add(time.Hour),
	}
	if change != nil {
		change(&values)
	}
	return values
}

// TestNewClaims makes sure that a guard judges claims of NewClaims as it judges claims of tokens, by each model.
func TestNewClaims(t *testing.T) {
	t.Parallel()
	organizationAudience := func(v *token.ClaimValues) { v.Audience = []string{"urn:logto:organization:" + acme} }
	inOrganization := func(v *token.ClaimValues) { v.OrganizationID = acme }
	audienceMismatch := interceptor.ReasonAudienceMismatch
	for name, test := range map[string]struct {
		change func(*token.ClaimValues)
		want   map[string]interceptor.Reason // by service; "" for an admission
	}{
		"for the API":      {nil, map[string]interceptor.Reason{"Read": "", "Global": "", "User": "", "Client": callerKind.reason, "Token": model.reason, "Member": model.reason}},
		"for a client":     {func(v *token.ClaimValues) { v.Caller = token.CallerClient }, map[string]interceptor.Reason{"Read": "", "User": callerKind.reason, "Client": ""}},
		"for nobody known": {func(v *token.ClaimValues) { v.Caller = token.CallerUnknown }, map[string]interceptor.Reason{"Read": "", "User": callerKind.reason, "Client": callerKind.reason}},
		"for an organization": {inOrganization, map[string]interceptor.Reason{
			"Read": model.reason, "Token": "", "Field": "", "Member": model.reason,
		}},
		"for an organization's audience": {organizationAudience, map[string]interceptor.Reason{"Read": model.reason, "Token": model.reason, "Member": ""}},
		"for both": {func(v *token.ClaimValues) { organizationAudience(v); inOrganization(v) }, map[string]interceptor.Reason{
			"Read": model.reason, "Token": model.reason, "Member": "",
		}},
		"for two organizations": {func(v *token.ClaimValues) { organizationAudience(v); v.OrganizationID = globex }, map[string]interceptor.Reason{
			"Read": model.reason, "Token": model.reason, "Member": model.reason,
		}},
		"without an audience":  {func(v *token.ClaimValues) { v.Audience = nil }, map[string]interceptor.Reason{"Read": audienceMismatch, "Authenticated": audienceMismatch, "Token": audienceMismatch, "Member": audienceMismatch}},
		"for another audience": {func(v *token.ClaimValues) { v.Audience = []string{api + "/"} }, map[string]interceptor.Reason{"Read": audienceMismatch, "Authenticated": audienceMismatch}},
		"without scopes":       {func(v *token.ClaimValues) { v.Scopes = nil }, map[string]interceptor.Reason{"Read": interceptor.ReasonScopeInsufficient, "Authenticated": ""}},
		"expired":              {func(v *token.ClaimValues) { v.Expiry = time.Now().Add(-time.Hour) }, map[string]interceptor.Reason{"Read": expired.reason, "Public": ""}},
		"no longer good":       {func(v *token.ClaimValues) { v.Deadline = time.Now().Add(-time.Hour) }, map[string]interceptor.Reason{"Read": expired.reason}},
		"good for some time":   {func(v *token.ClaimValues) { v.Deadline = v.Expiry.Add(-time.Minute) }, map[string]interceptor.Reason{"Read": ""}},
		"without an expiry": {func(v *token.ClaimValues) { v.Deadline, v.Expiry = v.Expiry, time.Time{} }, map[string]interceptor.Reason{
			"Read": "", "Token": model.reason,
		}},
	} {
		guard := interceptor.New(verifierFunc(func(context.Context, string) (*token.Claims, error) {
			return token.NewClaims(keyValues(test.change))
		}), rules(t))
		for service, want := range test.want {
			call, denial := guard.Admit(t.Context(), procedure(service, connect.StreamTypeUnary), withToken)
			var got interceptor.Reason
			if denial != nil {
				got = denial.Reason()
			}
			if got != want || (call == nil) != (denial != nil) {
				t.Errorf("%s, %s: %v, %v, want %q", name, service, call, denial, want)
			}
		}
	}
}

// TestSlowBodyVerifiedAgain makes sure that the token of a unary call is verified again if its claims end before the
// body has arrived.
func TestSlowBodyVerifiedAgain(t *testing.T) {
	t.Parallel()
	away := interceptor.ReasonVerifierUnavailable
	for _, test := range []struct {
		service string
		took    time.Duration
		later   error
		want    interceptor.Reason
		calls   int // of the verifier
	}{
		{"Global", time.Minute - 1, token.ErrInvalid, "", 1},
		{"Global", time.Minute, nil, "", 2},
		{"Global", time.Hour, nil, "", 2},
		{"Global", time.Minute, token.ErrInvalid, interceptor.ReasonTokenInvalid, 2},
		{"Global", time.Minute, token.ErrVerifierUnavailable, away, 2},
		{"Field", time.Minute - 1, token.ErrInvalid, "", 1},
		{"Field", time.Minute, nil, "", 2},
		{"Field", time.Minute, token.ErrInvalid, interceptor.ReasonTokenInvalid, 2},
		{"Field", time.Minute, token.ErrVerifierUnavailable, away, 2},
		{"Public", time.Hour, token.ErrInvalid, "", 0},
	} {
		for _, wire := range http2()[1:] {
			bubble(t, fmt.Sprint(test.service, ", ", test.took, ", ", test.later, ", ", wire.name), func(t *testing.T) {
				calls := 0
				guard := interceptor.New(verifierFunc(func(context.Context, string) (*token.Claims, error) {
					if calls++; calls > 1 && test.later != nil {
						return nil, test.later
					}
					return token.NewClaims(keyValues(func(v *token.ClaimValues) {
						v.Expiry, v.Deadline = time.Time{}, time.Now().Add(time.Minute) // the bubble's clock
						if test.service == "Field" {
							v.OrganizationID = acme
						}
					}))
				}), rules(t), interceptor.WithObserver(harness.Observe))
				server := server{harness.ServePiped(t, handlers{}.mux(guard.HandlerOption()))}
				header := http.Header{"Authorization": {"Bearer any"}}
				call := server.Record(header)
				stream := server.connect(wire, procedure(test.service, connect.StreamTypeUnary)).CallBidiStream(t.Context())
				defer func() { _ = stream.CloseResponse() }()
				merge(stream.RequestHeader(), header)
				err := stream.Send(nil) // the headers
				time.Sleep(test.took)   // the bubble's clock
				err = errors.Join(err, stream.Send(naming(acme)), stream.CloseRequest())
				if err == nil {
					_, err = stream.Receive()
				}
				if got := refused(err); got.reason != test.want {
					t.Errorf("%+v", got)
				}
				want := []interceptor.Reason{"", test.want}
				switch {
				case test.want == "":
					want = want[:1]
				case test.service == "Field": // decided when the message names the organization
					want = want[1:]
				}
				if got := call.Decisions(""); !slices.Equal(got, want) || calls != test.calls {
					t.Errorf("events %q, want %q, after %d calls of the verifier", got, want, calls)
				}
				if handled, _ := call.Seen(); (handled != 0) != (test.want == "") {
					t.Errorf("the handler runs %d times", handled)
				}
			})
		}
	}
}
