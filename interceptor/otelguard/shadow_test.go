package otelguard_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"testing"

	"go.opentelemetry.io/otel/codes"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestShadow makes sure that the span of a call tells what a shadow would have refused, and has neither a code
// nor an error.
func TestShadow(t *testing.T) {
	t.Parallel()
	const service = "sample.v1.CatalogService"
	compile := func(options ...policy.Option) *policy.Table {
		options = append(options, policy.WithAudience("https://api.example.com"))
		table, err := policy.Compile(policy.Files{samplev1.File_sample_v1_catalog_proto}, options...)
		if err != nil {
			t.Fatal(err)
		}
		return table
	}
	b := newBackend(t)
	verifier := harness.VerifierFunc(func(context.Context, string) (*token.Claims, error) { return nil, token.ErrVerifierUnavailable })
	guard := interceptor.New(verifier, compile(policy.WithShadow(service)), append(b.GuardOptions(),
		interceptor.WithShadow(compile()), interceptor.WithLogger(slog.New(slog.DiscardHandler)))...)
	for _, authorization := range []string{"Basic any", "Bearer any"} {
		ctx, span := b.tracer.Start(t.Context(), "call")
		call, denial := guard.Admit(ctx, "/"+service+"/WhoAmI", peered{http.Header{"Authorization": {authorization}}})
		if denial != nil || call.Judge(new(samplev1.WhoAmIRequest)) != nil {
			t.Error("a rule in shadow refuses a call")
		}
		span.End()
	}

	const procedure = "procedure=/sample.v1.CatalogService/WhoAmI"
	want := [][2]string{{"refused", "SCHEME_UNSUPPORTED"}, {"not_judged", "VERIFIER_UNAVAILABLE"}}
	for n, span := range b.spans.GetSpans() {
		var events []string
		for _, event := range span.Events {
			events = append(events, event.Name+" "+text(event.Attributes))
		}
		told := "protoauthz.shadow " + procedure + " outcome=" + want[n][0] + " reason=" + want[n][1] + " shadow="
		if got := fmt.Sprintf("%q", events); got != fmt.Sprintf("%q", []string{told + "service", told + "table"}) || len(span.Attributes) > 0 || span.Status.Code != codes.Unset {
			t.Errorf("the span has %s, %v, %v", got, span.Attributes, span.Status)
		}
	}
	b.check(t, "protoauthz.decisions",
		"outcome=not_judged "+procedure+" reason=VERIFIER_UNAVAILABLE shadow=service 1",
		"outcome=not_judged "+procedure+" reason=VERIFIER_UNAVAILABLE shadow=table 1",
		"outcome=refused "+procedure+" reason=SCHEME_UNSUPPORTED shadow=service 1",
		"outcome=refused "+procedure+" reason=SCHEME_UNSUPPORTED shadow=table 1")
	b.check(t, "protoauthz.verification.duration", "2") // once for each call
}
