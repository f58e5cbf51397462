package token

import (
	"crypto/sha256"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

type countedAnswer struct {
	text     string
	requests int
}

func (c *countedAnswer) RoundTrip(*http.Request) (*http.Response, error) {
	c.requests++
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(c.text))}, nil
}

// TestAnsweredMeanwhile makes sure that a call takes the answer of a flight that has ended after the call has looked
// for an answer, and before it asks.
func TestAnsweredMeanwhile(t *testing.T) {
	t.Parallel()
	for text, good := range map[string]bool{`{"active":true,"token_type":"Bearer","sub":"s"}`: true, `{"active":false}`: false} {
		transport := &countedAnswer{text: text}
		issuer := Logto("https://idp.test")
		issuer.IntrospectionURL = "https://idp.test/introspect"
		i, err := NewIntrospector(issuer, Introspection{Client: ClientSecretBasic("api", "secret"), Limit: 1}, WithTransport(transport))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = i.Verify(t.Context(), "opaque")
		now := time.Now()
		f, err := i.flightOf(sha256.Sum256([]byte("opaque")), "opaque", now)
		if err != nil {
			t.Fatal(err)
		}
		a, err := f.wait(t.Context(), i, now)
		if err != nil || (a.claims != nil) != good || (a.err == nil) != good || transport.requests != 1 {
			t.Errorf("%s: %v, %v, %d requests", text, a, err, transport.requests)
		}
	}
}
