package otelguard_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// TestTelemetryCatalogue makes sure that the counter has each decision of the catalogue, that the span of each
// refused call has an event and the code of the refusal, and that nothing of a token or a request is in a
// metric or a span. Package harness makes sure of the decisions.
func TestTelemetryCatalogue(t *testing.T) {
	t.Parallel()
	trusts, err := catalogue.NewTrusts()
	if err != nil {
		t.Fatal(err)
	}
	b := newBackend(t)
	guards := map[string]*interceptor.Guard{}
	for name, trust := range trusts {
		guards[name] = interceptor.New(trust, harness.Rules(t), b.GuardOptions()...)
	}
	cases := slices.DeleteFunc(catalogue.Cases("http://attacker.test"), func(c catalogue.Case) bool { return !c.Fits(catalogue.Unary) })
	decisions := map[string]int{}
	for n := range cases {
		decisions[b.call(t, guards[cases[n].Trust], &cases[n])]++
	}
	if len(cases) < 1000 || len(decisions) < 40 {
		t.Errorf("%d cases, %d kinds of decisions", len(cases), len(decisions))
	}
	var want []string
	for decision, n := range decisions {
		want = append(want, fmt.Sprint(decision, " ", n))
	}
	slices.Sort(want)
	if got := b.points(t, "protoauthz.decisions"); !slices.Equal(got, want) {
		t.Errorf("the counter has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	checkSecrets(t, fmt.Sprintf("%+v\n%+v", b.collect(t), b.spans.GetSpans()), cases)
}

// A peered header tells who calls, as the headers of adapters do.
type peered struct{ http.Header }

func (peered) Peer() connect.Peer {
	return connect.Peer{Addr: "secret-address", Protocol: connect.ProtocolGRPC}
}

// call makes a unary call, checks its span, and returns the attributes that the counter must have.
func (b *backend) call(t *testing.T, guard *interceptor.Guard, c *catalogue.Case) (decision string) {
	t.Helper()
	before := len(b.spans.GetSpans())
	ctx, span := b.tracer.Start(t.Context(), "call")
	header := peered{c.Header.Clone()}
	if header.Header == nil {
		header.Header = http.Header{}
	}
	header.Header["Authorization"] = c.Authorization
	admitted, denial := guard.Admit(ctx, catalogue.Procedure(c.Service, catalogue.Unary), header)
	if denial == nil {
		_ = admitted.Judge(c.Messages[0].Proto(c.Service))
	}
	span.End()

	rule := map[string]string{catalogue.Unruled: "unknown", catalogue.Opened: "/test.v1.Opened/*"}[c.Service]
	if rule == "" {
		rule = catalogue.Procedure(c.Service, catalogue.Unary)
	}
	want := "[] []"
	decision = "outcome=allowed procedure=" + rule
	if c.Want.Reason != "" {
		decision = "outcome=refused procedure=" + rule + " reason=" + c.Want.Reason
		code := strings.ToUpper(connect.Code(c.Want.Code).String())
		want = fmt.Sprintf("[protoauthz.refused procedure=%s outcome=refused reason=%s] [rpc.response.status_code=%s]", rule, c.Want.Reason, code)
	}
	told := b.spans.GetSpans()[before]
	var events []string
	for _, event := range told.Events {
		events = append(events, event.Name+" "+text(event.Attributes))
	}
	if got := fmt.Sprintf("%v [%s]", events, text(told.Attributes)); got != want {
		t.Errorf("%s/%s: the span has %s, want %s", c.Row, c.Name, got, want)
	}
	return decision
}

// checkSecrets makes sure that a text holds no secret of the cases.
func checkSecrets(t *testing.T, told string, cases []catalogue.Case) {
	t.Helper()
	texts, pieces := catalogue.Secrets(cases)
	if len(texts) < 100 || len(pieces) < 10_000 {
		t.Errorf("only %d secrets and %d pieces of tokens are looked for", len(texts), len(pieces))
	}
	for _, secret := range append(texts, tokens.OrganizationA, "secret-address") {
		if strings.Contains(told, secret) {
			t.Errorf("a metric or a span holds %q", secret)
		}
	}
	for n := catalogue.Piece; n <= len(told); n++ {
		if piece := told[n-catalogue.Piece : n]; pieces[piece] {
			t.Errorf("a metric or a span holds %q", piece)
		}
	}
}
