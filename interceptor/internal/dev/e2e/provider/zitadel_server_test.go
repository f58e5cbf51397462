package provider_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// The project of the API, which is the audience, and the organizations of Zitadel.
const (
	project   = "229"
	acmeID    = "178204173316174381"
	globexID  = "209358103284843523"
	rolesName = "urn:zitadel:iam:org:project:" + project + ":roles"
)

// A zitadel is the OpenID provider of zitadel/oidc in this process. Its storage is the storage of the example
// of zitadel/oidc, in which the methods below write tokens and answers as Zitadel does. It is safe for
// concurrent use.
type zitadel struct {
	*storage.Storage
	idp *idp

	mu      sync.Mutex
	keys    []*zitadelKey // that are published; the first one signs
	tokens  map[string]oidc.IntrospectionResponse
	gateway crypto.PublicKey // of the client gateway
}

// startZitadel starts the provider. Clients with an id that ends in /opaque get opaque access tokens.
func startZitadel(t *testing.T, opts ...op.Option) *zitadel {
	t.Helper()
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	clients := map[string]*storage.Client{}
	for _, id := range []string{"web", "web" + opaque, project, "worker", "worker" + opaque, "gateway"} {
		clients[id] = storage.WebClient(id, id+"-secret", callback)
	}
	z := &zitadel{
		Storage: storage.NewStorageWithClients(storage.NewUserStore(server.URL), clients),
		tokens:  map[string]oidc.IntrospectionResponse{},
	}
	z.rotate(t, 0)
	provider, err := op.NewProvider(&op.Config{
		CryptoKey:               sha256.Sum256([]byte("of a test")),
		AuthMethodPrivateKeyJWT: true,
		GrantTypeRefreshToken:   true,
	}, z, op.StaticIssuer(server.URL), append(opts, op.WithAllowInsecure(), op.WithCustomKeysEndpoint(op.NewEndpoint("/oauth/v2/keys")))...)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", provider)
	// Users sign in without a question.
	mux.HandleFunc("/login/username", func(w http.ResponseWriter, r *http.Request) {
		id := r.FormValue("authRequestID")
		if err := z.CheckUsernamePassword("test-user@127.0.0.1", "verysecure", id); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		http.Redirect(w, r, op.AuthCallbackURL(provider)(op.ContextWithIssuer(r.Context(), server.URL), id), http.StatusFound)
	})
	handler = mux
	z.idp = discover(t, server.URL)
	return z
}

// A zitadelKey is a key of one generation.
type zitadelKey struct {
	id      string
	private *rsa.PrivateKey
}

func (k *zitadelKey) ID() string                                  { return k.id }
func (k *zitadelKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k *zitadelKey) Key() any                                    { return k.private }

// A publishedKey is the public half of a zitadelKey.
type publishedKey struct{ *zitadelKey }

func (k publishedKey) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k publishedKey) Use() string                        { return "sig" }
func (k publishedKey) Key() any                           { return &k.private.PublicKey }

// rotate publishes these generations of keys, and signs with the first. A generation that is not published is
// made anew.
func (z *zitadel) rotate(t *testing.T, generations ...int) {
	t.Helper()
	z.mu.Lock()
	defer z.mu.Unlock()
	var keys []*zitadelKey
	for _, generation := range generations {
		id := strconv.Itoa(generation)
		if n := slices.IndexFunc(z.keys, func(k *zitadelKey) bool { return k.id == id }); n >= 0 {
			keys = append(keys, z.keys[n])
			continue
		}
		private, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, &zitadelKey{id, private})
	}
	z.keys = keys
}

func (z *zitadel) SigningKey(context.Context) (op.SigningKey, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.keys[0], nil
}

func (z *zitadel) KeySet(context.Context) (published []op.Key, _ error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	for _, key := range z.keys {
		published = append(published, publishedKey{key})
	}
	return published, nil
}

// A zitadelClient may use all grants.
type zitadelClient struct{ op.Client }

func (c zitadelClient) AccessTokenType() op.AccessTokenType {
	if strings.HasSuffix(c.GetID(), opaque) {
		return op.AccessTokenTypeBearer
	}
	return op.AccessTokenTypeJWT
}

func (zitadelClient) GrantTypes() []oidc.GrantType {
	return []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeImplicit, oidc.GrantTypeRefreshToken, oidc.GrantTypeClientCredentials}
}

func (zitadelClient) IsScopeAllowed(string) bool { return true }

func (z *zitadel) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	client, err := z.Storage.GetClientByClientID(ctx, id)
	return zitadelClient{client}, err
}

func (z *zitadel) ClientCredentials(ctx context.Context, id, secret string) (op.Client, error) {
	if err := z.AuthorizeClientIDSecret(ctx, id, secret); err != nil {
		return nil, err
	}
	return z.GetClientByClientID(ctx, id)
}

func (z *zitadel) ClientCredentialsTokenRequest(_ context.Context, id string, scopes []string) (op.TokenRequest, error) {
	return machineRequest{id, scopes}, nil
}

// A machineRequest is a request for a token by client credentials.
type machineRequest struct {
	client string
	scopes []string
}

func (r machineRequest) GetClientID() string   { return r.client }
func (r machineRequest) GetSubject() string    { return r.client }
func (r machineRequest) GetAudience() []string { return []string{r.client, project} }
func (r machineRequest) GetScopes() []string   { return r.scopes }

// A userRequest is a request that asks for the audience of the project, too.
type userRequest struct{ *storage.AuthRequest }

func (r userRequest) GetAudience() []string { return []string{r.ApplicationID, project} }

func (z *zitadel) AuthRequestByID(ctx context.Context, id string) (op.AuthRequest, error) {
	return asUserRequest(z.Storage.AuthRequestByID(ctx, id))
}

func (z *zitadel) AuthRequestByCode(ctx context.Context, code string) (op.AuthRequest, error) {
	return asUserRequest(z.Storage.AuthRequestByCode(ctx, code))
}

func asUserRequest(request op.AuthRequest, err error) (op.AuthRequest, error) {
	if example, ok := request.(*storage.AuthRequest); ok {
		return userRequest{example}, err
	}
	return nil, errors.Join(err, errors.New("no request"))
}

// CreateAccessToken keeps what introspection answers.
func (z *zitadel) CreateAccessToken(_ context.Context, request op.TokenRequest) (string, time.Time, error) {
	client, ok := request.(interface{ GetClientID() string })
	if !ok {
		return "", time.Time{}, errors.New("a token of nobody")
	}
	id, now := rand.Text(), time.Now()
	z.mu.Lock()
	defer z.mu.Unlock()
	z.tokens[id] = oidc.IntrospectionResponse{
		Scope:      request.GetScopes(),
		ClientID:   client.GetClientID(),
		TokenType:  oidc.BearerToken,
		Expiration: oidc.FromTime(now.Add(time.Hour)),
		IssuedAt:   oidc.FromTime(now),
		NotBefore:  oidc.FromTime(now),
		Subject:    request.GetSubject(),
		Audience:   request.GetAudience(),
		Issuer:     z.idp.issuer,
		JWTID:      id,
		Claims:     zitadelClaims(request.GetScopes()),
	}
	return id, now.Add(time.Hour), nil
}

// CreateAccessAndRefreshTokens serves clients that ask for offline_access.
func (z *zitadel) CreateAccessAndRefreshTokens(ctx context.Context, request op.TokenRequest, _ string) (id, refresh string, expiry time.Time, err error) {
	id, expiry, err = z.CreateAccessToken(ctx, request)
	return id, rand.Text(), expiry, err
}

// SetIntrospectionFromToken answers every client that is authenticated.
func (z *zitadel) SetIntrospectionFromToken(_ context.Context, response *oidc.IntrospectionResponse, id, _, _ string) error {
	z.mu.Lock()
	defer z.mu.Unlock()
	token, ok := z.tokens[id]
	if !ok {
		return errors.New("no such token")
	}
	*response = token
	return nil
}

// GetKeyByIDAndClientID returns the key by which a client authenticates itself.
func (z *zitadel) GetKeyByIDAndClientID(_ context.Context, id, client string) (*jose.JSONWebKey, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if client != "gateway" || z.gateway == nil {
		return nil, errors.New("no such key")
	}
	return &jose.JSONWebKey{Key: z.gateway, KeyID: id, Use: "sig"}, nil
}

func (z *zitadel) RevokeToken(_ context.Context, id, _, _ string) *oidc.Error {
	z.mu.Lock()
	defer z.mu.Unlock()
	delete(z.tokens, id)
	return nil
}

func (z *zitadel) GetPrivateClaimsFromScopes(_ context.Context, _, _ string, scopes []string) (map[string]any, error) {
	return zitadelClaims(scopes), nil
}

func (z *zitadel) SetUserinfoFromRequest(_ context.Context, info *oidc.UserInfo, request op.IDTokenRequest, scopes []string) error {
	for name, value := range zitadelClaims(scopes) {
		info.AppendClaims(name, value)
	}
	info.Subject = request.GetSubject()
	return nil
}

// zitadelClaims gives every scope with a colon as a role in the organization acme, and another role in globex.
func zitadelClaims(scopes []string) map[string]any {
	roles := map[string]map[string]string{"write:orders": {globexID: "globex.ch"}}
	for _, scope := range scopes {
		if strings.Contains(scope, ":") {
			roles[scope] = map[string]string{acmeID: "acme.ch"}
		}
	}
	return map[string]any{rolesName: roles, "urn:zitadel:iam:user:resourceowner:id": acmeID}
}
