package connectv2guard_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"connectrpc.com/connect/v2/connectinprocess"
	"connectrpc.com/connect/v2/connectproto"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
)

// A wire is a way to call over HTTP.
type wire struct {
	name       string
	http1, get bool
	challenged bool // a unary call shows its challenge
	options    []connecthttp.Option
}

var wires = []wire{
	{name: "Connect JSON", challenged: true, options: []connecthttp.Option{connecthttp.WithProtoJSON()}},
	{name: "Connect proto", challenged: true},
	{name: "Connect GET", challenged: true, get: true, options: []connecthttp.Option{connecthttp.WithHTTPGet()}},
	{name: "gRPC", options: []connecthttp.Option{connecthttp.WithGRPC()}},
	{name: "gRPC-Web", options: []connecthttp.Option{connecthttp.WithGRPCWeb()}},
	{name: "Connect JSON, HTTP/1.1", challenged: true, http1: true, options: []connecthttp.Option{connecthttp.WithProtoJSON()}},
	{name: "Connect GET, HTTP/1.1", challenged: true, http1: true, get: true, options: []connecthttp.Option{connecthttp.WithHTTPGet()}},
	{name: "gRPC-Web, HTTP/1.1", http1: true, options: []connecthttp.Option{connecthttp.WithGRPCWeb()}},
}

// TestCatalogue makes all calls of the catalogue with a client of connect v2 to a server of connect v2, over
// every wire and in process.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	harness.Catalogue(t, routesTo)
}

// TestOpaqueCatalogue makes the calls whose claims decide with opaque tokens.
func TestOpaqueCatalogue(t *testing.T) {
	t.Parallel()
	harness.OpaqueCatalogue(t, routesTo)
}

// TestShadowCatalogue makes all calls while the rules are judged and not enforced.
func TestShadowCatalogue(t *testing.T) {
	t.Parallel()
	harness.ShadowCatalogue(t, routesTo)
}

func routesTo(t *testing.T, _ *catalogue.Trust, guard *interceptor.Guard) (routes []harness.Route) {
	t.Helper()
	handler := interceptor.DeadlineHandler(mount(newServer(guard, echo)))
	served := harness.Serve(t, handler)
	odd := harness.ServeInProcess(handler, served.Records)
	for _, wire := range wires {
		routes = append(routes, harness.Route{
			Name: "v2 " + wire.name,
			Carries: func(method catalogue.Method) bool {
				return (!wire.get || method == catalogue.Unary) && (!wire.http1 || method != catalogue.Bidi)
			},
			ShowsHTTP: func(method catalogue.Method) bool { return wire.challenged && method == catalogue.Unary },
			Records:   served.Records,
			Logged:    served.Logged,
			Call: func(ctx context.Context, c *catalogue.Case, method catalogue.Method, header http.Header) (harness.Answer, []string) {
				to := served
				if !c.Travels() {
					to = odd
				}
				client := to.HTTP2
				if wire.http1 {
					client = to.HTTP1
				}
				answer, texts := call(ctx, connect.NewClient(connecthttp.NewTransport(client, to.URL, wire.options...)), c, method, header)
				answer.Status = served.Find(header.Get(harness.Field)).Status()
				return answer, texts
			},
		})
	}
	records := new(harness.Records)
	inProcess := connect.NewClient(connectinprocess.New(newServer(guard, echo)))
	return append(routes, harness.Route{
		Name:    "v2 in process",
		Records: records,
		Call: func(ctx context.Context, c *catalogue.Case, method catalogue.Method, header http.Header) (harness.Answer, []string) {
			ctx = harness.NewContext(ctx, records.Find(header.Get(harness.Field)))
			return call(ctx, inProcess, c, method, header)
		},
	})
}

// call makes one call.
func call(ctx context.Context, client *connect.Client, c *catalogue.Case, method catalogue.Method, header http.Header) (harness.Answer, []string) {
	ctx, info := connect.NewClientContext(ctx)
	for name, values := range header {
		info.RequestHeader().SetValues(name, values)
	}
	texts, err := exchange(ctx, client, c, method)
	return answerOf(err, info), texts
}

func exchange(ctx context.Context, client *connect.Client, c *catalogue.Case, method catalogue.Method) (texts []string, err error) {
	spec := specOf(c.Service, method)
	if method == catalogue.Unary {
		response := new(answer)
		if err := client.CallUnary(ctx, spec, c.Messages[0].Proto(c.Service), response); err != nil {
			return nil, err
		}
		return []string{response.GetDocument().GetText()}, nil
	}
	// CallServerStream returns io.EOF in process, and not the refusal, if nobody has read its message.
	stream, err := client.CallClientStream(ctx, spec)
	if err != nil {
		return nil, err
	}
	var sending sync.WaitGroup
	defer sending.Wait()
	defer func() { _ = stream.Close() }()
	sending.Go(func() { // in process, each message waits for its reader
		for _, m := range c.Messages {
			if stream.Send(m.Proto(c.Service)) != nil {
				break // Receive returns the cause
			}
		}
		_ = stream.CloseSend()
	})
	for {
		response := new(answer)
		switch err := stream.Receive(response); {
		case errors.Is(err, io.EOF):
			return texts, nil
		case err != nil:
			return texts, err
		}
		texts = append(texts, response.GetDocument().GetText())
	}
}

// answerOf is the answer in an error.
func answerOf(err error, info *connect.CallInfo) harness.Answer {
	if err == nil {
		return harness.Answer{}
	}
	var coded *connect.Error
	if !errors.As(err, &coded) {
		return harness.Answer{Answer: catalogue.Answer{Text: err.Error()}, More: -1, Error: err}
	}
	got := harness.Answer{
		Answer: catalogue.Answer{Code: int(coded.Code()), Text: coded.Message()},
		More:   len(coded.Details()), Error: err,
	}
	for _, detail := range coded.Details() {
		value, err := connectproto.UnmarshalErrorDetail(detail)
		info, ok := value.(*errdetails.ErrorInfo)
		if err != nil || !ok {
			continue
		}
		got.Explain(info)
	}
	if challenges := info.ResponseHeader().Values("Www-Authenticate"); len(challenges) > 0 {
		got.Challenge = challenges[0]
		got.More += len(challenges) - 1
		if challenges[0] == "" {
			got.More++
		}
	}
	return got
}
