package guardtest_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/guardtest"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A fact is what a handler reads in claims.
type fact struct {
	issuer, subject, clientID, organization string
	caller                                  token.Caller
	audience, scopes                        []string
	expiry                                  time.Time
}

func factOf(claims *token.Claims) fact {
	return fact{claims.Issuer(), claims.Subject(), claims.ClientID(), claims.OrganizationID(), claims.Caller(), claims.Audience(), claims.Scopes(), claims.Expiry()}
}

// TestCaller makes sure that claims have what was set and the defaults, and nothing of another caller that was made of
// the same one.
func TestCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const issuer = "https://issuer.example.com"
		inAnHour := time.Now().Add(time.Hour)
		alice := guardtest.User("alice").Audience("https://api.test").Scopes("read:a")
		audience, scopes := []string{"a", "b"}, []string{"c", "d"}
		several := alice.Audience(audience...).Scopes(scopes...)
		audience[0], scopes[0] = "changed", "changed"
		api, read := []string{"https://api.test"}, []string{"read:a"}
		for name, test := range map[string]struct {
			caller guardtest.Caller
			want   fact
		}{
			"user":               {guardtest.User("alice"), fact{issuer, "alice", "", "", token.CallerUser, nil, nil, inAnHour}},
			"client":             {guardtest.Client("worker"), fact{issuer, "worker", "worker", "", token.CallerClient, nil, nil, inAnHour}},
			"audience, scopes":   {alice, fact{issuer, "alice", "", "", token.CallerUser, api, read, inAnHour}},
			"several":            {several, fact{issuer, "alice", "", "", token.CallerUser, []string{"a", "b"}, []string{"c", "d"}, inAnHour}},
			"organization":       {alice.Organization("acme"), fact{issuer, "alice", "", "acme", token.CallerUser, api, read, inAnHour}},
			"organization token": {alice.OrganizationToken("acme"), fact{issuer, "alice", "", "acme", token.CallerUser, []string{"urn:logto:organization:acme"}, read, inAnHour}},
			"the rest":           {alice.Issuer("https://other.test").ClientID("web").Expiry(time.Now().Add(time.Minute)), fact{"https://other.test", "alice", "web", "", token.CallerUser, api, read, time.Now().Add(time.Minute)}},
			"the first again":    {alice, fact{issuer, "alice", "", "", token.CallerUser, api, read, inAnHour}},
		} {
			for way, claims := range map[string]*token.Claims{
				"claims": test.caller.Claims(t), "context": interceptor.ClaimsFromContext(test.caller.Context(t)),
			} {
				if got := factOf(claims); !reflect.DeepEqual(got, test.want) {
					t.Errorf("%s, %s: %+v, want %+v", name, way, got, test.want)
				}
			}
		}
		for want, caller := range map[interceptor.Way]guardtest.Caller{
			{Organization: "acme"}: alice.Organization("acme"), {Number: 2}: alice.Way(2), {}: alice,
		} {
			if got, ok := interceptor.WayFromContext(caller.Context(t)); !ok || got != want {
				t.Errorf("the way is %+v, %t, want %+v", got, ok, want)
			}
		}
		if alice.Context(t).Done() != t.Context().Done() {
			t.Error("the context is not of the test")
		}
	})
}

// TestCallerFaults makes sure that a value which cannot be a claim ends the test.
func TestCallerFaults(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(testing.TB){
		"claims":  func(t testing.TB) { guardtest.User("alice").Scopes("read:a write:b").Claims(t) },
		"context": func(t testing.TB) { guardtest.User("alice").Scopes("read:a write:b").Context(t) },
	} {
		if faults := faultsOf(t, make); len(faults) != 1 || !strings.HasPrefix(faults[0], `guardtest: the caller "alice": token: NewClaims: Scopes has a value`) {
			t.Errorf("%s: %q", name, faults)
		}
	}
}

// faultsOf returns the faults of an assertion. If the assertion has ended the test, the last fault is the reason, and
// otherwise the last fault is "it goes on".
func faultsOf(t *testing.T, assert func(testing.TB)) []string {
	t.Helper()
	r, done, went := &harness.Report{TB: t}, make(chan struct{}), []string(nil)
	go func() {
		defer close(done)
		assert(r)
		went = []string{"it goes on"}
	}()
	<-done
	return slices.Concat(r.Faults(), went)
}
