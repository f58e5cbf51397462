package interceptor_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log"
	"net/http"
	"strings"
	"time"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/gen/sample/v1/samplev1connect"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// apiKeys verifies API keys, and leaves all other tokens to the verifier of an issuer.
type apiKeys struct {
	interceptor.Verifier
	find func(ctx context.Context, digest [sha256.Size]byte) (apiKey, error)
}

// An apiKey is what the database knows of a key. The database has no key, but the digest of one.
type apiKey struct {
	id, owner string
	scopes    []string
}

var errNoKey = errors.New("no such key")

// Verify implements [interceptor.Verifier]. It looks at the database for every call, so that a key that was deleted
// lets nobody in. An open stream is verified again after a minute.
func (v apiKeys) Verify(ctx context.Context, raw string) (*token.Claims, error) {
	if !strings.HasPrefix(raw, "acme_key_") {
		return v.Verifier.Verify(ctx, raw)
	}
	key, err := v.find(ctx, sha256.Sum256([]byte(raw)))
	switch {
	case errors.Is(err, errNoKey):
		return nil, fmt.Errorf("%w: %w", token.ErrInvalid, err)
	case err != nil:
		return nil, fmt.Errorf("%w: the database of API keys: %w", token.ErrVerifierUnavailable, err)
	}
	return token.NewClaims(token.ClaimValues{
		Issuer:   "https://api.example.com/keys",
		Subject:  key.owner,
		ClientID: key.owner,
		ID:       key.id,
		Caller:   token.CallerClient,
		Audience: []string{"https://api.example.com"},
		Scopes:   key.scopes,
		Deadline: time.Now().Add(time.Minute),
	})
}

// A server takes API keys beside the tokens of an issuer.
func ExampleVerifier() {
	ctx := context.Background()
	issued, issuedErr := token.NewVerifier(token.Logto("https://tenant.logto.app"))
	table, tableErr := policy.Compile(
		policy.Files{samplev1.File_sample_v1_catalog_proto}, policy.WithAudience("https://api.example.com"))
	if err := errors.Join(issuedErr, tableErr); err != nil {
		log.Fatal(err)
	}
	const key = "acme_key_mF9B5f41JqM"
	keys := map[[sha256.Size]byte]apiKey{
		sha256.Sum256([]byte(key)): {id: "key-1", owner: "nightly-export", scopes: []string{"read:products"}},
	}
	verifier := apiKeys{issued, func(_ context.Context, digest [sha256.Size]byte) (apiKey, error) {
		if found, ok := keys[digest]; ok {
			return found, nil
		}
		return apiKey{}, errNoKey
	}}
	guard := interceptor.New(verifier, table)

	for _, credential := range []string{key, "acme_key_madeup", "a.b.c"} {
		header := http.Header{"Authorization": {"Bearer " + credential}}
		_, denial := guard.Admit(ctx, samplev1connect.CatalogServiceListProductsProcedure, header)
		if denial != nil {
			fmt.Println(denial.Reason())
			continue
		}
		fmt.Println("let in")
	}

	// Output:
	// let in
	// TOKEN_INVALID
	// TOKEN_MALFORMED
}
