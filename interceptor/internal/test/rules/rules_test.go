// Package rules_test holds docs/rules.md against a guard.
package rules_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/documents"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/leaks"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/protos"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestMain makes sure that no goroutine outlives its test.
func TestMain(m *testing.M) { goleak.VerifyTestMain(leaks.Patient(m)) }

const (
	root   = "../../../.."
	api    = "https://api.example.com"
	issuer = "https://issuer.example.com"
)

// A row is a call of the document: who calls what, and the answer.
type row struct{ section, caller, request, answer string }

var (
	heading   = regexp.MustCompile(`^## (.*)\n$`)
	cells     = regexp.MustCompile(`^\| (.+) \| (.+) \| (.+) \|\n$`)
	rpc       = regexp.MustCompile(`rpc (\w+)\((?:stream )?(\w+)\) returns \((?:stream )?(\w+)\)`)
	numbered  = regexp.MustCompile(`^\d+\. `)
	requested = regexp.MustCompile("^`(?:([A-Z]\\w*) )?(\\{.*\\})`$")
)

// A guide is the document, with its rules compiled.
type guide struct {
	files   policy.Files
	table   *policy.Table
	methods map[string][]string // the procedures of each section
	rows    []row
}

func newGuide(t *testing.T) *guide {
	t.Helper()
	all, err := documents.Load(root)
	if err != nil {
		t.Fatal(err)
	}
	g := &guide{methods: map[string][]string{}}
	source := "syntax = \"proto3\"; package guide.v1; import \"protoauthz/v1/authz.proto\";\n"
	service := regexp.MustCompile(`(?m)^service (\w+)`)
	for _, block := range documents.At(all, documents.Rules) {
		if block.Language != "proto" {
			continue
		}
		source += block.Text
		for _, method := range rpc.FindAllStringSubmatch(block.Text, -1) {
			g.methods[block.Section] = append(g.methods[block.Section], "/guide.v1."+service.FindStringSubmatch(block.Text)[1]+"/"+method[1])
			source += "message " + method[3] + " {}\n"
		}
	}
	files, err := protos.Compile(t.Context(), root+"/proto", map[string]string{"guide.proto": source}, "guide.proto")
	if err != nil {
		t.Fatal(err)
	}
	g.files = files
	g.table, err = policy.Compile(files, policy.WithAudience(api), policy.WithSubjectIssuer(issuer))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, documents.Rules))
	if err != nil {
		t.Fatal(err)
	}
	section := ""
	for line := range strings.Lines(string(text)) {
		if match := heading.FindStringSubmatch(line); match != nil {
			section = match[1]
		}
		if !numbered.MatchString(section) || !strings.HasPrefix(line, "| ") || line == "| caller | request | answer |\n" {
			continue
		}
		match := cells.FindStringSubmatch(line)
		if match == nil {
			t.Fatalf("%s: the row %q does not have three cells", section, line)
		}
		g.rows = append(g.rows, row{section, match[1], match[2], match[3]})
	}
	return g
}

// verifierOf accepts every token as a token of the claims.
type verifierOf struct{ claims *token.Claims }

// Verify implements [interceptor.Verifier].
func (v verifierOf) Verify(context.Context, string) (*token.Claims, error) { return v.claims, nil }

// claimsOf returns the claims of a caller, in the words of the document.
func claimsOf(t *testing.T, caller string) *token.Claims {
	t.Helper()
	words := strings.Split(caller, ", ")
	values := token.ClaimValues{
		Issuer: issuer, Subject: words[0], Caller: token.CallerUser, ClientID: "web",
		Audience: []string{api}, Expiry: expiry,
	}
	if words[0] == "robot" {
		values.Caller, values.ClientID = token.CallerClient, words[0]
	}
	for _, word := range words[1:] {
		before, after, _ := strings.Cut(word, " ")
		switch {
		case word == "by a token of unknown kind":
			values.Caller = token.CallerUnknown
		case word == "of another issuer":
			values.Issuer = "https://other.example.com"
		case word == "for another API":
			values.Audience = []string{"https://other.example.com"}
		case word == "through no client":
			values.ClientID = ""
		case before == "through":
			values.ClientID = after
		case before == "in":
			values.OrganizationID = after
		case before == "with":
			values.Scopes = strings.Fields(strings.ReplaceAll(after, "`", " "))
		default:
			t.Fatalf("the caller %q: what is %q?", caller, word)
		}
	}
	claims, err := token.NewClaims(values)
	if err != nil {
		t.Fatal(err)
	}
	return claims
}

// A call is a call of a row.
type call struct {
	guard   *interceptor.Guard
	rule    *policy.Rule
	events  []interceptor.Event
	answers []string
	entered func(context.Context) // the handler, or nil
}

// run makes the call of a row by a guard, and returns the answers in the words of the document.
func (g *guide) run(t *testing.T, r row, entered func(context.Context)) string {
	t.Helper()
	c := &call{entered: entered}
	c.guard = interceptor.New(verifierOf{claimsOf(t, r.caller)}, g.table,
		interceptor.WithObserver(func(_ context.Context, event interceptor.Event) { c.events = append(c.events, event) }))
	var messages []string
	for text := range strings.SplitSeq(r.request, " then ") {
		match := requested.FindStringSubmatch(text)
		if match == nil {
			t.Fatalf("the request %q: it is not a message", text)
		}
		messages = append(messages, match[2])
		for _, procedure := range g.methods[r.section] {
			if match[1] == "" || strings.HasSuffix(procedure, "/"+match[1]) {
				c.rule, _ = g.table.Lookup(procedure)
				break
			}
		}
	}
	if c.rule == nil {
		t.Fatalf("the request %q: there is no such method", r.request)
	}
	admitted, denial := c.guard.Admit(t.Context(), c.rule.Procedure, http.Header{"Authorization": {"Bearer caller"}})
	switch {
	case denial != nil:
		c.refused(denial)
	case c.rule.Method.IsStreamingClient():
		c.stream(t, admitted, messages)
	default:
		if denial = admitted.Judge(c.message(t, messages[0])); denial != nil {
			c.refused(denial)
		} else {
			c.in(admitted.Context(), t)
		}
	}
	return strings.Join(c.answers, ", then ")
}

// stream makes the call of a stream, whose handler receives all messages.
func (c *call) stream(t *testing.T, admitted *interceptor.Call, messages []string) {
	t.Helper()
	transport := interceptor.Transport{
		Receive: func(into any) error {
			if len(messages) == 0 {
				return io.EOF
			}
			if message, ok := into.(proto.Message); ok {
				proto.Merge(message, c.message(t, messages[0]))
			}
			messages = messages[1:]
			return nil
		},
		Send:   func(any) error { return nil },
		Refuse: func(*interceptor.Denial) error { return nil },
	}
	err := admitted.Serve(transport, func(ctx context.Context, stream *interceptor.Stream) error {
		for {
			err := stream.Receive(dynamicpb.NewMessage(c.rule.Method.Input()))
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			c.in(ctx, t)
		}
	})
	if denial := interceptor.DenialFrom(err); denial != nil {
		c.refused(denial)
	} else if err != nil {
		t.Error(err)
	}
}

func (c *call) message(t *testing.T, text string) proto.Message {
	t.Helper()
	message := dynamicpb.NewMessage(c.rule.Method.Input())
	if err := protojson.Unmarshal([]byte(text), message); err != nil {
		t.Error(err)
	}
	return message
}

// in notes that a message was let in, and by which way.
func (c *call) in(ctx context.Context, t *testing.T) {
	t.Helper()
	way, ok := interceptor.WayFromContext(ctx)
	answer := "in"
	if len(c.rule.Alternatives) > 0 {
		answer += ", by way " + strconv.Itoa(way.Number)
		if way.Organization != "" {
			answer += ", for " + way.Organization
		}
	} else if way.Number != 0 {
		t.Errorf("the number is %d", way.Number)
	}
	if !ok {
		t.Error("the context has no way")
	}
	if ways := c.events[0].Ways; len(c.rule.Alternatives) > 0 && !slices.Contains(ways, way.Number) || len(c.rule.Alternatives) == 0 && ways != nil {
		t.Errorf("the event of the call has the ways %d, and the call goes by way %d", ways, way.Number)
	}
	if c.entered != nil {
		c.entered(ctx)
	}
	c.answers = append(c.answers, answer)
}

// refused notes the refusal, and the way that the event names.
func (c *call) refused(denial *interceptor.Denial) {
	answer := fmt.Sprintf("`%s`", denial.Reason())
	if len(c.rule.Alternatives) > 0 {
		answer += fmt.Sprintf(" of way %d", c.events[len(c.events)-1].Ways)
	}
	c.answers = append(c.answers, strings.NewReplacer("[", "", "]", "").Replace(answer))
}

// TestRules makes sure that each call of the document has the answer of the document.
func TestRules(t *testing.T) {
	t.Parallel()
	g := newGuide(t)
	in, refused := map[string]bool{}, map[string]bool{}
	for _, r := range g.rows {
		in[r.section] = in[r.section] || strings.HasPrefix(r.answer, "in")
		refused[r.section] = refused[r.section] || strings.Contains(r.answer, "`")
		if got := g.run(t, r, nil); got != r.answer {
			t.Errorf("%s: | %s | %s | %s |", r.section, r.caller, r.request, got)
		}
	}
	if len(g.methods) != 10 || len(in) != 10 {
		t.Errorf("%d sections have rules, and %d have calls", len(g.methods), len(in))
	}
	for section := range g.methods {
		if !in[section] || !refused[section] {
			t.Errorf("%s must have a call that gets in, and one that does not", section)
		}
	}
}
