package interceptor_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/rpctest"
	"github.com/protoauthz/protoauthz/interceptor/internal/tokentest"
)

// ended returns nil for the end of a stream.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// A server serves HTTP/1.1 and HTTP/2 on one port.
type server struct {
	url          string
	dial         dialer
	http1, http2 *http.Client

	lastCall atomic.Int64
	calls    sync.Map

	mu  sync.Mutex
	log bytes.Buffer
}

const callHeader = "X-Test-Call"

type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

func serve(t testing.TB, handler http.Handler) *server {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, listener, new(net.Dialer).DialContext, handler)
}

func serveOn(t testing.TB, listener net.Listener, dial dialer, handler http.Handler) *server {
	t.Helper()
	s := &server{url: "http://" + listener.Addr().String(), dial: dial}
	both, only2 := new(http.Protocols), new(http.Protocols)
	both.SetHTTP1(true)
	both.SetUnencryptedHTTP2(true)
	only2.SetUnencryptedHTTP2(true)
	backend := &http.Server{
		Protocols: both,
		ErrorLog:  log.New(s, "", 0),
		Handler:   s.recording(handler),
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = backend.Serve(listener) })
	one, two := &http.Transport{DialContext: dial}, &http.Transport{DialContext: dial, Protocols: only2}
	s.http1, s.http2 = &http.Client{Transport: tap{one, s}}, &http.Client{Transport: tap{two, s}}
	t.Cleanup(func() {
		one.CloseIdleConnections()
		two.CloseIdleConnections()
		_ = backend.Close()
		serving.Wait()
	})
	return s
}

// serveInProcess serves without a network: headers arrive as they are, even if no HTTP
// could carry them.
func serveInProcess(handler http.Handler) *server {
	s := &server{url: "http://in.process"}
	recording := s.recording(handler)
	client := &http.Client{Transport: tap{tokentest.Handler(func(request *http.Request) (*http.Response, error) {
		request = request.Clone(request.Context())
		request.ProtoMajor, request.ProtoMinor = 2, 0
		if request.Body == nil {
			request.Body = http.NoBody
		}
		defer func() { _ = request.Body.Close() }() // as a server does
		response, err := inProcess(recording)(request)
		response.ProtoMajor, response.ProtoMinor = 2, 0
		return response, err
	}), s}}
	s.http1, s.http2 = client, client
	return s
}

// recording hands on requests with their call.
func (s *server) recording(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := s.calls.Load(r.Header.Get(callHeader)); ok {
			r = r.WithContext(context.WithValue(r.Context(), callKey{}, c))
		}
		handler.ServeHTTP(w, r)
	})
}

// A tap keeps what comes back to a client.
type tap struct {
	http.RoundTripper
	server *server
}

func (t tap) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.RoundTripper.RoundTrip(request)
	recorded, _ := t.server.calls.Load(request.Header.Get(callHeader))
	if c, ok := recorded.(*call); ok && err == nil {
		c.status = response.StatusCode
		header := response.Header.Clone()
		header.Del("Date")
		c.receive(header)
		response.Body = &tappedBody{response.Body, c, response}
	}
	return response, err
}

type tappedBody struct {
	io.ReadCloser
	call     *call
	response *http.Response
}

func (b *tappedBody) Read(into []byte) (int, error) {
	n, err := b.ReadCloser.Read(into)
	b.call.receive(string(into[:n]))
	if errors.Is(err, io.EOF) {
		b.call.receive(b.response.Trailer)
	}
	return n, err
}

func (c *call) receive(parts ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = fmt.Fprintln(&c.received, parts...)
}

// Write takes what net/http logs.
func (s *server) Write(line []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(line)
}

func (s *server) logged() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// record adds a header by which the server knows the call.
func (s *server) record(header http.Header) *call {
	c := new(call)
	id := strconv.FormatInt(s.lastCall.Add(1), 10)
	s.calls.Store(id, c)
	header.Set(callHeader, id)
	return c
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

func wireNamed(name string) wire {
	return wires[slices.IndexFunc(wires, func(w wire) bool { return w.name == name })]
}

// can tells whether there is such a call at all.
func (w wire) can(kind connect.StreamType) bool {
	return (!w.get || kind == connect.StreamTypeUnary) && (!w.http1 || kind != connect.StreamTypeBidi)
}

// http2 are the ways over HTTP/2, without doubles.
func http2() []wire {
	return []wire{wires[1], wires[3], wires[4]}
}

func (s *server) connect(w wire, procedure string) *connect.Client[message, answer] {
	client := s.http2
	if w.http1 {
		client = s.http1
	}
	options := append([]connect.ClientOption{
		connect.WithIdempotency(connect.IdempotencyNoSideEffects),
		// So that answers can be read as they come, and since the race detector makes it slow.
		connect.WithAcceptCompression("gzip", nil, nil),
	}, w.options...)
	return connect.NewClient[message, answer](client, s.url+procedure, options...)
}

func naming(organization string) *message { return &message{OrganizationId: organization} }

// do makes one call with a message for each organization, and returns the texts
// in its answers.
func (s *server) do(ctx context.Context, w wire, service string, kind connect.StreamType, header http.Header, organizations ...string) ([]string, error) {
	messages := make([]*message, len(organizations))
	for n, organization := range organizations {
		messages[n] = naming(organization)
	}
	return s.send(ctx, w, service, kind, header, messages...)
}

// send makes one call, and returns the texts in its answers.
func (s *server) send(ctx context.Context, w wire, service string, kind connect.StreamType, header http.Header, messages ...*message) ([]string, error) {
	client := s.connect(w, procedure(service, kind))
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
				break // the answer says why
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

// Refusals that tests ask for, apart from the challenge.
var (
	missing      = refusalOf(rpctest.Missing)
	malformed    = refusalOf(rpctest.Malformed)
	expired      = refusalOf(rpctest.Expired)
	model        = refusalOf(rpctest.Model)
	organization = refusalOf(rpctest.Organization)
	callerKind   = refusalOf(rpctest.Caller)
	ruleless     = refusalOf(rpctest.Ruleless)
	failed       = refusalOf(rpctest.Failed)
)

// refusalOf is how a client of Connect gets a refusal.
func refusalOf(answer rpctest.Answer) refusal {
	if answer.Reason == "" {
		return refusal{}
	}
	return refusal{
		code: connect.Code(answer.Code), text: answer.Text, reason: interceptor.Reason(answer.Reason), domain: "protoauthz",
		required: answer.Required, any: answer.Any,
	}
}

// A refusal is all that a client learns.
type refusal struct {
	code      connect.Code
	text      string
	reason    interceptor.Reason
	domain    string
	required  string // the metadata of the ErrorInfo
	any       string
	more      int // how many other details and metadata there are
	challenge string
}

// refused takes an error apart. The zero refusal is none.
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
		for name := range info.GetMetadata() {
			if name != "required_scopes" && name != "any_scopes" {
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

// reasonOf is what most tests ask for.
func reasonOf(err error) interceptor.Reason { return refused(err).reason }
