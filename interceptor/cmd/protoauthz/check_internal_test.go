package main

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"connectrpc.com/grpcreflect"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/known/emptypb"

	annotations "github.com/protoauthz/protoauthz/proto"
)

const checkedIssuers = `,
  "issuers": [{"preset": ["logto", "https://tenant.logto.app"]}]`

// checked are the files of a folder in which all agrees.
var checked = map[string]string{
	"authz.json": `{
  "audience": "https://shop.example.com",
  "public": ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "legacy.v1.LegacyService"],
  "sharedScopes": ["read:carts"],
  "shadow": ["shop.v1.CartService"],
  "unannotatedRefused": ["shop.v1.StockService"],
  "unannotatedOpen": ["shop.v1.NewsService"]` + checkedIssuers + `
}
`,
	"buf.yaml": `version: v2
modules:
  - path: proto
  - path: annotations
  - path: legacy
lint:
  use: [STANDARD, PROTOAUTHZ]
breaking:
  use:
    - FILE
    - PROTOAUTHZ_LOOSER
plugins:
  - plugin: buf-plugin-other
  - plugin: [go, tool, buf-plugin-protoauthz]
    options:
      audience: https://shop.example.com
      public: [legacy.v1.LegacyService]
      shared_scopes: ["read:carts"]
      unannotated_refused: [shop.v1.StockService]
      unannotated_open: [shop.v1.NewsService]
`,
	"annotations/protoauthz/v1/authz.proto": annotations.Authz,
	"legacy/legacy/v1/legacy.proto":         `syntax = "proto3"; package legacy.v1; message Empty {} service LegacyService { rpc Do(Empty) returns (Empty); }`,
	"proto/shop/v1/shop.proto": `syntax = "proto3";
package shop.v1;
import "protoauthz/v1/authz.proto";
message Request { string organization_id = 1; }
service OrderService {
  option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE};
  rpc ListOrders(Request) returns (Request) { option (protoauthz.v1.method) = {scopes: ["read:orders"]}; }
  rpc PlaceOrder(Request) returns (Request) { option (protoauthz.v1.method) = {scopes: ["write:orders"]}; }
}
service CartService {
  option (protoauthz.v1.service) = {model: MODEL_ORGANIZATION_RESOURCE, organization: {field: "organization_id"}};
  rpc GetCart(Request) returns (Request) { option (protoauthz.v1.method) = {scopes: ["read:carts"]}; }
}
service StockService {
  option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE};
  rpc GetStock(Request) returns (Request) { option (protoauthz.v1.method) = {scopes: ["read:carts"]}; }
  rpc Count(Request) returns (Request);
}
service NewsService {
  option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE};
  rpc Write(Request) returns (Request) { option (protoauthz.v1.method) = {scopes: ["write:news"]}; }
  rpc Read(Request) returns (Request);
}
`,
}

const (
	shopProto   = "proto/shop/v1/shop.proto"
	authzProto  = "annotations/protoauthz/v1/authz.proto"
	shopService = "shop.v1.OrderService"
)

// listed are the services that the server lists.
var listed = []string{shopService, "shop.v1.CartService", "shop.v1.StockService", "shop.v1.NewsService", "legacy.v1.LegacyService", "grpc.health.v1.Health"}

// An edit replaces a part of a file. Without an old part, it replaces the whole file. Without a new text for the whole
// file, the file goes.
type edit struct{ file, old, new string }

func edited(t testing.TB, edits ...edit) map[string]string {
	t.Helper()
	files := maps.Clone(checked)
	for _, e := range edits {
		switch {
		case e.old != "" && !strings.Contains(files[e.file], e.old):
			t.Fatalf("%s has no %q", e.file, e.old)
		case e.old != "":
			files[e.file] = strings.Replace(files[e.file], e.old, e.new, 1)
		case e.new == "":
			delete(files, e.file)
		default:
			files[e.file] = e.new
		}
	}
	return files
}

// protosOf returns the sources of files by the path of their import.
func protosOf(files map[string]string) map[string]string {
	sources := map[string]string{}
	for name, text := range files {
		if _, path, ok := strings.Cut(name, "/"); ok && name != authzProto {
			sources[path] = text
		}
	}
	return sources
}

// moreIssuers and namingRule make subjectIssuer necessary.
const moreIssuers = `["logto", "https://tenant.logto.app"]}, {"preset": ["logto", "https://other.logto.app"]}`

var namingRule = edit{shopProto, `{scopes: ["write:orders"]}`, `{scopes: ["write:orders"], subject: {field: "organization_id"}}`}

// A checkCase is a folder, a server and an image, with what differs.
type checkCase struct {
	name    string
	files   []edit   // of the folder
	link    string   // becomes a link, and the file or folder of this name moves aside
	server  []edit   // of what the server serves
	image   []edit   // of INPUT
	without string   // a service that the server does not list
	with    string   // one more service
	health  int      // the HTTP status of a health service, or 0 without the service
	args    []string // DIR, SERVER and IMAGE stand for the folder, the server and the image
	want    string   // the place of the only difference, or no difference
}

var (
	folder  = []string{"-authz", "DIR/authz.json", "-buf", "DIR/buf.yaml"}
	running = append(folder[:len(folder):len(folder)], "-server", "SERVER")
	alone   = append(folder[:len(folder):len(folder)], "IMAGE")
	built   = append(running[:len(running):len(running)], "IMAGE")
)

var checkCases = []checkCase{
	{name: "all agrees", args: built},
	{name: "the folder agrees", args: folder},
	{name: "CRLF", files: []edit{{authzProto, "", strings.ReplaceAll(annotations.Authz, "\n", "\r\n")}}, args: folder},
	{name: "another comment in the annotations", files: []edit{{authzProto, "who may call", "who can call"}}, args: folder},
	{name: "no buf.yaml beside a server", args: []string{"-authz", "DIR/authz.json", "-server", "SERVER"}},
	{name: "the document in YAML", files: []edit{{"authz.json", "", "audience: https://shop.example.com\npublic:\n  - grpc.health.v1.Health\n  - legacy.v1.LegacyService\nsharedScopes: ['read:carts']\n" +
		"shadow: [shop.v1.CartService]\nunannotatedRefused: [shop.v1.StockService]\nunannotatedOpen:\n  - shop.v1.NewsService\nissuers:\n  - preset: [logto, 'https://tenant.logto.app']\n"}}, args: folder, want: "authz.json:1: the document is YAML"},
	{name: "several issuers, and the rules name no user", files: []edit{{"authz.json", `["logto", "https://tenant.logto.app"]}`, moreIssuers}}, args: built},
	{name: "several issuers, and a rule names a user", files: []edit{{"authz.json", `["logto", "https://tenant.logto.app"]}`, moreIssuers}, namingRule}, args: folder, want: "authz.json:8: subjectIssuer: it is missing, and requests of /shop.v1.OrderService/PlaceOrder name"},
	{name: "several issuers, and a rule of all names a user", files: []edit{{"authz.json", `["logto", "https://tenant.logto.app"]}`, moreIssuers}, namingRule}, server: []edit{namingRule}, image: []edit{namingRule}, args: built, want: "authz.json:8: subjectIssuer: it is missing"},
	{name: "several issuers, and a rule of the server names a user", files: []edit{{"authz.json", `["logto", "https://tenant.logto.app"]}`, moreIssuers}}, server: []edit{namingRule}, args: running, want: "authz.json:8: subjectIssuer: it is missing"},
	{name: "one issuer, and a rule names a user", files: []edit{namingRule}, args: folder},
	{name: "a chosen issuer, and a rule names a user", files: []edit{{"authz.json", `["logto", "https://tenant.logto.app"]}`, moreIssuers}, {"authz.json", "\n}", ",\n  \"subjectIssuer\": \"https://tenant.logto.app/oidc\"\n}"}, namingRule}, args: folder},
	{name: "rules by name", files: []edit{{"buf.yaml", "- PROTOAUTHZ_LOOSER", "- PROTOAUTHZ_MADE_PUBLIC\n    - PROTOAUTHZ_MADE_AUTHENTICATED\n    - PROTOAUTHZ_SCOPE_REMOVED\n    - PROTOAUTHZ_ANY_SCOPE_ADDED\n" +
		"    - PROTOAUTHZ_MODEL_CHANGED\n    - PROTOAUTHZ_AUDIENCE_CHANGED\n    - PROTOAUTHZ_ORGANIZATION_LOOSENED\n    - PROTOAUTHZ_CALLER_LOOSENED\n" +
		"    - PROTOAUTHZ_SUBJECT_LOOSENED\n    - PROTOAUTHZ_CLIENT_LOOSENED\n    - PROTOAUTHZ_ALTERNATIVE_ADDED\n    - PROTOAUTHZ_RULE_LOST"}}, args: folder},
	{name: "no lists, so that all rules are on", files: []edit{{"buf.yaml", "lint:\n  use: [STANDARD, PROTOAUTHZ]\nbreaking:\n  use:\n    - FILE\n    - PROTOAUTHZ_LOOSER\n", ""}}, args: folder},
	{name: "an empty list of a module takes the list at the top", files: []edit{{"buf.yaml", "path: legacy", "path: legacy\n    lint: {}\n    breaking: {use: []}"}}, args: folder},
	{name: "a list of a module with annotations alone", files: []edit{{"buf.yaml", "path: annotations", "path: annotations\n    lint: {use: [STANDARD]}"}}, args: folder},
	{name: "a convention is off", files: []edit{{"buf.yaml", "use: [STANDARD, PROTOAUTHZ]", "use: [STANDARD, PROTOAUTHZ]\n  except: [PROTOAUTHZ_SCOPE_NAMING]"}}, args: folder},
	{name: "an intended change", files: []edit{{"buf.yaml", "    - PROTOAUTHZ_LOOSER", "    - PROTOAUTHZ_LOOSER\n  ignore_only: {PROTOAUTHZ_MADE_PUBLIC: [proto/shop/v1/shop.proto]}"}}, args: folder},
	{name: "a public service is ignored", files: []edit{{"buf.yaml", "use: [STANDARD, PROTOAUTHZ]", "use: [STANDARD, PROTOAUTHZ]\n  ignore: [legacy]"}}, args: folder},
	{name: "a convention is off, of the rules that are on by default", files: []edit{{"buf.yaml", "use: [STANDARD, PROTOAUTHZ]", "except: [PROTOAUTHZ_SCOPE_NAMING]"}}, args: folder},
	{name: "an alias", files: []edit{{"buf.yaml", "path: proto\n", "path: proto\n    lint: &own {use: [PROTOAUTHZ]}\n"}, {"buf.yaml", "path: legacy\n", "path: legacy\n    lint: *own\n"}, {"buf.yaml", "[STANDARD, PROTOAUTHZ]", "[STANDARD]"}}, args: folder},
	{name: "an excluded folder", files: []edit{{"proto/old/authz.proto", "", annotations.Authz}, {"buf.yaml", "path: proto\n", "path: proto\n    excludes: [proto/old]\n"}}, args: folder},
	{name: "an included folder", files: []edit{{"proto/old/authz.proto", "", annotations.Authz}, {"buf.yaml", "path: proto\n", "path: proto\n    includes: [proto/shop]\n"}}, args: folder},
	{name: "a module inside another", files: []edit{{authzProto, "", ""}, {"proto/third/protoauthz/v1/authz.proto", "", annotations.Authz}, {"buf.yaml", "path: annotations", "path: proto/third"}}, args: folder},
	{name: "an ignored folder of a module with its own list", files: []edit{{"buf.yaml", "use: [STANDARD, PROTOAUTHZ]", "use: [STANDARD, PROTOAUTHZ]\n  ignore: [proto]"}, {"buf.yaml", "path: proto\n", "path: proto\n    lint: {use: [PROTOAUTHZ]}\n"}}, args: folder},
	{name: "the server hides a public service of the image", without: "legacy.v1.LegacyService", args: built},
	{name: "the server hides its health", without: "grpc.health.v1.Health", args: running},
	{name: "the server hides a public service", without: "legacy.v1.LegacyService", args: running},

	{name: "another audience", files: []edit{{"authz.json", "https://shop.", "https://api."}}, args: folder, want: "buf.yaml:16: "},
	{name: "no audience of the plugin", files: []edit{{"buf.yaml", "      audience: https://shop.example.com\n", ""}}, args: folder, want: "buf.yaml:14: "},
	{name: "no audience of the document", files: []edit{{"authz.json", `"audience": "https://shop.example.com",`, ""}}, args: folder, want: "authz.json:1: audience"},
	{name: "a name that names nothing", files: []edit{{"authz.json", `"grpc.health.v1.Health"`, "\n    \"health\",\n    \"no name\""}}, args: folder, want: "authz.json:5: public[1]"},
	{name: "a public service in shadow", files: []edit{{"authz.json", `"shadow": [`, `"shadow": ["legacy.v1.LegacyService", `}}, args: built, want: "authz.json:5: shadow[0]"},
	{name: "a shared scope that is none", files: []edit{{"authz.json", `["read:carts"`, `["read:carts", ""`}, {"buf.yaml", `["read:carts"`, `["read:carts", ""`}}, args: folder, want: "authz.json:4: sharedScopes[1]"},
	{name: "a public service of the document", files: []edit{{"buf.yaml", "public: [legacy.v1.LegacyService]", "public: []"}}, args: folder, want: "buf.yaml:17: "},
	{name: "a public service of the plugin", files: []edit{{"buf.yaml", "public: [", "public: [shop.v1.CartService, "}}, args: folder, want: "buf.yaml:17: "},
	{name: "a text in place of a list", files: []edit{{"buf.yaml", "public: [legacy.v1.LegacyService]", "public: legacy.v1.LegacyService"}}, args: folder, want: "buf.yaml:17: "},
	{name: "a shared scope", files: []edit{{"buf.yaml", "      shared_scopes: [\"read:carts\"]\n", ""}}, args: folder, want: "buf.yaml:14: "},
	{name: "a refused service", files: []edit{{"authz.json", `["shop.v1.StockService"]`, "[]"}}, args: folder, want: "buf.yaml:19: "},
	{name: "an open service", files: []edit{{"buf.yaml", "[shop.v1.NewsService]", "[]"}}, args: folder, want: "buf.yaml:20: "},
	{name: "a message in shadow", files: []edit{{"authz.json", `"shadow": [`, `"shadow": ["shop.v1.Request", `}}, args: folder, want: "authz.json:5: shadow[0]: no module declares shop.v1.Request"},
	{name: "the same wrong name in both", files: []edit{{"authz.json", `["shop.v1.NewsService"`, "[\"shop.v1.NewsService\",\n\"shop.v1.NewsServic\""}, {"buf.yaml", "[shop.v1.NewsService", "[shop.v1.NewsServic, shop.v1.NewsService"}}, args: folder, want: "authz.json:8: unannotatedOpen[1]: no module declares shop.v1.NewsServic:"},
	{name: "a wrong name that is refused", files: []edit{{"authz.json", `["shop.v1.StockService"`, `["shop.v1.StockService", "shop.v1.Stock"`}, {"buf.yaml", "[shop.v1.StockService", "[shop.v1.Stock, shop.v1.StockService"}}, args: folder, want: "authz.json:6: unannotatedRefused[1]: no module declares shop.v1.Stock:"},
	{name: "a wrong name, and the module may be one of deps", files: []edit{{"authz.json", `"shadow": [`, `"shadow": ["shop.v1.Order", `}, {"buf.yaml", "version: v2", "version: v2\ndeps: [buf.build/acme/shop]"}}, args: folder},
	{name: "a wrong public name", files: []edit{{"authz.json", `"legacy.v1.LegacyService"`, `"legacy.v1.LegacyService", "legacy.v1.Legacy"`}}, args: folder},
	{name: "a service of the image alone in shadow", image: []edit{{shopProto, "service OrderService", "service PayService { option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE}; rpc Pay(Request) returns (Request) { option (protoauthz.v1.method) = {authenticated: true}; } }\nservice OrderService"}},
		files: []edit{{"authz.json", `"shadow": [`, `"shadow": ["shop.v1.PayService", `}}, args: alone},
	{name: "a wrong name beside the image", files: []edit{{"authz.json", `"shadow": [`, `"shadow": ["shop.v1.Order", `}}, args: alone, want: "authz.json:5: shadow[0]: IMAGE does not declare shop.v1.Order: "},
	{name: "a wrong name beside a server", files: []edit{{"authz.json", `"shadow": [`, `"shadow": ["shop.v1.Order", `}}, args: running, want: "authz.json:5: shadow[0]: no server lists shop.v1.Order: "},
	{name: "a wrong public name beside the image", files: []edit{{"authz.json", `"legacy.v1.LegacyService"`, `"legacy.v1.LegacyService", "legacy.v1.Legacy"`}}, args: alone},
	{name: "a public service of the image alone", image: []edit{{shopProto, "service OrderService", "service OpenService { rpc Open(Request) returns (Request); }\nservice OrderService"}},
		files: []edit{{"authz.json", `"legacy.v1.LegacyService"`, `"legacy.v1.LegacyService", "shop.v1.OpenService"`}}, args: alone},
	{name: "no plugin", files: []edit{{"buf.yaml", "buf-plugin-protoauthz]", "buf-plugin-mine]"}}, args: folder, want: "buf.yaml:1: "},
	{name: "the plugin twice", files: []edit{{"buf.yaml", "  - plugin: buf-plugin-other\n", "  - plugin: bin/buf-plugin-protoauthz.exe\n    options: &options {audience: 'https://shop.example.com', public: [legacy.v1.LegacyService], shared_scopes: ['read:carts'], unannotated_refused: [shop.v1.StockService], unannotated_open: [shop.v1.NewsService]}\n"}}, args: folder, want: "buf.yaml:15: "},
	{name: "lint lacks the category", files: []edit{{"buf.yaml", "[STANDARD, PROTOAUTHZ]", "[STANDARD]"}}, args: folder, want: "buf.yaml:7: "},
	{name: "breaking lacks the category", files: []edit{{"buf.yaml", "    - PROTOAUTHZ_LOOSER\n", ""}}, args: folder, want: "buf.yaml:10: "},
	{name: "one rule alone", files: []edit{{"buf.yaml", "- PROTOAUTHZ_LOOSER", "- PROTOAUTHZ_MADE_PUBLIC"}}, args: folder, want: "buf.yaml:10: "},
	{name: "a module drops the plugin", files: []edit{{"buf.yaml", "path: proto\n", "path: proto\n    lint:\n      use: [STANDARD]\n"}}, args: folder, want: "buf.yaml:5: "},
	{name: "a module drops breaking", files: []edit{{"buf.yaml", "path: legacy\n", "path: legacy\n    breaking:\n      use: [WIRE]\n"}}, args: folder, want: "buf.yaml:7: "},
	{name: "except of a rule", files: []edit{{"buf.yaml", "use: [STANDARD, PROTOAUTHZ]", "use: [STANDARD, PROTOAUTHZ]\n  except:\n    - PROTOAUTHZ_RULE_MISSING"}}, args: folder, want: "buf.yaml:9: "},
	{name: "except of the category", files: []edit{{"buf.yaml", "    - PROTOAUTHZ_LOOSER", "    - PROTOAUTHZ_LOOSER\n  except: [PROTOAUTHZ_LOOSER]"}}, args: folder, want: "buf.yaml:12: "},
	{name: "an ignored folder", files: []edit{{"buf.yaml", "use: [STANDARD, PROTOAUTHZ]", "use: [STANDARD, PROTOAUTHZ]\n  ignore: [proto/shop/]"}}, args: folder, want: "buf.yaml:8: "},
	{name: "a file that a rule ignores", files: []edit{{"buf.yaml", "use: [STANDARD, PROTOAUTHZ]", "use: [STANDARD, PROTOAUTHZ]\n  ignore_only:\n    PROTOAUTHZ_RULE_MISSING:\n      - proto/shop/v1/shop.proto"}}, args: folder, want: "buf.yaml:10: "},
	{name: "an ignored folder with two slashes", files: []edit{{"buf.yaml", "PROTOAUTHZ]", "PROTOAUTHZ]\n  ignore: [proto//shop]"}}, args: folder, want: "buf.yaml:8: "},
	{name: "an ignored folder by way of its parent", files: []edit{{"buf.yaml", "PROTOAUTHZ]", "PROTOAUTHZ]\n  ignore: [proto/x/../shop]"}}, args: folder, want: "buf.yaml:8: "},
	{name: "an ignored file by way of the same folder", files: []edit{{"buf.yaml", "PROTOAUTHZ]", "PROTOAUTHZ]\n  ignore: [proto/./shop/v1/shop.proto]"}}, args: folder, want: "buf.yaml:8: "},
	{name: "an ignored module with a dot", files: []edit{{"buf.yaml", "PROTOAUTHZ]", "PROTOAUTHZ]\n  ignore: [./proto/.]"}}, args: folder, want: "buf.yaml:8: "},
	{name: "an empty path is ignored", files: []edit{{"buf.yaml", "PROTOAUTHZ]", "PROTOAUTHZ]\n  ignore: ['']"}}, args: folder},
	{name: "a folder that a rule ignores in a module", files: []edit{{"buf.yaml", "path: proto\n", "path: proto\n    breaking:\n      use: [PROTOAUTHZ_LOOSER]\n      ignore_only: {PROTOAUTHZ_LOOSER: [proto/./shop]}\n"}}, args: folder, want: "buf.yaml:6: "},
	{name: "an ignored folder of breaking with two slashes", files: []edit{{"buf.yaml", "    - PROTOAUTHZ_LOOSER", "    - PROTOAUTHZ_LOOSER\n  ignore: [proto//shop/.]"}}, args: folder, want: "buf.yaml:12: "},
	{name: "unstable packages are ignored, in YAML 1.1", files: []edit{{"buf.yaml", "    - PROTOAUTHZ_LOOSER", "    - PROTOAUTHZ_LOOSER\n  ignore_unstable_packages: yes"}}, args: folder},
	{name: "a list of a module with another member alone", files: []edit{{"buf.yaml", "path: proto\n", "path: proto\n    breaking: {ignore_unstable_packages: yes}\n"}, {"buf.yaml", "    - PROTOAUTHZ_LOOSER\n", ""}, {"buf.yaml", "path: legacy", "path: legacy\n    breaking: {use: [PROTOAUTHZ_LOOSER]}"}}, args: folder},
	{name: "a comment at a method ignores a rule", files: []edit{{shopProto, "  rpc PlaceOrder", "  // buf:lint:ignore PROTOAUTHZ_RULE_MISSING\n  rpc PlaceOrder"}}, args: folder, want: shopProto + ":8: a comment ignores PROTOAUTHZ_RULE_MISSING"},
	{name: "a comment at a service ignores a rule", files: []edit{{shopProto, "service CartService", "/* the carts\n * buf:lint:ignore PROTOAUTHZ_ORGANIZATION_MISSING, for now */\nservice CartService"}}, args: folder, want: shopProto + ":11: a comment ignores PROTOAUTHZ_ORGANIZATION_MISSING"},
	{name: "a comment ignores a convention", files: []edit{{shopProto, "  rpc PlaceOrder", "  //buf:lint:ignore PROTOAUTHZ_SCOPE_NAMING\n  rpc PlaceOrder"}}, args: folder},
	{name: "a comment ignores a rule of buf, or speaks of it", files: []edit{{shopProto, "  rpc PlaceOrder", "  // buf:lint:ignore RPC_REQUEST_STANDARD_NAME\n  // no buf:lint:ignore PROTOAUTHZ_RULE_MISSING\n  rpc PlaceOrder"}}, args: folder},
	{name: "comments ignore nothing", files: []edit{{shopProto, "  rpc PlaceOrder", "  // buf:lint:ignore PROTOAUTHZ_RULE_MISSING\n  rpc PlaceOrder"}, {"buf.yaml", "PROTOAUTHZ]", "PROTOAUTHZ]\n  disallow_comment_ignores: on"}}, args: folder},
	{name: "a module lets comments ignore", files: []edit{{shopProto, "  rpc PlaceOrder", "  // buf:lint:ignore PROTOAUTHZ_RULE_MISSING\n  rpc PlaceOrder"}, {"buf.yaml", "PROTOAUTHZ]", "PROTOAUTHZ]\n  disallow_comment_ignores: true"}, {"buf.yaml", "path: proto\n", "path: proto\n    lint: {enum_zero_value_suffix: _NONE}\n"}}, args: folder, want: shopProto + ":8: "},
	{name: "a policy with the plugin", files: []edit{{"policy.yaml", "", "version: v2\nplugins: [{plugin: buf-plugin-protoauthz}]\n"}, {"buf.yaml", "plugins:\n", "policies:\n  - policy: policy.yaml\nplugins:\n"}}, args: folder, want: "buf.yaml:13: the policy policy.yaml runs "},
	{name: "a policy without the plugin, and one of a registry", files: []edit{{"policy.yaml", "", "version: v2\nlint: {use: [STANDARD]}\n"}, {"buf.yaml", "plugins:\n", "policies: [{policy: policy.yaml}, {policy: buf.build/acme/policy}]\nplugins:\n"}}, args: folder},
	{name: "a shell that gets the plugin's name", files: []edit{{"buf.yaml", "[go, tool, buf-plugin-protoauthz]", "[sh, -c, 'exec true', buf-plugin-protoauthz]"}}, args: folder, want: "buf.yaml:14: plugins[1].plugin names "},
	{name: "a shell that names the plugin in a text", files: []edit{{"buf.yaml", "[go, tool, buf-plugin-protoauthz]", "[sh, -c, 'exec buf-plugin-protoauthz']"}}, args: folder, want: "buf.yaml:14: plugins[1].plugin names "},
	{name: "another tool that gets the plugin's name", files: []edit{{"buf.yaml", "[go, tool, buf-plugin-protoauthz]", "[go, tool, other, buf-plugin-protoauthz]"}}, args: folder, want: "buf.yaml:14: plugins[1].plugin names "},
	{name: "the plugin by way of go run", files: []edit{{"buf.yaml", "[go, tool, buf-plugin-protoauthz]", "[go, run, -C, tools, -modfile=tools.mod, 'example.com/cmd/buf-plugin-protoauthz@v1.0.0']"}}, args: folder},
	{name: "a name of a package of gRPC that nothing has", files: []edit{{"authz.json", `["shop.v1.NewsService"`, `["shop.v1.NewsService", "grpc.nothing.v1.X"`}, {"buf.yaml", "unannotated_open: [", "unannotated_open: [grpc.nothing.v1.X, "}}, args: folder, want: "authz.json:7: unannotatedOpen[1]: no module declares grpc.nothing.v1.X"},
	{name: "no issuers", files: []edit{{"authz.json", checkedIssuers, ""}}, args: folder},
	{name: "a module without files", files: []edit{{"empty/readme.txt", "", "nothing"}, {"buf.yaml", "  - path: legacy\n", "  - path: legacy\n  - path: empty\n"}}, args: folder, want: "buf.yaml:6: modules[3] has no .proto file in empty"},
	{name: "a module whose files are not included", files: []edit{{"buf.yaml", "  - path: annotations\n", "  - path: annotations\n  - {path: other, includes: [other/a]}\n"}, {"other/b/b.proto", "", "package b;"}}, args: folder, want: "buf.yaml:5: modules[2] has no .proto file in other"},
	{name: "a module that waits for the annotations", files: []edit{{authzProto, "", ""}, {"annotations/readme.txt", "", "nothing"}}, args: folder, want: shopProto + ":3: no module has the imported protoauthz/v1/authz.proto: run protoauthz vendor annotations"},
	{name: "a module without files, and the annotations are of deps", files: []edit{{authzProto, "", ""}, {"annotations/readme.txt", "", "nothing"}, {"buf.yaml", "version: v2", "version: v2\ndeps: [buf.build/acme/annotations]"}}, args: folder, want: "buf.yaml:5: modules[1] has no .proto file in annotations"},
	{name: "a module that is a link", link: "proto", files: []edit{{"buf.yaml", "PROTOAUTHZ]", "PROTOAUTHZ]\n  ignore: [proto/shop]"}}, args: folder, want: "buf.yaml:8: "},
	{name: "a folder that is a link", link: "proto/shop", files: []edit{{"buf.yaml", "PROTOAUTHZ]", "PROTOAUTHZ]\n  ignore: [proto/shop]"}}, args: folder, want: "buf.yaml:8: "},
	{name: "a file that is a link", link: authzProto, files: []edit{{authzProto, "  repeated string any_scopes = 4;\n", ""}}, args: folder, want: authzProto + ":"},
	{name: "an ignored folder of breaking", files: []edit{{"buf.yaml", "    - PROTOAUTHZ_LOOSER", "    - PROTOAUTHZ_LOOSER\n  ignore: [proto]"}}, args: folder, want: "buf.yaml:12: "},

	{name: "annotations with another number", files: []edit{{authzProto, "MethodRule method = 404209324", "MethodRule method = 91731"}}, args: folder, want: authzProto + ":34: "},
	{name: "old annotations with another number", files: []edit{{authzProto, "  repeated string any_scopes = 4;\n", ""}, {authzProto, "ServiceRule service = 404209324", "ServiceRule service = 91731"}, {authzProto, "package protoauthz.v1;", "package protoauthz.v1; option java_package = \"a\";"}}, args: folder, want: authzProto + ":40: the annotations differ from the annotations of this command: the extension number is 91731, not 404209324"},
	{name: "old annotations", files: []edit{{authzProto, "  repeated string any_scopes = 4;\n", ""}, {authzProto, "  CALLER_CLIENT = 2;\n", ""}}, args: folder, want: authzProto + ":68: "},
	{name: "newer annotations", files: []edit{{authzProto, "  string audience = 8;", "  string audience = 8;\n  bool fresh = 9;"}}, args: folder, want: authzProto + ":"},
	{name: "annotations with more at the end", files: []edit{{authzProto, "", annotations.Authz + "message More {}"}}, args: folder, want: authzProto + ":"},
	{name: "annotations that are cut off", files: []edit{{authzProto, "", annotations.Authz[:len(annotations.Authz)/2]}}, args: folder, want: authzProto + ":"},
	{name: "a second copy", files: []edit{{"proto/protoauthz/v1/authz.proto", "", annotations.Authz}}, args: folder, want: "proto/protoauthz/v1/authz.proto:1: "},
	{name: "a copy in another place", files: []edit{{"proto/authz.proto", "", annotations.Authz}}, args: folder, want: "proto/authz.proto:1: "},
	{name: "no annotations", files: []edit{{authzProto, "", ""}, {"buf.yaml", "  - path: annotations\n", ""}}, args: folder, want: shopProto + ":3: "},

	{name: "the server opens a service", with: "shop.v1.OpenService", server: []edit{{shopProto, "service OrderService", "service OpenService { rpc Open(Request) returns (Request); }\nservice OrderService"}}, args: running, want: "SERVER: it lists shop.v1.OpenService, which has no rules"},
	{name: "the server lists a service without a descriptor", with: "acme.v1.HiddenService", args: running, want: "SERVER: it lists acme.v1.HiddenService, without a descriptor"},
	{name: "a method of the server without a rule", server: []edit{{shopProto, `{ option (protoauthz.v1.method) = {scopes: ["write:orders"]}; }`, ";"}}, args: running, want: "SERVER: with authz.json, no server starts: shop/v1/shop.proto:8"},
	{name: "a method of the server without a rule, and with one in the image", server: []edit{{shopProto, `{ option (protoauthz.v1.method) = {scopes: ["write:orders"]}; }`, ";"}}, args: built, want: "SERVER: with authz.json, no server starts: shop/v1/shop.proto:8"},
	{name: "a refused service is annotated in whole, and not in the image", server: []edit{{shopProto, "rpc Count(Request) returns (Request);", "rpc Count(Request) returns (Request) { option (protoauthz.v1.method) = {public: true}; }"}}, args: built, want: "authz.json:6: unannotatedRefused"},
	{name: "a rule that contradicts itself", server: []edit{{shopProto, `{scopes: ["write:orders"]}`, `{scopes: ["write:orders"], public: true}`}}, args: running, want: "SERVER: with authz.json, no server starts: shop/v1/shop.proto:8"},
	{name: "a public service of the document has rules", server: []edit{{"legacy/legacy/v1/legacy.proto", "returns (Empty);", "returns (Empty) { option (protoauthz.v1.method) = {public: true}; }"}, {"legacy/legacy/v1/legacy.proto", "message", `import "protoauthz/v1/authz.proto"; message`}}, args: running, want: "authz.json:3: public"},
	{name: "a refused service is annotated in whole", server: []edit{{shopProto, "rpc Count(Request) returns (Request);", "rpc Count(Request) returns (Request) { option (protoauthz.v1.method) = {public: true}; }"}}, args: running, want: "authz.json:6: unannotatedRefused"},
	{name: "a service in shadow is not served", without: "shop.v1.CartService", files: []edit{}, args: running, want: "authz.json:5: shadow[0]: no server lists shop.v1.CartService"},
	{name: "health is open, and not listed", without: healthService, health: http.StatusOK, files: []edit{{"authz.json", `"grpc.health.v1.Health", `, ""}}, args: running, want: "SERVER: it answers grpc.health.v1.Health to everybody"},
	{name: "health is guarded, and not listed", without: healthService, health: http.StatusUnauthorized, files: []edit{{"authz.json", `"grpc.health.v1.Health", `, ""}}, args: running},
	{name: "health is public, and not listed", without: healthService, health: http.StatusOK, args: running},
	{name: "reflection is open", files: []edit{{"authz.json", `"grpc.reflection.v1.ServerReflection", `, ""}}, args: running, want: "SERVER: it answers grpc.reflection.v1.ServerReflection to everybody"},

	{name: "a rule of the image", image: []edit{{shopProto, `{scopes: ["write:orders"]}`, `{public: true}`}}, args: built, want: "SERVER: its rule of /shop.v1.OrderService/PlaceOrder"},
	{name: "a rule in shadow of the image", image: []edit{{shopProto, `MODEL_ORGANIZATION_RESOURCE, organization: {field: "organization_id"}`, `MODEL_ORGANIZATION_RESOURCE, organization: {header: "x-organization"}`}}, args: built, want: "SERVER: its rule of /shop.v1.CartService/GetCart"},
	{name: "a new method in the image", image: []edit{{shopProto, "service CartService", "service CartService"}, {shopProto, `rpc PlaceOrder`, `rpc Cancel(Request) returns (Request) { option (protoauthz.v1.method) = {scopes: ["write:orders"]}; } rpc PlaceOrder`}}, args: built, want: "SERVER: it lacks /shop.v1.OrderService/Cancel"},
	{name: "a method of the server alone", server: []edit{{shopProto, `rpc PlaceOrder`, `rpc Cancel(Request) returns (Request) { option (protoauthz.v1.method) = {scopes: ["write:orders"]}; } rpc PlaceOrder`}}, args: built, want: "SERVER: it has /shop.v1.OrderService/Cancel"},
	{name: "a service of the image alone", image: []edit{{shopProto, "service OrderService", "service PayService { rpc Pay(Request) returns (Request) { option (protoauthz.v1.method) = {public: true}; } }\nservice OrderService"}}, args: built, want: "IMAGE: no server lists shop.v1.PayService"},
	{name: "a service of the server alone", with: "shop.v1.PayService", server: []edit{{shopProto, "service OrderService", "service PayService { rpc Pay(Request) returns (Request) { option (protoauthz.v1.method) = {public: true}; } }\nservice OrderService"}}, args: built, want: "SERVER: it lists shop.v1.PayService, which IMAGE does not declare"},
	{name: "the image has a method without a rule", image: []edit{{shopProto, `{ option (protoauthz.v1.method) = {scopes: ["write:orders"]}; }`, ";"}}, args: built, want: "IMAGE: with authz.json, no server starts: shop/v1/shop.proto:8"},
	{name: "the image has a service without rules", image: []edit{{shopProto, "service OrderService", "service OpenService { rpc Open(Request) returns (Request); }\nservice OrderService"}}, args: alone, want: "IMAGE: it declares shop.v1.OpenService, which has no rules"},
}

// TestCheck makes sure that each difference is seen, alone and in its place. The golden file has the whole texts.
func TestCheck(t *testing.T) {
	t.Parallel()
	results := make([]result, len(checkCases))
	t.Run("all", func(t *testing.T) {
		for n, c := range checkCases {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				got := c.run(t)
				results[n] = got
				status, differences := exitOK, 0
				if c.want != "" {
					status, differences = exitNo, 1
				}
				found, inPlace := 0, c.want == ""
				for line := range strings.Lines(got.stdout) {
					if strings.Contains(line, ": ") && !strings.Contains(line, ": note: ") && !strings.HasPrefix(line, "no difference: ") {
						found++
						inPlace = inPlace || strings.HasPrefix(line, c.want)
					}
				}
				if got.status != status || found != differences || !inPlace {
					t.Errorf("status %d, want %q alone:\n%s%s", got.status, c.want, got.stdout, got.stderr)
				}
			})
		}
	})
	tr := new(transcript)
	for n, c := range checkCases {
		tr.about("%s\n%s%s", c.name, results[n].stdout, results[n].stderr)
	}
	golden(t, "outside/check.txt", tr.String())
}

// run runs the command in a folder of its own.
func (c checkCase) run(t *testing.T) result {
	t.Helper()
	dir := t.TempDir()
	for name, text := range edited(t, c.files...) {
		writeIn(t, dir, name, text)
	}
	names := []string{"shop/v1/shop.proto", "legacy/v1/legacy.proto"}
	if name := filepath.Join(dir, c.link); c.link != "" {
		aside := filepath.Join(t.TempDir(), "aside")
		if err := errors.Join(os.Rename(name, aside), os.Symlink(aside, name)); err != nil {
			t.Fatal(err)
		}
	}
	image := write(t, "image.binpb", encode(t, compileSet(t, protosOf(edited(t, c.image...)), names...)))
	files, err := protodesc.NewFiles(compileSet(t, protosOf(edited(t, c.server...)), names...))
	if err != nil {
		t.Fatal(err)
	}
	var services []string
	for _, service := range append(listed[:len(listed):len(listed)], c.with) {
		if service != "" && service != c.without {
			services = append(services, service)
		}
	}
	mux := http.NewServeMux()
	if c.health != 0 {
		const procedure = "/" + healthService + "/Check"
		mux.Handle(procedure, connect.NewUnaryHandler(procedure, func(context.Context, *connect.Request[emptypb.Empty]) (*connect.Response[emptypb.Empty], error) {
			if c.health != http.StatusOK {
				return nil, connect.NewError(connect.CodeUnauthenticated, errors.New("no token"))
			}
			return connect.NewResponse(new(emptypb.Empty)), nil
		}))
	}
	mux.Handle(grpcreflect.NewHandlerV1(grpcreflect.NewReflector(grpcreflect.NamerFunc(func() []string { return services }), grpcreflect.WithDescriptorResolver(files))))
	server := serve(t, mux).URL
	args := []string{"check"}
	for _, arg := range c.args {
		args = append(args, strings.NewReplacer("DIR", dir, "SERVER", server, "IMAGE", image).Replace(arg))
	}
	got := execute(t, nil, args...)
	shorten := strings.NewReplacer(dir+"/", "", filepath.ToSlash(dir)+"/", "", server, "SERVER", image, "IMAGE")
	return result{got.status, shorten.Replace(got.stdout), shorten.Replace(got.stderr)}
}

// TestFindings makes sure that findings are printed by file and line, servers last, and each once.
func TestFindings(t *testing.T) {
	t.Parallel()
	f := new(findings)
	for _, place := range []string{"http://a:1", "b:10", "b:9", "b:10", "image", "a.json:2", "http://a:1"} {
		f.add(place, "text")
	}
	f.note("b:9", "more")
	var out strings.Builder
	differences, err := f.print(&out)
	if want := "a.json:2: text\nb:9: note: more\nb:9: text\nb:10: text\nimage: text\nhttp://a:1: text\n"; out.String() != want || differences != 5 || err != nil {
		t.Errorf("%d differences, %v:\n%s\nwant\n%s", differences, err, out.String(), want)
	}
}

// TestCheckServers makes sure that a name needs to be in one of the servers, and that each server is checked.
func TestCheckServers(t *testing.T) {
	t.Parallel()
	authz := write(t, "authz.json", []byte(strings.Replace(checked["authz.json"], `"grpc.reflection.v1.ServerReflection", `, "", 1)))
	set := compileSet(t, protosOf(checked), "shop/v1/shop.proto", "legacy/v1/legacy.proto")
	files, err := protodesc.NewFiles(set)
	if err != nil {
		t.Fatal(err)
	}
	one := serveNames(t, files, shopService, "shop.v1.CartService", "grpc.health.v1.Health")
	other := serveNames(t, files, "shop.v1.StockService", "shop.v1.NewsService", "legacy.v1.LegacyService", "grpc.health.v1.Health")
	image := write(t, "image.binpb", encode(t, set))
	for _, test := range []struct {
		name string
		args []string
		want []string // the beginnings of the differences
	}{
		{"one, and one that does not answer", []string{"-reflect-header", "A: b", "-server", one, "-server", "http://127.0.0.1:1", image}, nil},
		{"both", []string{"-reflect-header", "A: b", "-server", one, "-server", other, image}, nil},
		{"one", []string{"-reflect-header", "A: b", "-server", one}, []string{authz + ":6: unannotatedRefused[0]: no server lists ", authz + ":7: unannotatedOpen[0]: no server lists "}},
		{"one, and the image of both", []string{"-reflect-header", "A: b", "-server", other, image}, []string{authz + ":5: shadow[0]: ", image + ": no server lists shop.v1.CartService", image + ": no server lists shop.v1.OrderService"}},
		{"both, open", []string{"-server", one, "-server", other}, []string{one + ": it answers ", other + ": it answers "}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := execute(t, nil, append([]string{"check", "-authz", authz}, test.args...)...)
			var differences []string
			for line := range strings.Lines(got.stdout) {
				if strings.Contains(line, ": ") && !strings.Contains(line, ": note: ") && !strings.HasPrefix(line, "no difference: ") {
					differences = append(differences, line)
				}
			}
			slices.Sort(differences)
			slices.Sort(test.want)
			if !slices.EqualFunc(differences, test.want, strings.HasPrefix) || (got.status == exitNo) != (test.want != nil) {
				t.Errorf("status %d, want %q:\n%s%s", got.status, test.want, got.stdout, got.stderr)
			}
		})
	}
}

// TestCheckUnread makes sure that check fails if it cannot read a source, and prints the differences that it has found.
func TestCheckUnread(t *testing.T) {
	t.Parallel()
	authz, buf := write(t, "authz.json", []byte(`{"audience": "https://shop.example.com"`+checkedIssuers+"}")), "version: v2\nmodules: [{path: .}]\n"
	for _, test := range []struct {
		name, buf, stdout string
		args              []string
		says              []string
	}{
		{"no document", buf, "", []string{"-authz", "missing.json"}, []string{"-authz: missing.json does not exist in /", "name the file"}},
		{"an empty name of the document", buf, "", []string{"-authz", ""}, []string{"-authz is empty: "}},
		{"no buf.yaml", "", "", []string{"-buf", "missing.yaml"}, []string{"-buf: open missing.yaml: ", "beside buf.yaml"}},
		{"no buf.yaml that was named, beside a server", "", "", []string{"-buf", "missing.yaml", "-server", "http://127.0.0.1:1"}, []string{"-buf: open missing.yaml: ", "http://127.0.0.1:1: "}},
		{"buf.yaml of version v1", "version: v1\n", "", nil, []string{"buf.yaml:1: version v1 knows no plugins", "buf config migrate"}},
		{"buf.work.yaml", "version: v1\ndirectories: [proto]\n", "", nil, []string{"version v1 knows no plugins"}},
		{"no version", "modules: []\n", "", nil, []string{"buf.yaml:1: version is not v2"}},
		{"an empty file", "\n", "", nil, []string{"it is empty"}},
		{"no YAML", "version: [\n", "", nil, []string{"it is not YAML"}},
		{"another type, a key twice and a merge key", "version: v2\nplugins: [{plugin: {}}]\nbreaking: []\nlint: {}\nlint: {<<: {}}\nmodules: {}\n", "", nil, []string{"buf.yaml:2: plugins[0].plugin is not a text", "buf.yaml:3: breaking is not a mapping", "buf.yaml:5: the file has lint twice", "buf.yaml:5: lint has a merge key", "buf.yaml:6: modules is not a list", "buf.yaml:3: breaking is not a mapping: write members"}},
		{"a list in place of a boolean", "version: v2\nmodules: [{path: ., lint: {ignore_unstable_packages: []}}]\n", "", nil, []string{"buf.yaml:2: modules[0].lint.ignore_unstable_packages is not a boolean"}},
		{"tags", "version: v2\nmodules:\n  - path: !!binary cHJvdG8=\nlint: {ignore: [!x proto]}\n", "", nil, []string{"buf.yaml:3: a tag of YAML", "buf.yaml:4: a tag of YAML"}},
		{"a URL with a percent sign in its password", buf, "plugins lacks", []string{"-server", "https://ci:s3cret%RET@api.example.com"}, []string{"https://xxxxx@api.example.com: a URL of a server is malformed"}},
		{"a URL with a bad port and a password", buf, "plugins lacks", []string{"-server", "https://ci:s3cret@api.example.com:bad"}, []string{"https://xxxxx@api.example.com:bad: a URL of a server is malformed"}},
		{"a URL with a secret in its query", buf, "plugins lacks", []string{"-server", "http://127.0.0.1:1?token=s3cret"}, []string{"http://127.0.0.1:1?…: "}},
		{"a folder as the document", buf, "", []string{"-authz", "testdata"}, []string{"testdata is a folder: name the file of the deployment, such as testdata/authz.json"}},
		{"no folder of a module", "version: v2\nmodules:\n  - path: proto\n", "", nil, []string{"modules: ", "proto"}},
		{"no server", buf, "plugins lacks buf-plugin-protoauthz", []string{"-server", "http://user:s3cret@127.0.0.1:1"}, []string{"http://xxxxx@127.0.0.1:1: "}},
		{"a server over plain HTTP", buf, "plugins lacks", []string{"-server", "http://192.0.2.1:1", "-reflect-header", "A: s3cret"}, []string{"https://"}},
		{"no image", buf, "plugins lacks", []string{"missing.binpb"}, []string{"open missing.binpb"}},
		{"a server as INPUT", buf, "", []string{"http://127.0.0.1:1"}, []string{"give a server with -server"}},
		{"two images", buf, "", []string{"a", "b"}, []string{"2 arguments"}},
		{"a server without scheme", buf, "", []string{"-server", "s3cret"}, []string{"-server: give the URL"}},
		{"a header alone", buf, "", []string{"-reflect-header", "s3cret"}, []string{"give -server"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			args := []string{"check", "-authz", authz}
			if test.buf != "" {
				args = append(args, "-buf", write(t, "buf.yaml", []byte(test.buf)))
			}
			got := execute(t, nil, append(args, test.args...)...)
			if got.status != exitFailed || !strings.Contains(got.stdout, test.stdout) || test.stdout == "" && got.stdout != "" || strings.Contains(got.stdout+got.stderr, "s3cret") {
				t.Errorf("got %+v", got)
			}
			for _, text := range test.says {
				if !strings.Contains(got.stderr, text) {
					t.Errorf("%q is not in %s", text, got.stderr)
				}
			}
		})
	}
}
