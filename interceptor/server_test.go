package interceptor_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
)

// ended returns nil for the end of a stream.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// A server serves the services of the tests.
type server struct{ *harness.Server }

func serve(t testing.TB, handler http.Handler) server {
	t.Helper()
	return server{harness.Serve(t, handler)}
}

// A wire is a way to call.
type wire struct {
	name     string
	protocol string
	get      bool
	http1    bool
	options  []connect.ClientOption
}

var wires = []wire{
	{name: "Connect JSON", protocol: connect.ProtocolConnect, options: []connect.ClientOption{connect.WithProtoJSON()}},
	{name: "Connect proto", protocol: connect.ProtocolConnect},
	{name: "Connect GET", protocol: connect.ProtocolConnect, get: true, options: []connect.ClientOption{connect.WithHTTPGet()}},
	{name: "gRPC", protocol: connect.ProtocolGRPC, options: []connect.ClientOption{connect.WithGRPC()}},
	{name: "gRPC-Web", protocol: connect.ProtocolGRPCWeb, options: []connect.ClientOption{connect.WithGRPCWeb()}},
	{name: "Connect JSON, HTTP/1.1", protocol: connect.ProtocolConnect, http1: true, options: []connect.ClientOption{connect.WithProtoJSON()}},
	{name: "Connect GET, HTTP/1.1", protocol: connect.ProtocolConnect, http1: true, get: true, options: []connect.ClientOption{connect.WithHTTPGet()}},
	{name: "gRPC-Web, HTTP/1.1", protocol: connect.ProtocolGRPCWeb, http1: true, options: []connect.ClientOption{connect.WithGRPCWeb()}},
}

// can reports whether a wire has such a call.
func (w wire) can(kind connect.StreamType) bool {
	return (!w.get || kind == connect.StreamTypeUnary) && (!w.http1 || kind != connect.StreamTypeBidi)
}

// http2 are the wires over HTTP/2, one for each protocol.
func http2() []wire {
	return []wire{wires[1], wires[3], wires[4]}
}

func (s server) connect(w wire, procedure string) *connect.Client[message, answer] {
	return clientOf[message](s, w, procedure)
}

// clientOf returns a client whose requests are of a type.
func clientOf[M any](s server, w wire, procedure string) *connect.Client[M, answer] {
	client := s.HTTP2
	if w.http1 {
		client = s.HTTP1
	}
	options := append([]connect.ClientOption{
		connect.WithIdempotency(connect.IdempotencyNoSideEffects),
		// Answers can be read as they come, and the race detector makes compression slow.
		connect.WithAcceptCompression("gzip", nil, nil),
	}, w.options...)
	return connect.NewClient[M, answer](client, s.URL+procedure, options...)
}

func naming(organization string) *message { return &message{OrganizationId: organization} }

// do makes one call with a message for each organization, and returns the texts
// in its answers.
func (s server) do(ctx context.Context, w wire, service string, kind connect.StreamType, header http.Header, organizations ...string) ([]string, error) {
	messages := make([]*message, len(organizations))
	for n, organization := range organizations {
		messages[n] = naming(organization)
	}
	return send(ctx, s, w, service, kind, header, messages...)
}

// send makes one call, and returns the texts in its answers.
func send[M any](ctx context.Context, s server, w wire, service string, kind connect.StreamType, header http.Header, messages ...*M) ([]string, error) {
	client := clientOf[M](s, w, procedure(service, kind))
	switch kind {
	case connect.StreamTypeUnary:
		request := connect.NewRequest(messages[0])
		merge(request.Header(), header)
		response, err := client.CallUnary(ctx, request)
		if err != nil {
			return nil, err
		}
		return []string{response.Msg.GetDocument().GetText()}, nil
	case connect.StreamTypeServer:
		request := connect.NewRequest(messages[0])
		merge(request.Header(), header)
		stream, err := client.CallServerStream(ctx, request)
		if err != nil {
			return nil, err
		}
		defer func() { _ = stream.Close() }()
		var texts []string
		for stream.Receive() {
			texts = append(texts, stream.Msg().GetDocument().GetText())
		}
		return texts, stream.Err()
	case connect.StreamTypeClient:
		stream := client.CallClientStream(ctx)
		merge(stream.RequestHeader(), header)
		for _, message := range messages {
			if stream.Send(message) != nil {
				break // the answer tells why
			}
		}
		response, err := stream.CloseAndReceive()
		if err != nil {
			return nil, err
		}
		return []string{response.Msg.GetDocument().GetText()}, nil
	default:
		stream := client.CallBidiStream(ctx)
		defer func() { _ = stream.CloseResponse() }()
		merge(stream.RequestHeader(), header)
		for _, message := range messages {
			if stream.Send(message) != nil {
				break
			}
		}
		_ = stream.CloseRequest()
		var texts []string
		for {
			response, err := stream.Receive()
			if err != nil {
				return texts, ended(err)
			}
			texts = append(texts, response.GetDocument().GetText())
		}
	}
}

func merge(into, from http.Header) {
	for name, values := range from {
		into[name] = append(into[name], values...)
	}
}

// Refusals, without their challenge.
var (
	missing      = refusalOf(catalogue.Missing)
	malformed    = refusalOf(catalogue.Malformed)
	expired      = refusalOf(catalogue.Expired)
	model        = refusalOf(catalogue.Model)
	organization = refusalOf(catalogue.Organization)
	callerKind   = refusalOf(catalogue.Caller)
	ruleless     = refusalOf(catalogue.Ruleless)
	failed       = refusalOf(catalogue.Failed)
)

// refusalOf is a refusal as a client of Connect reads it.
func refusalOf(answer catalogue.Answer) refusal {
	if answer.Reason == "" {
		return refusal{}
	}
	return refusal{
		code: connect.Code(answer.Code), text: answer.Text, reason: interceptor.Reason(answer.Reason), domain: "protoauthz",
		required: answer.Required, any: answer.Any, told: answer.Told,
	}
}

// A refusal is everything that a client reads of a denial.
type refusal struct {
	code      connect.Code
	text      string
	reason    interceptor.Reason
	domain    string
	required  string // the metadata of the ErrorInfo
	any       string
	told      string
	more      int // number of other details and metadata
	challenge string
}

// refused returns the refusal that an error is: the zero refusal for none.
func refused(err error) refusal {
	if err == nil {
		return refusal{}
	}
	var coded *connect.Error
	if !errors.As(err, &coded) {
		return refusal{code: connect.CodeOf(err), text: err.Error(), more: -1}
	}
	r := refusal{code: coded.Code(), text: coded.Message(), more: len(coded.Details())}
	for _, detail := range coded.Details() {
		value, err := detail.Value()
		info, ok := value.(*errdetails.ErrorInfo)
		if err != nil || !ok {
			continue
		}
		r.more--
		r.reason, r.domain = interceptor.Reason(info.GetReason()), info.GetDomain()
		r.required, r.any = info.GetMetadata()["required_scopes"], info.GetMetadata()["any_scopes"]
		r.told = info.GetMetadata()["challenge"]
		for name := range info.GetMetadata() {
			if name != "required_scopes" && name != "any_scopes" && name != "challenge" {
				r.more++
			}
		}
	}
	if challenges := coded.Meta().Values("Www-Authenticate"); len(challenges) > 0 {
		r.challenge = challenges[0]
		r.more += len(challenges) - 1
	}
	return r
}

// reasonOf returns the reason of a refusal, or "".
func reasonOf(err error) interceptor.Reason { return refused(err).reason }
