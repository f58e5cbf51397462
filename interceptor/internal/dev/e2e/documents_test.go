package e2e_test

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/dev/e2e"
	docs "github.com/protoauthz/protoauthz/interceptor/internal/test/documents"
)

const root = "../../../.."

// branch makes a repository in which the sample's WhoAmI was made public on a branch of main.
const branch = `cp -r "$root/proto" "$root/buf.yaml" . && git init -q -b main && git add . &&
	git -c user.name=test -c user.email=test@example.com commit -q -m main &&
	sed -i.bak '/rpc WhoAmI/,/}/s/authenticated/public/' proto/sample/v1/catalog.proto && rm proto/sample/v1/*.bak`

// clone returns the documents, and the folder of the checkout.
func clone(t *testing.T) (all []docs.Document, folder string) {
	t.Helper()
	e2e.Tool(t, "git")
	all, err := docs.Load(root)
	if err != nil {
		t.Fatal(err)
	}
	if folder, err = filepath.Abs(root); err != nil {
		t.Fatal(err)
	}
	return all, folder
}

// TestClone runs the documents that are about the clone.
func TestClone(t *testing.T) {
	t.Parallel()
	all, folder := clone(t)
	for _, place := range docs.InClone {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			s := newSession(t, folder)
			sample := e2e.Start(t)
			s.addresses = map[string]string{"http://127.0.0.1:8080": sample.URL}
			s.replace = []string{
				"go run ./sample token", `go run -C "$root" ./sample token -server ` + sample.URL,
				"go install -C interceptor", `go install -C "$root/interceptor"`,
			}
			first := "root=$PWD"
			if strings.Contains(place, "cmd") { // which compares with a branch, and writes files
				first = "root=$PWD; cd " + t.TempDir() + "; " + branch
			}
			s.prepare = func(docs.Block) string {
				defer func() { first = "" }()
				return first
			}
			s.run(t, docs.At(all, place))
		})
	}
}

// serving returns addresses that are free, in place of the addresses at which the documents serve.
func serving(t *testing.T) map[string]string {
	t.Helper()
	free := map[string]string{}
	for _, documented := range []string{"127.0.0.1:3001", "127.0.0.1:8080"} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close() // after all have a port
		free[documented] = listener.Addr().String()
	}
	return free
}

// TestEmpty follows the documents from an empty folder, and compares the folders that the commands make with the
// folders of the example module.
func TestEmpty(t *testing.T) {
	t.Parallel()
	all, protoauthz := clone(t)
	for _, place := range docs.InEmpty {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			s := newSession(t, t.TempDir())
			s.addresses, s.writes = serving(t), true
			first := fmt.Sprintf("export GOBIN=%q", t.TempDir()) // which PATH lacks
			s.prepare = func(docs.Block) string {
				defer func() { first = "" }()
				return first
			}
			s.replace = []string{
				"git clone https://github.com/protoauthz/protoauthz", fmt.Sprintf("ln -s %q protoauthz", protoauthz),
				"go get ", "cp ../protoauthz/" + docs.StartModule + "/go.sum . && go get ", // without the checksum database
			}
			s.run(t, docs.At(all, place))
			for _, folder := range []string{"gen", "third_party"} {
				diff := exec.CommandContext(t.Context(), "diff", "-r", filepath.Join(protoauthz, docs.StartModule, folder), folder)
				diff.Dir = filepath.Join(s.folder, "shop")
				if out, err := diff.CombinedOutput(); err != nil {
					t.Errorf("%v: %v\n%s", diff, err, out)
				}
			}
		})
	}
}

// TestModule runs the documents that are about the example module, each in a copy beside the clone.
func TestModule(t *testing.T) {
	t.Parallel()
	all, protoauthz := clone(t)
	for _, place := range docs.InModule {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			s := newSession(t, t.TempDir())
			s.addresses, s.writes = serving(t), true
			first := fmt.Sprintf(`ln -s %q protoauthz && cp -r protoauthz/%s shop && cd shop &&
				go mod edit -replace github.com/protoauthz/protoauthz=../protoauthz &&
				go install -C ../protoauthz/interceptor/cmd ./protoauthz ./buf-plugin-protoauthz
				`, protoauthz, docs.StartModule)
			for documented, address := range s.addresses {
				first += fmt.Sprintf("sed -i.bak 's/%s/%s/' *.json *.go && rm *.bak\n", documented, address)
			}
			s.prepare = func(block docs.Block) string {
				commands := first
				first = ""
				if strings.HasPrefix(block.Text, "buf breaking") {
					commands += `git init -q -b main && git add . && git -c user.name=test -c user.email=test@example.com commit -q -m main
						sed -i.bak 's/scopes: "read:orders"/authenticated: true/' proto/order/v1/order.proto && rm proto/order/v1/*.bak`
				}
				return commands
			}
			s.run(t, docs.At(all, place))
		})
	}
}

// TestShop follows the document about production, in a module that has the shop's code and no requirements.
func TestShop(t *testing.T) {
	t.Parallel()
	all, protoauthz := clone(t)
	for _, place := range docs.InShop {
		s := newSession(t, t.TempDir())
		s.writes = true
		first := fmt.Sprintf(`ln -s %q protoauthz && mkdir shop && cd shop
			(cd ../protoauthz/%s && cp -r gen testdata go.sum main.go shop.go catalog.go orders.go stock.go glue_internal_test.go "$OLDPWD")
			find . -name '*.go' -exec sed -i.bak -E '/^\s\w* ?"/s|"github.com/protoauthz/protoauthz/%[2]s|"example.com/shop|' {} +
			go mod init example.com/shop
			go mod edit -require github.com/protoauthz/protoauthz@v0.0.0 -replace github.com/protoauthz/protoauthz=../protoauthz
			`, protoauthz, docs.ShopModule)
		s.prepare = func(docs.Block) string {
			defer func() { first = "" }()
			return first
		}
		s.run(t, docs.At(all, place))
	}
}
