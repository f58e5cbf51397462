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
	"slices"
	"strings"
	"time"
)

// maxFormBytes is the largest body of a token request, in bytes.
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

func (i *Issuer) serveToken(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "application/json")
	var body any
	response, refused := i.answer(w, r)
	if refused != nil {
		if refused.status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Basic realm="devissuer"`)
		}
		w.WriteHeader(refused.status)
		body = refused
	} else {
		body = response
	}
	_ = json.NewEncoder(w).Encode(body) // fails only if the client has left
}

func (i *Issuer) answer(w http.ResponseWriter, r *http.Request) (*tokenResponse, *refusal) {
	form, refused := readForm(w, r)
	if refused != nil {
		return nil, refused
	}
	client, refused := i.authenticate(r, form)
	if refused != nil {
		return nil, refused
	}
	switch form.Get("grant_type") {
	case "client_credentials":
		return i.grantClientCredentials(client, form)
	case "":
		return nil, refuse(http.StatusBadRequest, "invalid_request", "grant_type is missing")
	default:
		return nil, refuse(http.StatusBadRequest, "unsupported_grant_type", "the only grant_type is client_credentials")
	}
}

// readForm returns the parameters of a token request. It reads the body alone (RFC 6749 §2.3.1), and
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
func (i *Issuer) grantClientCredentials(client Client, form url.Values) (*tokenResponse, *refusal) {
	resource, organization := form.Get("resource"), form.Get("organization_id")
	requested := strings.Split(form.Get("scope"), " ")

	var membership Membership
	if organization != "" {
		// An unknown organization gets the same answer, so that no client learns which organizations exist.
		var member bool
		if membership, member = client.Organizations[organization]; !member {
			return nil, refuse(http.StatusForbidden, "access_denied", "the client is not a member of the organization")
		}
	}
	if resource == "" && organization == "" {
		return nil, refuse(http.StatusBadRequest, "invalid_target",
			"give resource for an API token, organization_id for an organization token, or both for an API token of the organization")
	}
	if _, known := i.resources[resource]; !known && resource != "" {
		return nil, refuse(http.StatusBadRequest, "invalid_target", "resource is not known")
	}

	claims := i.stamp(client.ID)
	var scope string
	switch {
	case resource == "":
		claims["aud"] = organizationURN + organization
		scope = common(membership.OrganizationScopes, requested)
	case organization == "":
		claims["aud"] = resource
		scope = common(requested, client.Scopes[resource])
	default:
		claims["aud"] = resource
		claims["organization_id"] = organization
		scope = common(requested, membership.Scopes[resource])
	}
	response := &tokenResponse{ExpiresIn: int64(i.lifetime / time.Second), TokenType: "Bearer"}
	if scope != "" || resource == "" {
		claims["scope"] = scope
		response.Scope = &scope
	}
	token, err := i.keySet().sign(claims, nil)
	if err != nil {
		return nil, refuse(http.StatusInternalServerError, "server_error", "the token could not be signed")
	}
	response.AccessToken = token
	return response, nil
}

// common joins the scopes that are in both lists, each once, in the order of the first list.
func common(first, second []string) string {
	var scopes []string
	for _, scope := range first {
		if slices.Contains(second, scope) && !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return strings.Join(scopes, " ")
}
