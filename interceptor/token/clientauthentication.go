package token

import (
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
)

// A ClientAuthentication is how this server authenticates itself at an issuer (RFC 6749 section 2.3).
// [ClientSecretBasic], [ClientSecretPost], [PrivateKeyJWT] and [TLSClientAuth] return one, by the names of RFC 7591
// section 2. Any number of introspectors may use one ClientAuthentication. [NewIntrospector] returns its faults: the zero
// ClientAuthentication, an empty id or secret, or a key that does not fit. A printed ClientAuthentication holds no
// secret.
type ClientAuthentication struct {
	// add adds what proves the client to a request for an issuer. A function cannot be printed.
	add    func(issuer string, form url.Values, header http.Header) error
	mutual bool // the transport proves the client
	faults []error
}

// ClientSecretBasic sends the client's id and secret by HTTP Basic authentication (RFC 6749 section 2.3.1).
func ClientSecretBasic(id, secret string) ClientAuthentication {
	return ClientAuthentication{
		add: func(_ string, _ url.Values, header http.Header) error {
			request := http.Request{Header: header}
			request.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
			return nil
		},
		faults: clientFaults("ClientSecretBasic", "id", id, "secret", secret),
	}
}

// ClientSecretPost sends the client's id and secret in the form of the request (RFC 6749 section 2.3.1).
func ClientSecretPost(id, secret string) ClientAuthentication {
	return ClientAuthentication{
		add: func(_ string, form url.Values, _ http.Header) error {
			form.Set("client_id", id)
			form.Set("client_secret", secret)
			return nil
		},
		faults: clientFaults("ClientSecretPost", "id", id, "secret", secret),
	}
}

// assertionLifetime is how long an issuer may take for the authentication of a client.
const assertionLifetime = time.Minute

// PrivateKeyJWT sends an assertion that the client has signed (RFC 7523 section 2.2), for the issuer as audience. Each
// request has an assertion of its own, which is good for a minute. The algorithm is one that [Issuer.Algorithms] may
// have. The key is a private key of crypto/rsa, crypto/ecdsa or crypto/ed25519. The issuer knows the public key by
// keyID, which may be empty.
func PrivateKeyJWT(id, algorithm, keyID string, key crypto.Signer) ClientAuthentication {
	c := ClientAuthentication{faults: clientFaults("PrivateKeyJWT", "id", id, "algorithm", algorithm)}
	sign, err := jose.Signer(algorithm, key)
	if err != nil {
		c.faults = append(c.faults, fmt.Errorf("token: PrivateKeyJWT: %w", err))
	}
	c.add = func(issuer string, form url.Values, _ http.Header) error {
		now := time.Now()
		header := map[string]any{}
		if keyID != "" {
			header["kid"] = keyID
		}
		assertion, err := sign(header, jwt.MapClaims{
			"iss": id, "sub": id, "aud": issuer, "jti": rand.Text(),
			"iat": now.Unix(), "exp": now.Add(assertionLifetime).Unix(),
		})
		if err != nil {
			return errors.New("the key cannot sign the client's assertion")
		}
		form.Set("client_id", id)
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", assertion)
		return nil
	}
	return c
}

// TLSClientAuth sends the client's id, and the transport proves the client by a certificate (RFC 8705 section 2).
// [WithTransport] must give an [http.Transport] whose TLSClientConfig has Certificates or GetClientCertificate.
func TLSClientAuth(id string) ClientAuthentication {
	return ClientAuthentication{
		add: func(_ string, form url.Values, _ http.Header) error {
			form.Set("client_id", id)
			return nil
		},
		mutual: true,
		faults: clientFaults("TLSClientAuth", "id", id),
	}
}

// check returns every fault of the client, given the transport that sends its requests.
func (c *ClientAuthentication) check(transport http.RoundTripper) []error {
	if c.add == nil {
		return []error{errors.New("token: Introspection.Client is not set: give the credentials of this server at the issuer, such as token.ClientSecretBasic(id, secret)")}
	}
	t, ok := transport.(*http.Transport)
	if c.mutual && ok && (t.TLSClientConfig == nil || len(t.TLSClientConfig.Certificates) == 0 && t.TLSClientConfig.GetClientCertificate == nil) {
		return append(slices.Clone(c.faults), errors.New("token: TLSClientAuth: the transport has no certificate: give WithTransport an http.Transport whose TLSClientConfig has Certificates or GetClientCertificate"))
	}
	return c.faults
}

// clientFaults checks settings, given by name and value in turn. A fault shows no value.
func clientFaults(method string, settings ...string) (faults []error) {
	for pair := range slices.Chunk(settings, 2) {
		if err := endpoint.CheckSetting(pair[1]); err != nil {
			faults = append(faults, fmt.Errorf("token: %s: the %s %w", method, pair[0], err))
		}
	}
	return faults
}
