package grpcclientauth

import (
	"testing"

	"golang.org/x/oauth2"
	"google.golang.org/grpc/credentials"

	"github.com/protoauthz/protoauthz/interceptor/clientauth"
)

// TestWithoutInterceptors makes sure that a stream without interceptors gets a token: grpc-go's own health
// checks are such streams.
func TestWithoutInterceptors(t *testing.T) {
	t.Parallel()
	a := &authorizer{source: clientauth.FromTokenSource(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "secret"}))}
	info := credentials.TLSInfo{CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}}
	got, err := a.GetRequestMetadata(credentials.NewContextWithRequestInfo(t.Context(), credentials.RequestInfo{AuthInfo: info}))
	if err != nil || got[header] != "Bearer secret" {
		t.Errorf("%v, %v", got, err)
	}
}
