package e2e_test

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	_ "github.com/protoauthz/protoauthz/gen/sample/v1" // registers what is called
	"github.com/protoauthz/protoauthz/interceptor/internal/dev/e2e"
)

// A call tells a client what to call.
type call struct {
	Service  string            `json:"service"` // such as sample.v1.CatalogService
	Method   string            `json:"method"`
	Header   map[string]string `json:"header"`
	Requests []json.RawMessage `json:"requests"`
	Take     int               `json:"take"` // leave the stream after so many answers, if not 0
}

// procedure is the last part of the URL, the symbol of grpcurl.
func (c call) procedure() string { return c.Service + "/" + c.Method }

func (c call) headers() []string {
	var all []string
	for name, value := range c.Header {
		all = append(all, name+": "+value)
	}
	return all
}

// documents are the requests one after the other.
func (c call) documents() string {
	var all []string
	for _, request := range c.Requests {
		all = append(all, string(request))
	}
	return strings.Join(all, " ")
}

func (c call) descriptor(t testing.TB) protoreflect.MethodDescriptor {
	t.Helper()
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(c.Service + "." + c.Method))
	if err != nil {
		t.Fatalf("%s: %v", c.procedure(), err)
	}
	method, ok := found.(protoreflect.MethodDescriptor)
	if !ok {
		t.Fatalf("%s is no method", c.procedure())
	}
	return method
}

// The calls that a client can make.
func all(protoreflect.MethodDescriptor) bool { return true }

func unaryOnly(method protoreflect.MethodDescriptor) bool {
	return !method.IsStreamingClient() && !method.IsStreamingServer()
}

func byGet(method protoreflect.MethodDescriptor) bool {
	options, ok := method.Options().(*descriptorpb.MethodOptions)
	return ok && options.GetIdempotencyLevel() == descriptorpb.MethodOptions_NO_SIDE_EFFECTS
}

// An answer is an answer of the sample, as a client shows it. Code 0 is success.
type answer struct {
	Code           connect.Code      `json:"code,omitzero"`
	Reason         string            `json:"reason"`         // of google.rpc.ErrorInfo
	RequiredScopes string            `json:"requiredScopes"` // of google.rpc.ErrorInfo
	Challenge      string            `json:"challenge"`      // WWW-Authenticate
	Get            bool              `json:"get"`            // the client called by GET
	Messages       []json.RawMessage `json:"messages"`
}

func (a answer) String() string {
	text, err := json.Marshal(a)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// explain adds the reason and the required scopes of an ErrorInfo.
func (a *answer) explain(info *errdetails.ErrorInfo) {
	if info.GetDomain() == "protoauthz" {
		a.Reason, a.RequiredScopes = info.GetReason(), info.GetMetadata()["required_scopes"]
	}
}

// parseConnectError reads an error in the JSON of the Connect protocol. buf curl prints the errors of other
// protocols in this form too.
func parseConnectError(t testing.TB, text []byte) answer {
	t.Helper()
	var parsed struct {
		Code    connect.Code
		Details []struct{ Type, Value string }
	}
	if err := json.Unmarshal(text, &parsed); err != nil {
		t.Fatalf("not an error: %v: %q", err, text)
	}
	refusal := answer{Code: parsed.Code}
	for _, detail := range parsed.Details {
		if detail.Type != "google.rpc.ErrorInfo" {
			continue
		}
		info := new(errdetails.ErrorInfo)
		if value, err := base64.RawStdEncoding.DecodeString(detail.Value); err != nil {
			t.Errorf("detail: %v", err)
		} else if err := proto.Unmarshal(value, info); err != nil {
			t.Errorf("detail: %v", err)
		}
		refusal.explain(info)
	}
	return refusal
}

// A client makes calls the way one program or library does, over one protocol.
type client struct {
	name string
	can  func(protoreflect.MethodDescriptor) bool
	// What the client shows besides: the challenge of unary calls, and that it calls by GET.
	challenged, get bool
	// run returns an answer for each call.
	run func(t *testing.T, s *e2e.Sample, calls []call) []answer
}

// one makes a run of a function that makes one call.
func one(run func(t *testing.T, s *e2e.Sample, c call) answer) func(*testing.T, *e2e.Sample, []call) []answer {
	return func(t *testing.T, s *e2e.Sample, calls []call) []answer {
		var answers []answer
		for _, c := range calls {
			answers = append(answers, run(t, s, c))
		}
		return answers
	}
}

// check has clients make every call that they can make. Each client calls a sample of its own, which is
// started with flags.
func check(t *testing.T, clients []client, flags ...string) {
	t.Helper()
	for _, client := range clients {
		t.Run(client.name, func(t *testing.T) {
			t.Parallel()
			s := e2e.Start(t, flags...)
			cases := slices.DeleteFunc(newCases(t, s), func(c testCase) bool { return !client.can(c.call.descriptor(t)) })
			var calls []call
			for _, c := range cases {
				calls = append(calls, c.call)
			}
			answers := client.run(t, s, calls)
			if len(answers) != len(cases) {
				t.Fatalf("%d answers to %d calls", len(answers), len(cases))
			}
			for i, c := range cases {
				want := c.want
				want.Get = client.get
				if !client.challenged || !unaryOnly(c.call.descriptor(t)) {
					want.Challenge = ""
				}
				if got := answers[i].canonical(t); got != want.canonical(t) {
					t.Errorf("%s: %s:\n got %s\nwant %s", c.call.procedure(), c.name, got, want.canonical(t))
				}
			}
		})
	}
}

// canonical is the answer as text, without the spaces and in one order of the fields of messages.
func (a answer) canonical(t testing.TB) string {
	t.Helper()
	messages := make([]json.RawMessage, len(a.Messages))
	for i, message := range a.Messages {
		var value any
		if err := json.Unmarshal(message, &value); err != nil {
			t.Fatalf("not JSON: %v: %q", err, message)
		}
		canonical, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		messages[i] = canonical
	}
	a.Messages = messages
	return a.String()
}
