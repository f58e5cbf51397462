package identify_test

import (
	"encoding/base64"
	"encoding/json"
	"go/ast"
	"go/parser"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/identify"
	"github.com/protoauthz/protoauthz/interceptor/internal/guide"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/providers"
	"github.com/protoauthz/protoauthz/interceptor/internal/unverified"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// families are the providers whose tokens the setups have, by the first part of a setup's name.
var families = map[string][]string{
	"adfs": {"AD FS"}, "asgardeo": {"Asgardeo"}, "auth0": {"Auth0"}, "authaction": {"AuthAction"}, "authelia": {"Authelia"}, "authentik": {"Authentik"}, "aws": {"AWS"},
	"bitbucket-pipelines": {"Bitbucket Pipelines"}, "buildkite": {"Buildkite"}, "casdoor": {"Casdoor"}, "circleci": {"CircleCI"}, "clerk": {"Clerk"}, "cloudflare-access": {"Cloudflare Access"},
	"cognito": {"Cognito"}, "curity": {"Curity"}, "descope": {"Descope"}, "dex": {"Dex"}, "duende": {"Duende IdentityServer"}, "eks": {"Kubernetes"},
	"entra": {"Entra ID", "Entra ID, version 1.0", "Entra External ID", "Azure AD B2C"}, "firebase": {"Firebase"}, "frontegg": {"Frontegg"}, "fusionauth": {"FusionAuth"},
	"github-actions": {"GitHub Actions"}, "gitlab-ci": {"GitLab CI/CD"}, "gke": {"Kubernetes"}, "google": {"Google", "Google Identity-Aware Proxy"}, "hanko": {"Hanko"},
	"hydra": {"Ory Hydra"}, "keycloak": {"Keycloak"}, "kinde": {"Kinde"}, "kubernetes": {"Kubernetes"}, "logto": {"Logto"}, "nhost": {"Nhost"}, "okta": {"Okta"},
	"openiddict": {"OpenIddict"}, "pingam": {"PingAM"}, "pingone": {"PingOne"}, "salesforce": {"Salesforce"}, "sap": {"SAP Cloud Identity Services", "SAP XSUAA"},
	"spiffe": {"SPIFFE"}, "stytch": {"Stytch"}, "supabase": {"Supabase"}, "supertokens": {"SuperTokens"}, "terraform-cloud": {"HCP Terraform"}, "vault": {"HashiCorp Vault"},
	"vercel": {"Vercel"}, "workos": {"WorkOS", "WorkOS Connect"}, "zitadel": {"Zitadel"},
}

// unfit are the setups whose tokens need a change that the user must make.
var unfit = []string{"clerk/jwt-template", "stytch/consumer"}

// unnamed are the setups whose tokens have nothing that their provider alone writes.
var unnamed = []string{"authelia"}

func identified(t *testing.T, setup *providers.Setup, one *providers.Token) (f identify.Finding, ok bool) {
	t.Helper()
	raw, _ := setup.Sign(t, one)
	read, err := identify.Read(raw)
	if err != nil {
		return f, false
	}
	return identify.Identify(read), true
}

// TestIdentify tries every token of the data: no provider is named wrongly, and the issuer of a token that must be
// accepted is the right one.
func TestIdentify(t *testing.T) {
	t.Parallel()
	literals := map[string]guide.Literal{}
	for _, literal := range guide.Literals() {
		literals[literal.Name] = literal
	}
	setups := providers.Load(t)
	providers.Keys()
	named, unknown := 0, 0
	for _, setup := range setups {
		prefix, _, _ := strings.Cut(setup.Name, "/")
		exact := false // the issuer of one token is the guide's
		synctest.Test(t, func(t *testing.T) {
			for _, one := range setup.Tokens {
				f, ok := identified(t, setup, one)
				accepted := one.Refused == ""
				literal, isLiteral := literals[setup.Name]
				switch {
				case !ok || f.Provider == "":
					unknown++
					if accepted && !slices.Contains(unnamed, setup.Name) && one.Name != "the other spelling of typ" {
						t.Errorf("%s: %s: the provider is not known", setup.Name, one.Name)
					}
					continue
				case !slices.Contains(families[prefix], f.Provider):
					t.Errorf("%s: %s: it is said to be of %s", setup.Name, one.Name, f.Provider)
				case accepted && f.Refused != nil && !slices.Contains(unfit, setup.Name):
					t.Errorf("%s: %s: it is refused: %v", setup.Name, one.Name, f.Refused)
				case accepted && isLiteral && (f.Provider != literal.Section || !strings.Contains(f.Use, "literal")):
					t.Errorf("%s: %s: %s, %s is used in place of the literal", setup.Name, one.Name, f.Provider, f.Use)
				}
				named++
				issuer := f.Issuer
				if issuer.Audience != "" {
					issuer.Audience = literal.Issuer.Audience
				}
				if strings.HasPrefix(issuer.KeySetURL, "TODO") {
					issuer.KeySetURL = literal.Issuer.KeySetURL
				}
				exact = exact || isLiteral && reflect.DeepEqual(issuer, literal.Issuer)
			}
		})
		if _, isLiteral := literals[setup.Name]; isLiteral && !exact && !slices.Contains(unnamed, setup.Name) {
			t.Errorf("%s: no token has the issuer of the guide", setup.Name)
		}
	}
	t.Logf("%d setups: %d tokens are named, %d are not", len(setups), named, unknown)
	if named < 395 {
		t.Errorf("only %d tokens are named", named)
	}
}

// TestSiblings makes sure that an issuer that was made from an access token does not accept an ID token of the same
// setup as a token for the API, and that an issuer with open questions keeps a server from starting.
func TestSiblings(t *testing.T) {
	t.Parallel()
	providers.Keys()
	tried := 0
	for _, setup := range providers.Load(t) {
		synctest.Test(t, func(t *testing.T) {
			signed, siblings := map[string]string{}, map[string]string{} // names by tokens
			for _, one := range setup.Tokens {
				for _, variant := range one.Variants() {
					raw, _ := setup.Sign(t, variant)
					if signed[raw] = one.Name; one.Kind == "ID token" {
						siblings[raw] = one.Name
					}
				}
			}
			for raw, one := range signed {
				read, err := identify.Read(raw)
				if err != nil {
					continue
				}
				f := identify.Identify(read)
				if f.Refused != nil {
					continue
				}
				if _, err := token.NewVerifier(f.Issuer); f.Provider == "" && err == nil {
					t.Errorf("%s: %s: a server starts with\n%s", setup.Name, one, f.Go)
				}
				if strings.HasPrefix(f.Issuer.KeySetURL, "TODO") {
					f.Issuer.KeySetURL = "https://keys.test/jwks"
				}
				for raw, name := range siblings {
					tried++
					if claims, err := unverified.Token(f.Issuer, raw); err == nil && claims.HasAudience(setup.Audience) {
						t.Errorf("%s: the issuer of %s accepts %s", setup.Name, one, name)
					}
				}
			}
		})
	}
	if tried < 300 {
		t.Errorf("only %d siblings were tried", tried)
	}
}

// TestGo makes sure that the Go code says what the issuer is.
func TestGo(t *testing.T) {
	t.Parallel()
	providers.Keys()
	for _, setup := range providers.Load(t) {
		synctest.Test(t, func(t *testing.T) {
			for _, one := range setup.Tokens {
				f, ok := identified(t, setup, one)
				if (f.Go == "") != (!ok || f.Refused != nil) {
					t.Errorf("%s: %s: refused %v, and the code is %q", setup.Name, one.Name, f.Refused, f.Go)
				}
				if f.Go == "" {
					continue
				}
				want, err := json.Marshal(f.Issuer)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := json.Marshal(evaluate(t, f.Go)); err != nil || string(got) != string(want) {
					t.Errorf("%s: %s: %v: the code\n%s\nis %s, want %s", setup.Name, one.Name, err, f.Go, got, want)
				}
			}
		})
	}
}

// functions are the presets.
var functions = map[string]any{
	"Auth0": token.Auth0, "AuthAction": token.AuthAction, "Clerk": token.Clerk, "Cognito": token.Cognito, "Dex": token.Dex, "Entra": token.Entra, "Firebase": token.Firebase,
	"GoogleServiceAccounts": token.GoogleServiceAccounts, "Keycloak": token.Keycloak, "Kubernetes": token.Kubernetes, "Logto": token.Logto, "Okta": token.Okta,
	"Supabase": token.Supabase, "WorkOS": token.WorkOS, "Zitadel": token.Zitadel,
}

// evaluate returns the issuer that Go code makes.
func evaluate(t *testing.T, code string) (issuer token.Issuer) {
	t.Helper()
	tree, err := parser.ParseExpr("func() {\n" + code + "}")
	if err != nil {
		t.Fatalf("%v:\n%s", err, code)
	}
	for _, statement := range as[*ast.FuncLit](t, tree).Body.List {
		assign := as[*ast.AssignStmt](t, statement)
		switch value := assign.Rhs[0].(type) {
		case *ast.CallExpr:
			var arguments []reflect.Value
			for _, argument := range value.Args {
				arguments = append(arguments, reflect.ValueOf(text(t, argument)))
			}
			preset := reflect.ValueOf(functions[as[*ast.SelectorExpr](t, value.Fun).Sel.Name])
			issuer = as[token.Issuer](t, preset.Call(arguments)[0].Interface())
		case *ast.CompositeLit:
			for _, element := range value.Elts {
				member := as[*ast.KeyValueExpr](t, element)
				set(t, &issuer, as[*ast.Ident](t, member.Key), member.Value)
			}
		default:
			for n, value := range assign.Rhs {
				set(t, &issuer, as[*ast.SelectorExpr](t, assign.Lhs[n]).Sel, value)
			}
		}
	}
	return issuer
}

// as returns a value of a type.
func as[T any](t *testing.T, value any) T {
	t.Helper()
	typed, ok := value.(T)
	if !ok {
		t.Fatalf("it is a %T, not a %T", value, typed)
	}
	return typed
}

func set(t *testing.T, issuer *token.Issuer, name *ast.Ident, value ast.Expr) {
	t.Helper()
	switch field := reflect.ValueOf(issuer).Elem().FieldByName(name.Name).Addr().Interface().(type) {
	case *string:
		*field = text(t, value)
	case *bool:
		*field = as[*ast.Ident](t, value).Name == "true"
	case *[]string:
		*field = list(t, value)
	case *map[string][]string:
		*field = map[string][]string{}
		for _, entry := range as[*ast.CompositeLit](t, value).Elts {
			member := as[*ast.KeyValueExpr](t, entry)
			(*field)[text(t, member.Key)] = list(t, member.Value)
		}
	}
}

func list(t *testing.T, value ast.Expr) []string {
	t.Helper()
	texts := []string{}
	for _, element := range as[*ast.CompositeLit](t, value).Elts {
		texts = append(texts, text(t, element))
	}
	return texts
}

func text(t *testing.T, value ast.Expr) string {
	t.Helper()
	if constant, ok := value.(*ast.SelectorExpr); ok {
		return map[string]string{"AnyValue": token.AnyValue, "NoValue": token.NoValue}[constant.Sel.Name]
	}
	text, err := strconv.Unquote(as[*ast.BasicLit](t, value).Value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestAnyValue makes sure that a token cannot write an issuer that accepts everybody.
func TestAnyValue(t *testing.T) {
	t.Parallel()
	providers.Keys()
	tried := 0
	for _, setup := range providers.Load(t) {
		synctest.Test(t, func(t *testing.T) {
			for _, one := range setup.Tokens {
				f, ok := identified(t, setup, one)
				if !ok || f.Provider == "" || f.Refused != nil {
					continue
				}
				for claim, values := range f.Issuer.RequiredClaims {
					if slices.Contains(values, token.AnyValue) || slices.Contains(values, token.NoValue) || strings.HasPrefix(claim, "/") {
						continue
					}
					for _, value := range []string{token.AnyValue, token.NoValue} {
						evil := *one
						evil.Claims, evil.Like = maps.Clone(one.Claims), one.Like
						if evil.Claims == nil {
							evil.Claims = map[string]any{}
						}
						evil.Claims[claim] = value
						tried++
						if f, ok := identified(t, setup, &evil); ok && f.Provider != "" && f.Refused == nil && slices.Contains(f.Issuer.RequiredClaims[claim], value) {
							t.Errorf("%s: %s: %s %q makes\n%s", setup.Name, one.Name, claim, value, f.Go)
						}
					}
				}
			}
		})
	}
	if tried < 200 {
		t.Errorf("only %d values were tried", tried)
	}
}

// TestFamilies makes sure that the data has every provider that the tests name, and no other.
func TestFamilies(t *testing.T) {
	t.Parallel()
	rest := maps.Clone(families)
	for _, setup := range providers.Load(t) {
		prefix, _, _ := strings.Cut(setup.Name, "/")
		if families[prefix] == nil {
			t.Errorf("%s has no provider", setup.Name)
		}
		delete(rest, prefix)
	}
	for prefix := range rest {
		t.Errorf("no setup begins with %s", prefix)
	}
}

// TestListHost makes sure that an issuer over plain http on another machine, as in docker compose, gets the entry that
// it needs.
func TestListHost(t *testing.T) {
	t.Parallel()
	for iss, want := range map[string]string{
		"http://keycloak:8080/realms/acme":  "keycloak",
		"http://localhost:8080/realms/acme": "",
		"https://keycloak/realms/acme":      "",
	} {
		encode := base64.RawURLEncoding.EncodeToString
		raw := encode([]byte(`{"alg":"RS256","typ":"JWT","kid":"k"}`)) + "." + encode([]byte(`{"iss":"`+iss+`","exp":4102444800,"iat":1,"sub":"u","azp":"web","typ":"Bearer","scope":"a","aud":"api","jti":"j"}`)) + ".c2ln"
		read, err := identify.Read(raw)
		if err != nil {
			t.Fatal(err)
		}
		f := identify.Identify(read)
		if f.Refused != nil || f.Provider != "Keycloak" {
			t.Fatalf("%s: %+v", iss, f)
		}
		if got := strings.Join(f.Issuer.InsecureHTTPHosts, " "); got != want || strings.Contains(f.Go, "InsecureHTTPHosts") != (want != "") || (len(f.Todo) > 0) != (want != "") {
			t.Errorf("%s: %q, %q\n%s", iss, got, f.Todo, f.Go)
		}
	}
}
