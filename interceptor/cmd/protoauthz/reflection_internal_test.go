package main

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/grpcreflect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
)

var sampleServices = []string{"sample.v1.CatalogService", "sample.v1.DocumentService", "sample.v1.MemberService"}

func TestReflection(t *testing.T) {
	t.Parallel()
	want := execute(t, sampleImage(t), "matrix", "-audience", audience).stdout
	v1Path, v1 := grpcreflect.NewHandlerV1(grpcreflect.NewStaticReflector(sampleServices...))
	alphaPath, alpha := grpcreflect.NewHandlerV1Alpha(grpcreflect.NewStaticReflector(sampleServices...))
	for _, test := range []struct {
		name string
		mux  map[string]http.Handler
	}{
		{"v1", map[string]http.Handler{v1Path: v1}},
		{"v1alpha", map[string]http.Handler{alphaPath: alpha}},
		{"both", map[string]http.Handler{v1Path: v1, alphaPath: alpha}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			mux := http.NewServeMux()
			for path, handler := range test.mux {
				mux.Handle(path, handler)
			}
			url := serve(t, mux).URL
			for _, source := range []string{url, url + "/"} {
				got := execute(t, nil, "matrix", "-audience", audience, source)
				if got.status != exitOK || got.stdout != want {
					t.Errorf("status %d, %s, got\n%s\nwant\n%s", got.status, got.stderr, got.stdout, want)
				}
			}
			// The server and the image have the same rules.
			if got := execute(t, sampleImage(t), "diff", "-audience", audience, url, "-"); got.status != exitOK || !strings.Contains(got.stdout, "nothing has changed") {
				t.Errorf("status %d, %s%s", got.status, got.stdout, got.stderr)
			}
		})
	}
}

// Over TLS, with a certificate that the system trusts: in a process of its own, which reads
// SSL_CERT_FILE.
func TestReflectionOverTLS(t *testing.T) {
	t.Parallel()
	path, handler := grpcreflect.NewHandlerV1(grpcreflect.NewStaticReflector(sampleServices...))
	mux := http.NewServeMux()
	mux.Handle(path, handler)
	server := httptest.NewUnstartedServer(mux)
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(new(bytes.Buffer), "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	trusted := write(t, "ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		certificates string
		ok           bool
	}{"trusted": {trusted, true}, "stranger": {write(t, "none.pem", nil), false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command := exec.CommandContext(t.Context(), self, "matrix", "-audience", audience, server.URL)
			command.Env = append(os.Environ(), asCommand+"=1", "SSL_CERT_FILE="+test.certificates, "SSL_CERT_DIR="+t.TempDir())
			out, err := command.Output()
			if (err == nil) != test.ok || strings.Contains(string(out), "CreateOrder") != test.ok {
				t.Errorf("%v, printed %q", err, out)
			}
		})
	}
}

// The value of -reflect-header goes to the named server alone.
func TestHeaderForOneServer(t *testing.T) {
	t.Parallel()
	path, handler := grpcreflect.NewHandlerV1(grpcreflect.NewStaticReflector(sampleServices...))
	var asked atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			asked.Add(1)
		}
		handler.ServeHTTP(w, r)
	})
	one, other := serve(t, mux).URL, serve(t, mux).URL
	for _, test := range []struct {
		old, new string
		status   int
		asked    int64
	}{
		{one, other, exitFailed, 0},
		{one, strings.Replace(one, "http:", "https:", 1), exitFailed, 0},
		{strings.Replace(one, "http:", "https:", 1), one, exitFailed, 0}, // which would be asked first
		{one, one + "/", exitOK, 2},
		{one, "-", exitOK, 1},
	} {
		asked.Store(0)
		got := execute(t, sampleImage(t), "diff", "-audience", audience, "-reflect-header", "Authorization: Bearer hunter2", test.old, test.new)
		if got.status != test.status || asked.Load() != test.asked || strings.Contains(got.stdout+got.stderr, "hunter2") {
			t.Errorf("%s %s: status %d, sent %d times: %s%s", test.old, test.new, got.status, asked.Load(), got.stdout, got.stderr)
		}
	}
}

// serve serves HTTP/2 without TLS, and HTTP/1.1.
func serve(t *testing.T, handler http.Handler) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	return server
}

func TestRefusedReflection(t *testing.T) {
	t.Parallel()
	path, handler := grpcreflect.NewHandlerV1(grpcreflect.NewStaticReflector(sampleServices...))
	guarded := connect.NewErrorWriter()
	mux := http.NewServeMux()
	mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer a,b" { // a comma does not split it
			_ = guarded.Write(w, r, connect.NewError(connect.CodeUnauthenticated, fmt.Errorf("a token is required\x1b[31m")))
			return
		}
		handler.ServeHTTP(w, r)
	})
	var redirected atomic.Bool
	elsewhere := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { redirected.Store(true) }))
	closed := httptest.NewServer(nil)
	closed.Close()
	for _, test := range []struct {
		name   string
		url    string
		args   []string
		status int
		says   string
	}{
		{"no token", serve(t, mux).URL, nil, exitFailed, "-reflect-header 'Authorization: Bearer ...'"},
		{"wrong token", serve(t, mux).URL, []string{"-reflect-header", "Authorization: Bearer s3cret"}, exitFailed, "a token is required"},
		{"token", serve(t, mux).URL, []string{"-reflect-header", "Authorization: Bearer a,b"}, exitOK, ""},
		{"no reflection", serve(t, http.NotFoundHandler()).URL, nil, exitFailed, "no reflection: give an image"},
		{"nobody listens", closed.URL, nil, exitFailed, "refused"},
		{"password", strings.Replace(closed.URL, "http://", "http://user:s3cret@", 1), nil, exitFailed, "http://xxxxx@"},
		{"HTTP/1.1 alone", httptestServer(t).URL, nil, exitFailed, ""},
		{"redirect", serve(t, http.RedirectHandler(elsewhere.URL, http.StatusFound)).URL, []string{"-reflect-header", "X-Key: s3cret"}, exitFailed, ""},
		{"no host", "http://", nil, exitFailed, "http://"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := execute(t, nil, append([]string{"matrix", "-audience", audience, test.url}, test.args...)...)
			if got.status != test.status || !strings.Contains(got.stderr, test.says) || strings.ContainsAny(got.stderr, "\x1b") {
				t.Errorf("status %d: %q", got.status, got.stderr)
			}
			if got.status != exitOK && !strings.Contains(got.stderr, strings.Replace(test.url, "user:s3cret", "xxxxx", 1)) {
				t.Errorf("%q does not name %s", got.stderr, test.url)
			}
			if strings.Contains(got.stderr, "s3cret") {
				t.Error("a secret is echoed")
			}
		})
	}
	t.Cleanup(func() {
		if redirected.Load() {
			t.Error("a redirect is followed")
		}
	})
}

func httptestServer(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(new(bytes.Buffer), "", 0)
	t.Cleanup(server.Close)
	return server
}

// The command gives up on a server that never answers, and ends the stream.
func TestHangingReflection(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 1)
	ctx, cancel := context.WithCancel(t.Context())
	server := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- r.Header.Get("Grpc-Timeout")
		cancel()
		<-r.Context().Done()
	}))
	got := executeContext(ctx, nil, "matrix", server.URL)
	if got.status != exitFailed {
		t.Errorf("status %d", got.status)
	}
	timeout, err := time.ParseDuration(strings.NewReplacer("m", "ms", "u", "us", "n", "ns", "S", "s").Replace(<-asked))
	if err != nil || timeout > reflectionTimeout || timeout < reflectionTimeout/2 {
		t.Errorf("the server was given %v, %v", timeout, err)
	}
}

// A liar returns other files than the files that it is asked for.
type liar struct {
	byPath   func(string) (protoreflect.FileDescriptor, error)
	byName   func(protoreflect.FullName) (protoreflect.Descriptor, error)
	services []string
}

func (l *liar) Names() []string { return l.services }

func (l *liar) FindFileByPath(path string) (protoreflect.FileDescriptor, error) {
	return l.byPath(path)
}

func (l *liar) FindDescriptorByName(name protoreflect.FullName) (protoreflect.Descriptor, error) {
	return l.byName(name)
}

func TestLyingReflection(t *testing.T) {
	t.Parallel()
	named := func(file protoreflect.FileDescriptor) func(protoreflect.FullName) (protoreflect.Descriptor, error) {
		return func(protoreflect.FullName) (protoreflect.Descriptor, error) { return file, nil }
	}
	// Files 1, 2 and so on: each imports the next. The last import is missing, so that the
	// command asks the server for the file.
	importing := func(first, count int) protoreflect.FileDescriptor {
		registry := new(protoregistry.Files)
		var file protoreflect.FileDescriptor
		for i := first + count - 1; i >= first; i-- {
			var err error
			if file, err = (protodesc.FileOptions{AllowUnresolvable: true}).New(&descriptorpb.FileDescriptorProto{
				Name: proto.String(strconv.Itoa(i)), Package: proto.String("a"), Dependency: []string{strconv.Itoa(i + 1)},
				Service: []*descriptorpb.ServiceDescriptorProto{{Name: proto.String("S" + strconv.Itoa(i))}},
			}, registry); err == nil {
				err = registry.RegisterFile(file)
			}
			if err != nil {
				t.Error(err)
			}
		}
		return file
	}
	missing := func(string) (protoreflect.FileDescriptor, error) { return nil, protoregistry.NotFound }
	other := func(string) (protoreflect.FileDescriptor, error) { return samplev1.File_sample_v1_catalog_proto, nil }
	endless := func(path string) (protoreflect.FileDescriptor, error) {
		first, err := strconv.Atoi(path)
		return importing(first, 500), err
	}
	broken := func(string) (protoreflect.FileDescriptor, error) { panic(http.ErrAbortHandler) }
	member := named(samplev1.File_sample_v1_member_proto)
	first := named(importing(1, 1))
	for _, test := range []struct {
		name string
		liar *liar
		says string
	}{
		{"honest", &liar{missing, member, []string{"sample.v1.MemberService"}}, ""},
		{"no import", &liar{missing, first, []string{"a.S1"}}, `missing: 1 file: "2", imported by "1"`},
		{"another file", &liar{other, first, []string{"a.S1"}}, `missing: 1 file: "2", imported by "1"`},
		{"broken at an import", &liar{broken, first, []string{"a.S1"}}, `reflection: "2": `},
		{"broken at a service", &liar{missing, func(protoreflect.FullName) (protoreflect.Descriptor, error) { panic(http.ErrAbortHandler) }, []string{"a.S1"}}, "reflection: a.S1: "},
		{"another service", &liar{missing, member, sampleServices}, `sample.v1.CatalogService: the server lists it without a descriptor`},
		{"no service", &liar{missing, member, nil}, "no services"},
		{"odd name", &liar{missing, member, []string{"\x1b[31m"}}, `\u001b[31m: the server lists it`},
		{"endless", &liar{endless, first, []string{"a.S1"}}, fmt.Sprintf("more than %d files", reflectionFiles)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path, handler := grpcreflect.NewHandlerV1(grpcreflect.NewReflector(test.liar, grpcreflect.WithDescriptorResolver(test.liar)))
			mux := http.NewServeMux()
			mux.Handle(path, handler)
			got := execute(t, nil, "matrix", "-audience", audience, serve(t, mux).URL)
			if failed := got.status != exitOK; failed != (test.says != "") || !strings.Contains(got.stderr, test.says) || strings.Contains(got.stderr, "\x1b") {
				t.Errorf("status %d: %q, want %q", got.status, got.stderr, test.says)
			}
		})
	}
}
