package token_test

import (
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestTypes has tokens with and without `typ`.
func TestTypes(t *testing.T) {
	t.Parallel()
	mine := configured(func(i *token.Issuer) {
		i.Algorithms, i.Types, i.RequiredClaims = []string{"EdDSA"}, []string{"", "AT+JWT"}, lists{"client_id": {token.AnyValue}}
	})
	verifier, err := token.NewVerifier(mine, token.WithTransport(newIDP(jwksOf(all...)...)))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		typ any
		ok  bool
	}{
		{absent{}, true}, {"at+jwt", true}, {"application/at+jwt", true}, {"Application/AT+JWT", true},
		{"", false}, {" ", false}, {nil, false}, {0, false}, {[]string{}, false}, {"application/", false}, {"APPLICATION/", false}, {"application/application/", false}, {"JWT", false}, {"at+jwt ", false}, {"logout+jwt", false},
	} {
		_, err := verifier.Verify(t.Context(), eddsa.Mint(eddsa.Header("typ", test.typ), payload("exp", never)))
		if (err == nil) != test.ok {
			t.Errorf("%v: %v", test.typ, err)
		}
	}
}
