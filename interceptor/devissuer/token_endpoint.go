package devissuer

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxFormBytes is the largest body of a request, in bytes.
const maxFormBytes = 64 << 10

// A tokenResponse is the response of RFC 6749 §5.1. For a token without scopes, Logto leaves scope out
// of the response for an API, and sends "" in the response for an organization.
type tokenResponse struct {
	AccessToken string  `json:"access_token"`
	ExpiresIn   int64   `json:"expires_in"`
	TokenType   string  `json:"token_type"`
	Scope       *string `json:"scope,omitempty"`
}

// A refusal is the error of RFC 6749 §5.2. Its description must hold neither " nor \. It repeats
// nothing of the request.
type refusal struct {
	status      int
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

func refuse(status int, code, description string) *refusal {
	return &refusal{status: status, Code: code, Description: description}
}

// serveAnswer answers a form that a client posts.
func serveAnswer(w http.ResponseWriter, r *http.Request, answer func(http.ResponseWriter, *http.Request) (any, *refusal)) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "application/json")
	body, refused := answer(w, r)
	if refused != nil {
		if refused.status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Basic realm="devissuer"`)
		}
		w.WriteHeader(refused.status)
		body = refused
	}
	_ = json.NewEncoder(w).Encode(body) // fails only if the client has left
}

// readClient returns the form that a client posts, and the client.
func (i *Issuer) readClient(w http.ResponseWriter, r *http.Request) (url.Values, Client, *refusal) {
	posted, refused := readForm(w, r)
	if refused != nil {
		return nil, Client{}, refused
	}
	client, refused := i.authenticate(r, posted)
	return posted, client, refused
}

func (i *Issuer) answerToken(w http.ResponseWriter, r *http.Request) (any, *refusal) {
	posted, client, refused := i.readClient(w, r)
	if refused != nil {
		return nil, refused
	}
	switch posted.Get("grant_type") {
	case "client_credentials":
		return i.grantClientCredentials(client, posted)
	case "":
		return nil, refuse(http.StatusBadRequest, "invalid_request", "grant_type is missing")
	default:
		return nil, refuse(http.StatusBadRequest, "unsupported_grant_type", "the only grant_type is client_credentials")
	}
}

// readForm returns the parameters of a request. It reads the body alone (RFC 6749 §2.3.1), and
// refuses a parameter that occurs twice.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, *refusal) {
	if r.URL.RawQuery != "" {
		return nil, refuse(http.StatusBadRequest, "invalid_request", "parameters belong in the body, not in the URL")
	}
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/x-www-form-urlencoded" {
		return nil, refuse(http.StatusBadRequest, "invalid_request", "the body must be application/x-www-form-urlencoded")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxFormBytes))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, refuse(http.StatusRequestEntityTooLarge, "invalid_request", "the body is larger than 64 KiB")
	}
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "invalid_request", "the body could not be read")
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "invalid_request", "the body is not well-formed")
	}
	// RFC 8707 §2 allows several resources. For this grant, Logto allows one.
	if len(form["resource"]) > 1 {
		return nil, refuse(http.StatusBadRequest, "invalid_target", "only one resource can be asked for")
	}
	for _, values := range form {
		if len(values) > 1 {
			return nil, refuse(http.StatusBadRequest, "invalid_request", "a parameter stands more than once")
		}
	}
	return form, nil
}

// authenticate returns the client whose secret is in the Authorization header or in the form. It
// refuses a request with both (RFC 6749 §2.3).
func (i *Issuer) authenticate(r *http.Request, form url.Values) (Client, *refusal) {
	id, secret := form.Get("client_id"), form.Get("client_secret")
	if headers := r.Header.Values("Authorization"); len(headers) > 0 {
		if len(headers) > 1 || secret != "" {
			return Client{}, refuse(http.StatusBadRequest, "invalid_request", "the client must authenticate in one way only")
		}
		basicID, basicSecret, ok := basicCredentials(r)
		if !ok {
			return Client{}, invalidClient()
		}
		if id != "" && id != basicID {
			return Client{}, refuse(http.StatusBadRequest, "invalid_request", "client_id differs from the Authorization header")
		}
		id, secret = basicID, basicSecret
	}
	client, known := i.clients[id]
	// The hashes of all secrets have the same length.
	want, got := sha256.Sum256([]byte(client.Secret)), sha256.Sum256([]byte(secret))
	if subtle.ConstantTimeCompare(want[:], got[:]) != 1 || !known {
		return Client{}, invalidClient()
	}
	return client, nil
}

func invalidClient() *refusal {
	return refuse(http.StatusUnauthorized, "invalid_client", "client authentication failed")
}

// basicCredentials returns id and secret, which are form-urlencoded in the header (RFC 6749 §2.3.1).
func basicCredentials(r *http.Request) (id, secret string, ok bool) {
	id, secret, ok = r.BasicAuth()
	if !ok {
		return "", "", false
	}
	id, idErr := url.QueryUnescape(id)
	secret, secretErr := url.QueryUnescape(secret)
	return id, secret, idErr == nil && secretErr == nil
}

// grantClientCredentials issues a token with the requested scopes that the client holds. It drops other
// scopes without an error, as Logto does.
func (i *Issuer) grantClientCredentials(client Client, asked url.Values) (*tokenResponse, *refusal) {
	request := Request{
		Client:       client.ID,
		Resource:     asked.Get("resource"),
		Organization: asked.Get("organization_id"),
		Scopes:       strings.Split(asked.Get("scope"), " "),
	}
	claims, scopes, err := i.grant(request)
	if err != nil {
		return nil, refuseGrant(request, err)
	}
	token, err := i.make(claims, format{opaque: i.opaque}, nil)
	if err != nil {
		return nil, refuse(http.StatusInternalServerError, "server_error", "the token could not be made")
	}
	response := &tokenResponse{AccessToken: token, ExpiresIn: int64(i.lifetime / time.Second), TokenType: "Bearer"}
	if len(scopes) > 0 || request.Resource == "" {
		scope := strings.Join(scopes, " ")
		response.Scope = &scope
	}
	return response, nil
}

// refuseGrant answers a request that asks for too much. The answer names nothing of the tenant.
func refuseGrant(request Request, err error) *refusal {
	f, _ := errors.AsType[*Fault](err)
	switch {
	case f != nil && f.Field == "Organization":
		// An unknown organization gets the same answer, so that no client learns which organizations exist.
		return refuse(http.StatusForbidden, "access_denied", "the client is not a member of the organization")
	case request.Resource == "":
		return refuse(http.StatusBadRequest, "invalid_target", neitherGiven)
	default:
		return refuse(http.StatusBadRequest, "invalid_target", "resource is not known")
	}
}
