package otelguard

import (
	"context"
	"strings"

	"connectrpc.com/connect"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/protoauthz/protoauthz/interceptor"
)

// The attributes of decisions.
const (
	procedureKey = attribute.Key("protoauthz.procedure")
	outcomeKey   = attribute.Key("protoauthz.outcome")
	reasonKey    = attribute.Key("protoauthz.reason")
	shadowKey    = attribute.Key("protoauthz.shadow")
)

// The events of spans.
const (
	refusedEvent = "protoauthz.refused"
	shadowEvent  = "protoauthz.shadow"
)

// A decision is what metrics and spans tell of an [interceptor.Event], and nothing else.
type decision struct {
	procedure string
	outcome   interceptor.Outcome
	reason    interceptor.Reason // "" if the call was let in
	shadow    interceptor.Shadow // "" if the rule is enforced
}

// attributes leaves out what is empty.
func (d *decision) attributes() []attribute.KeyValue {
	attributes := []attribute.KeyValue{procedureKey.String(d.procedure), outcomeKey.String(string(d.outcome))}
	if d.reason != "" {
		attributes = append(attributes, reasonKey.String(string(d.reason)))
	}
	if d.shadow != "" {
		attributes = append(attributes, shadowKey.String(string(d.shadow)))
	}
	return attributes
}

// decided is the observer of a guard.
func (t *Telemetry) decided(ctx context.Context, event *interceptor.Event) {
	if event.Verification > 0 {
		t.verifications.Record(ctx, event.Verification.Seconds())
	}
	if event.RefusedAnyway {
		return // the counter tells what a second table would refuse in addition
	}
	d := decision{procedure: event.Procedure, outcome: event.Outcome(), shadow: event.Shadow}
	if event.Denial != nil {
		d.reason = event.Denial.Reason()
	}
	t.count(ctx, d)
	if span := trace.SpanFromContext(ctx); d.outcome != interceptor.OutcomeAllowed && span.IsRecording() {
		d.mark(span, event)
	}
}

// count counts a decision. Each series has its attributes from the first decision on: making attributes
// costs more than counting.
func (t *Telemetry) count(ctx context.Context, d decision) {
	t.mu.RLock()
	series, ok := t.series[d]
	t.mu.RUnlock()
	if !ok {
		series = []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(d.attributes()...))}
		t.mu.Lock()
		t.series[d] = series
		t.mu.Unlock()
	}
	t.decisions.Add(ctx, 1, series...)
}

// mark tells the span of a call that the call is refused, or that a shadow refuses it.
func (d *decision) mark(span trace.Span, event *interceptor.Event) {
	attributes := trace.WithAttributes(d.attributes()...)
	if d.shadow != "" {
		span.AddEvent(shadowEvent, attributes)
		return
	}
	span.AddEvent(refusedEvent, attributes)
	// A call without the address of a client is a call that a handler makes in process. Its context may hold
	// the span of the handler's own call, which may succeed.
	if event.Peer != "" {
		setCode(span, event.Denial)
	}
}

// setCode sets the code of a refusal, and the status that the code gives to the span of a server. The names
// and values are those with which otelconnect and otelgrpc end their spans, so that nothing changes where
// one of them sees the refusal too.
func setCode(span trace.Span, denial *interceptor.Denial) {
	code := denial.Code()
	span.SetAttributes(semconv.RPCResponseStatusCode(strings.ToUpper(code.String())))
	if code == connect.CodeUnavailable || code == connect.CodeInternal { // no fault of the client
		span.SetStatus(codes.Error, denial.Error())
	}
}
