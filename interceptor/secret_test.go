package interceptor_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/devissuer"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// secretive are claims that can be recognised anywhere.
func secretive(more claims) claims {
	all := claims{
		"sub": "secret-subject", "client_id": "secret-client", "jti": "secret-id", "aud": api, "scope": "secret-scope",
		"name": "secret-name",
	}
	for name, value := range more {
		all[name] = value
	}
	return all
}

// TestSecrets makes every refusal with a token that can be recognised, and looks
// for it in all that goes out: to the client, and to the log.
func TestSecrets(t *testing.T) {
	t.Parallel()
	const kid = "secret-kid"
	good := func(more claims) string { return mint(t, shared(t).good, secretive(more)) }
	cases := []struct {
		name, service, raw string
		reason             interceptor.Reason
	}{
		{"scheme", "Global", "", unsupported.reason},
		{"malformed", "Global", good(nil) + ".", malformed.reason},
		{"two tokens", "Global", good(nil) + " " + good(nil), malformed.reason},
		{"too large", "Global", good(claims{"name": strings.Repeat("secret-name", 1000)}), malformed.reason},
		{"duplicate claim", "Global", duplicated(good(nil)), malformed.reason},
		{"kid", "Global", mint(t, shared(t).good, secretive(nil), devissuer.WithHeader("kid", kid)), invalid.reason},
		{"typ", "Global", mint(t, shared(t).good, secretive(nil), devissuer.WithHeader("typ", "secret-type")), invalid.reason},
		{"alg", "Global", mint(t, shared(t).good, secretive(nil), devissuer.WithHeader("alg", "secret-algorithm")), invalid.reason},
		{"crit", "Global", mint(t, shared(t).good, secretive(nil), devissuer.WithHeader("crit", []string{"secret-critical"})), invalid.reason},
		{"signature", "Global", tampered(good(nil)), invalid.reason},
		{"issuer", "Global", good(claims{"iss": "https://secret-issuer.test"}), invalid.reason},
		{"exp", "Global", good(claims{"exp": "secret-expiry"}), invalid.reason},
		{"scope", "Global", good(claims{"scope": []string{"secret-scope"}}), invalid.reason},
		{"sub", "Global", good(claims{"sub": []string{"secret-subject"}}), invalid.reason},
		{"aud", "Global", good(claims{"aud": map[string]any{"secret-audience": 1}}), invalid.reason},
		{"organization_id", "Field", good(claims{"organization_id": []string{"secret-organization"}}), invalid.reason},
		{"cnf", "Global", good(claims{"cnf": claims{"jkt": "secret-thumbprint"}}), invalid.reason},
		{"expired", "Global", good(claims{"exp": 1}), expired.reason},
		{"not yet", "Global", good(claims{"nbf": 4102444800}), notYet.reason},
		{"keys", "Global", mint(t, shared(t).broken, secretive(nil)), unavailable.reason},
		{"audience", "Global", good(claims{"aud": []string{"https://secret-audience.test"}}), audience.reason},
		{"model", "Global", good(claims{"organization_id": "secret-organization"}), model.reason},
		{"organization token", "Field", good(claims{"aud": "urn:logto:organization:secret-organization"}), model.reason},
		{"two organizations", "Member", good(claims{"aud": "urn:logto:organization:secret-organization", "organization_id": "secret-organization-2"}), model.reason},
		{"message", "Field", good(claims{"organization_id": "secret-organization", "scope": "secret-scope read:data"}), organization.reason},
		{"header", "Header", good(claims{"organization_id": "secret-organization", "scope": "secret-scope read:data"}), organization.reason},
		{"scope missing", "Any", good(nil), "SCOPE_INSUFFICIENT"},
		{"caller", "Client", good(nil), callerKind.reason},
		{"no rule", unruled, good(nil), ruleless.reason},
		{"panic", "Global", "secret.panic", failed.reason},
	}
	verifier := verifierFunc(func(ctx context.Context, raw string) (*token.Claims, error) {
		if raw == "secret.panic" {
			panic(errors.New("cannot handle " + raw))
		}
		return shared(t).verifier.Verify(ctx, raw)
	})
	for _, test := range cases {
		var event interceptor.Event
		guard := interceptor.New(verifier, rules(t), interceptor.WithObserver(func(_ context.Context, e interceptor.Event) { event = e }))
		mux := handlers{}.mux(guard.HandlerOption())
		header := authorization("Bearer " + test.raw)
		if test.name == "scheme" {
			header = authorization("Basic secret-credentials")
		}
		for _, wire := range []struct {
			contentType string
			kind        connect.StreamType
		}{
			{"application/proto", connect.StreamTypeUnary},
			{"application/connect+proto", connect.StreamTypeServer},
			{"application/grpc+proto", connect.StreamTypeUnary},
			{"application/grpc-web+proto", connect.StreamTypeBidi},
		} {
			event = interceptor.Event{}
			body := []byte{}
			if wire.contentType != "application/proto" {
				body = enveloped(nil, false)
			}
			request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, procedure(test.service, wire.kind), bytes.NewReader(body))
			request.ProtoMajor = 2
			request.Header = header.Clone()
			request.Header.Set("Content-Type", wire.contentType)
			recorder := httptest.NewRecorder()
			mux.ServeHTTP(recorder, request)

			if event.Denial == nil || event.Denial.Reason != test.reason {
				t.Fatalf("%s, %s: %+v, want %s", test.name, wire.contentType, event.Denial, test.reason)
			}
			said := sent(recorder)
			if !strings.Contains(said, string(test.reason)) {
				t.Errorf("%s, %s: the reason is not even there: %q", test.name, wire.contentType, said)
			}
			said += fmt.Sprintf("\n%v %+v %q", event.Denial, event.Denial, event.Denial)
			for err := error(event.Denial); err != nil; err = errors.Unwrap(err) {
				said += "\n" + err.Error()
			}
			if event.Denial.Unwrap() == nil {
				t.Errorf("%s: no cause", test.name)
			}
			for _, secret := range append(windows(test.raw), "secret", kid) {
				if strings.Contains(said, secret) {
					t.Errorf("%s, %s: %q is in %q", test.name, wire.contentType, secret, said)
					break
				}
			}
		}
	}
}

// windows are all pieces of a token that nothing else holds by chance.
func windows(raw string) []string {
	const size = 20 // 15 bytes: "organization" is in many a text
	var all []string
	for i := size; i <= len(raw) && i < 2000; i++ {
		all = append(all, raw[i-size:i])
	}
	return all
}

var encoded = regexp.MustCompile(`[A-Za-z0-9+/]{8,}`)

// sent is all that went to the client, with what is encoded in it.
func sent(recorder *httptest.ResponseRecorder) string {
	response := recorder.Result()
	_ = response.Body.Close()
	said := fmt.Sprint(response.Header, response.Trailer, recorder.Body)
	for _, text := range encoded.FindAllString(said, -1) {
		for len(text)%4 == 1 {
			text = text[:len(text)-1]
		}
		if data, err := base64.RawStdEncoding.DecodeString(text); err == nil {
			said += "\n" + string(data)
		}
	}
	return said
}

// tampered breaks the signature of a token.
func tampered(raw string) string {
	last := strings.LastIndexByte(raw, '.') + 1
	flipped := byte('A')
	if raw[last] == flipped {
		flipped = 'B'
	}
	return raw[:last] + string(flipped) + raw[last+1:]
}

// duplicated names one claim of a token twice.
func duplicated(raw string) string {
	segments := strings.Split(raw, ".")
	payload, err := base64.RawURLEncoding.DecodeString(segments[1])
	if err != nil || !json.Valid(payload) {
		return ""
	}
	payload = append([]byte(`{"name":"secret-first",`), payload[1:]...)
	segments[1] = base64.RawURLEncoding.EncodeToString(payload)
	return strings.Join(segments, ".")
}
