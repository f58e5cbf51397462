package main

import (
	"fmt"
	"io"

	"github.com/protoauthz/protoauthz/interceptor/devissuer"
)

const curl = "curl -i -H 'Content-Type: application/json'"

// greet prints the server's URL and commands to paste. The commands hold a token if the server has the
// embedded issuer.
func (s *server) greet(stdout io.Writer) error {
	bearer, more := "$TOKEN", ""
	about := "\n# TOKEN is an access token for " + s.audience + " with the scope read:products.\n"
	if s.issuer != nil {
		minted, err := s.issuer.Mint(map[string]any{"client_id": "acme-admin", "aud": s.audience, "scope": "read:products"})
		if err != nil {
			return err
		}
		alice, _, err := s.issuer.Grant(devissuer.Request{Subject: "alice", Resource: s.audience})
		if err != nil {
			return err
		}
		bearer, about = minted, ""
		more = "\n# 200, as alice names herself:\n" + getAccount(s.url(), alice, "alice") +
			"\n# 403, as alice names another user:\n" + getAccount(s.url(), alice, "bob") +
			"\n# Another token, for the organization acme (more: go run ./sample token -h):\n" +
			"go run ./sample token -server " + s.url() + " -client acme-admin -scope invite:member -organization acme\n"
	}
	_, err := fmt.Fprintf(stdout, `Listening on %[1]s
%[4]s
# 200, a call that is answered:
%[2]s -H "Authorization: Bearer %[3]s" -d '{}' %[1]s/sample.v1.CatalogService/ListProducts

# 403, as the token lacks the scope write:orders:
%[2]s -H "Authorization: Bearer %[3]s" -d '{"productId": "tea", "quantity": 1}' %[1]s/sample.v1.CatalogService/CreateOrder

# 401, as there is no token:
%[2]s -d '{}' %[1]s/sample.v1.CatalogService/ListProducts

# The same server over gRPC:
buf curl --http2-prior-knowledge --protocol grpc -H "Authorization: Bearer %[3]s" -d '{}' %[1]s/sample.v1.CatalogService/WhoAmI
%[5]s`, s.url(), curl, bearer, about, more)
	return err
}

// getAccount is a command that reads the account of a user.
func getAccount(url, bearer, user string) string {
	return fmt.Sprintf("%s -H \"Authorization: Bearer %s\" -d '{\"userId\": %q}' %s/sample.v1.AccountService/GetAccount\n", curl, bearer, user, url)
}
