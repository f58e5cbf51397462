package grpcguardtest_test

import (
	"context"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	channelz "google.golang.org/grpc/channelz/service"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/grpcguard"
	"github.com/protoauthz/protoauthz/interceptor/grpcguardtest"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/protos"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

const (
	open    = ` is open: it answered a call without a token with gRPC status OK and reason "", not with "TOKEN_MISSING": make its server with grpcguard.ServerOptions(guard): `
	unary   = open + "grpcguard.Stream alone guards no unary call"
	stream  = open + "grpcguard.Unary alone guards no stream"
	instead = ": give a connection to the server with which they are registered"
	nothing = "the table guards nothing: give a table with a method that is not public"
	serve   = ": make its server with grpcguard.ServerOptions(guard): "
)

// server is the fault of an open server stream: the call has no message.
var server = failing(stream, "Internal")

// failing is the fault of an open procedure that answers with a code.
func failing(fault, code string) string {
	return strings.NewReplacer(" is open: ", " is not behind the guard: ", "status OK", "status "+code).Replace(fault)
}

// faults appends its fault to each procedure.
func faults(procedures []string, fault func(procedure string) string) []string {
	for i, procedure := range procedures {
		procedures[i] += fault(procedure)
	}
	return procedures
}

func each(fault string) func(string) string { return func(string) string { return fault } }

// opened is the fault of a procedure that is open.
func opened(procedure string) string {
	switch procedure[strings.LastIndexByte(procedure, '/')+1:] {
	case catalogue.Unary.Name:
		return unary
	case catalogue.Server.Name:
		return server
	default:
		return stream
	}
}

func streams(_ string, stream bool) bool { return stream }
func unaries(_ string, stream bool) bool { return !stream }
func some(string, bool) bool             { return true }

// TestExample runs the test of ExampleAssertGuarded.
func TestExample(t *testing.T) {
	t.Parallel()
	testGuarded(t)
}

func TestOutside(t *testing.T) {
	t.Parallel()
	table := harness.Rules(t)
	guard := grpcguard.ServerOptions(harness.NoTokens(table))
	read := catalogue.Procedure("Read", catalogue.Bidi)
	for name, test := range map[string]struct {
		options []grpc.ServerOption
		want    []string
	}{
		"A5 guarded":                     {guard, nil},
		"A5 no guard":                    {nil, faults(procedures(table, some), opened)},
		"A5 only the unary interceptor":  {[]grpc.ServerOption{grpc.UnaryInterceptor(grpcguard.Unary(harness.NoTokens(table)))}, faults(procedures(table, streams), opened)},
		"A5 only the stream interceptor": {[]grpc.ServerOption{grpc.StreamInterceptor(grpcguard.Stream(harness.NoTokens(table)))}, faults(procedures(table, unaries), opened)},
		"A5 a chain that leaves one out": {leavingOut(harness.NoTokens(table), read), []string{read + stream}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			expect(t, name, grpcguardtest.InProcess(t, newServer(table, all, answering, test.options...)), table, test.want)
		})
	}
}

// leavingOut is a chain that was made by hand and leaves out all procedures with a prefix.
func leavingOut(guard *interceptor.Guard, prefixes ...string) []grpc.ServerOption {
	out := func(procedure string) bool {
		return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(procedure, prefix) })
	}
	unary, stream := grpcguard.Unary(guard), grpcguard.Stream(guard)
	return []grpc.ServerOption{
		grpc.UnaryInterceptor(func(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			if out(info.FullMethod) {
				return handler(ctx, request)
			}
			return unary(ctx, request, info, handler)
		}),
		grpc.StreamInterceptor(func(server any, s grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
			if out(info.FullMethod) {
				return handler(server, s)
			}
			return stream(server, s, info, handler)
		}),
	}
}

// TestWellKnown makes sure that services are found which frameworks bring along.
func TestWellKnown(t *testing.T) {
	t.Parallel()
	table := harness.Rules(t)
	const (
		healthName, v1, v1alpha = "/grpc.health.v1.Health/", "/grpc.reflection.v1.ServerReflection/", "/grpc.reflection.v1alpha.ServerReflection/"
		reading                 = "ServerReflectionInfo"
		public                  = " in policy.WithPublic if everybody may call it, or do not serve it"
	)
	ruled := func(fault string) string { return strings.Replace(fault, "TOKEN_MISSING", "RULE_MISSING", 1) }
	const refused = " is refused to everybody: name "
	for name, test := range map[string]struct {
		options []grpc.ServerOption
		want    []string
	}{
		"A6 unguarded reflection": {leavingOut(harness.NoTokens(table), v1, v1alpha), []string{
			healthName + "Check" + refused + "grpc.health.v1.Health" + public, healthName + "List" + refused + "grpc.health.v1.Health" + public, healthName + "Watch" + refused + "grpc.health.v1.Health" + public,
			v1 + reading + ruled(stream) + "; then name grpc.reflection.v1.ServerReflection" + public,
			v1alpha + reading + ruled(stream) + "; then name grpc.reflection.v1alpha.ServerReflection" + public,
		}},
		"A6 unguarded health": {leavingOut(harness.NoTokens(table), healthName), []string{
			healthName + "Check" + ruled(unary) + "; then name grpc.health.v1.Health" + public,
			healthName + "List" + ruled(unary) + "; then name grpc.health.v1.Health" + public,
			healthName + "Watch" + ruled(server) + "; then name grpc.health.v1.Health" + public,
			v1 + reading + refused + "grpc.reflection.v1.ServerReflection" + public,
			v1alpha + reading + refused + "grpc.reflection.v1alpha.ServerReflection" + public,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newServer(table, all, answering, test.options...)
			reflection.Register(server)
			grpc_health_v1.RegisterHealthServer(server, health.NewServer())
			expect(t, name, grpcguardtest.InProcess(t, server), table, test.want)
		})
	}

	server := grpc.NewServer()
	channelz.RegisterChannelzServiceToServer(server)
	var want []string
	for _, method := range []string{"GetChannel", "GetServer", "GetServerSockets", "GetServers", "GetSocket", "GetSubchannel", "GetTopChannels"} {
		fault := failing(unary, "NotFound")
		if method == "GetServers" || method == "GetServerSockets" || method == "GetTopChannels" {
			fault = unary
		}
		want = append(want, "/grpc.channelz.v1.Channelz/"+method+ruled(fault)+"; then name grpc.channelz.v1.Channelz"+public)
	}
	expect(t, "channelz", grpcguardtest.InProcess(t, server), new(policy.Table), want)
}

// TestPublic makes sure that services that everybody may call are not called.
func TestPublic(t *testing.T) {
	t.Parallel()
	table, err := policy.Compile(policy.Files{grpc_health_v1.File_grpc_health_v1_health_proto},
		policy.WithPublic("grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"))
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpcguard.ServerOptions(harness.NoTokens(table))...)
	reflection.Register(server)
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	expect(t, "public", grpcguardtest.InProcess(t, server), table, []string{nothing})
}

func TestAssertGuarded(t *testing.T) {
	t.Parallel()
	table := harness.Rules(t)
	guard := harness.NoTokens(table)
	grpcguardtest.AssertGuarded(t, grpcguardtest.InProcess(t, newServer(table, all, answering, grpcguard.ServerOptions(guard)...)), table)

	read := catalogue.Procedure("Read", catalogue.Method{})
	onlyRead := func(procedure string) bool { return strings.HasPrefix(procedure, read) }
	notRead := func(procedure string, _ bool) bool { return !onlyRead(procedure) }
	unknown := grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error { return nil })
	impostor, err := status.New(codes.Unauthenticated, "who are you?").WithDetails(&errdetails.ErrorInfo{Reason: "TOKEN_MISSING", Domain: "example.test"})
	if err != nil {
		t.Fatal(err)
	}
	stopped := newServer(table, all, answering)
	conn := grpcguardtest.InProcess(t, stopped)
	stopped.Stop()
	closed := grpcguardtest.InProcess(t, newServer(table, all, answering))
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	fails := func(err error) handler { return func(context.Context, string) error { return err } }
	unavailable := grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error { return status.Error(codes.Unavailable, "no backend") })
	elsewhere := []string{"/protoauthz", "/sample", "/grpc", "/envoy", "/xds"}
	leaving := leavingOut(guard, read+catalogue.Unary.Name)
	for name, test := range map[string]struct {
		conn  grpc.ClientConnInterface
		table *policy.Table
		want  []string
	}{
		"some are not registered": {
			grpcguardtest.InProcess(t, newServer(table, onlyRead, answering, grpcguard.ServerOptions(guard)...)), table,
			[]string{"the server does not know " + strings.Join(procedures(table, notRead), ", ") + instead},
		},
		"none is registered": {
			grpcguardtest.InProcess(t, grpc.NewServer()), table,
			[]string{"the server does not know " + strings.Join(procedures(table, some), ", ") + instead},
		},
		"nothing": {grpcguardtest.InProcess(t, grpc.NewServer()), new(policy.Table), []string{nothing}},
		"the guard's table is another": {
			grpcguardtest.InProcess(t, newServer(table, all, answering, grpcguard.ServerOptions(harness.NoTokens(new(policy.Table)))...)), table,
			faults(procedures(table, some), each(" is refused to everybody: the server's guard has another table: give this test the table that interceptor.New got, or compile the method's file into the server's table")),
		},
		"its own refusal": {
			grpcguardtest.InProcess(t, newServer(table, all, fails(status.Error(codes.Unauthenticated, "who are you?")), leaving...)), table,
			[]string{read + "Unary" + failing(unary, "Unauthenticated")},
		},
		"another's refusal": {
			grpcguardtest.InProcess(t, newServer(table, all, fails(impostor.Err()), leaving...)), table,
			[]string{read + "Unary" + failing(unary, "Unauthenticated")},
		},
		"not implemented yet": {
			grpcguardtest.InProcess(t, newServer(table, all, fails(status.Error(codes.Unimplemented, "method Unary not implemented")), leaving...)), table,
			[]string{read + "Unary" + failing(unary, "Unimplemented")},
		},
		"one method is not registered": {
			grpcguardtest.InProcess(t, newServer(table, func(procedure string) bool { return procedure != read+"Unary" }, answering, grpcguard.ServerOptions(guard)...)), table,
			[]string{"the server does not know " + read + "Unary" + instead},
		},
		"unknown, by another code": {
			grpcguardtest.InProcess(t, newServer(table, all, fails(status.Error(codes.Internal, "unknown service test.v1.Read")), leaving...)), table,
			[]string{read + "Unary" + failing(unary, "Internal")},
		},
		"closing, by another code": {
			grpcguardtest.InProcess(t, newServer(table, all, fails(status.Error(codes.Internal, "grpc: the client connection is closing")), leaving...)), table,
			[]string{read + "Unary" + failing(unary, "Internal")},
		},
		"canceled": {
			grpcguardtest.InProcess(t, newServer(table, all, fails(status.Error(codes.Canceled, "by the handler")), leaving...)), table,
			[]string{read + "Unary" + failing(unary, "Canceled")},
		},
		"refused, by a wrapped connection": {
			wrapped{grpcguardtest.InProcess(t, newServer(table, all, fails(impostor.Err()), leaving...))}, table,
			[]string{read + "Unary" + failing(unary, "Unauthenticated")},
		},
		"a connection that is lost after each answer": {
			lost{grpcguardtest.InProcess(t, newServer(table, all, answering, grpcguard.ServerOptions(guard)...))}, table, nil,
		},
		"no gRPC": {
			answeringAll{endedStream{text: "unexpected HTTP status code received from server: 404 (Not Found); transport: received unexpected content-type", sent: io.EOF}}, table,
			[]string{"the server does not know " + strings.Join(procedures(table, some), ", ") + instead},
		},
		"a message that cannot be sent": {
			answeringOne{grpcguardtest.InProcess(t, newServer(table, all, answering, grpcguard.ServerOptions(guard)...)), read + "Unary", endedStream{sent: status.Error(codes.Internal, "no")}}, table,
			[]string{read + "Unary" + failing(unary, "Internal")},
		},
		"a stream that cannot be closed": {
			answeringOne{grpcguardtest.InProcess(t, newServer(table, all, answering, grpcguard.ServerOptions(guard)...)), read + "Unary", endedStream{closed: status.Error(codes.Internal, "no")}}, table,
			[]string{read + "Unary" + failing(unary, "Internal")},
		},
		"unavailable for once": {
			grpcguardtest.InProcess(t, newServer(table, all, fails(status.Error(codes.Unavailable, "later")), leaving...)), table,
			[]string{read + "Unary" + failing(unary, "Unavailable")},
		},
		"all that is unknown, unavailable": {
			grpcguardtest.InProcess(t, newServer(table, all, answering, append(leavingOut(guard, elsewhere...), unavailable)...)), table,
			[]string{"every procedure that the server does not know" + strings.Replace(failing(stream, "Unavailable"), "TOKEN_MISSING", "RULE_MISSING", 1)},
		},
		"unavailable, by a wrapped connection": {
			wrapped{grpcguardtest.InProcess(t, newServer(table, all, fails(status.Error(codes.Unavailable, "later")), leaving...))}, table,
			[]string{read + "Unary" + failing(unary, "Unavailable (from a handler, or as the server cannot be reached)")},
		},
		"a check for a token": {
			grpcguardtest.InProcess(t, newServer(table, all, answering, checking(guard, read+catalogue.Unary.Name)...)), table,
			[]string{read + "Unary" + strings.NewReplacer("without a token", "with two tokens", `"TOKEN_MISSING": `, `"TOKEN_MALFORMED": something else than a guard refuses calls without a token: `).Replace(unary)},
		},
		"all that is unknown, guarded": {grpcguardtest.InProcess(t, newServer(table, all, answering, append(grpcguard.ServerOptions(guard), unknown)...)), table, nil},
		"all that is unknown, open": {
			grpcguardtest.InProcess(t, newServer(table, all, answering, append(leavingOut(guard, elsewhere...), unknown)...)), table,
			[]string{"every procedure that the server does not know" + strings.Replace(stream, "TOKEN_MISSING", "RULE_MISSING", 1)},
		},
		"a token comes along": {
			grpcguardtest.InProcess(t, newServer(table, all, answering, grpcguard.ServerOptions(guard)...), grpc.WithPerRPCCredentials(bearer{})), table,
			[]string{"the calls carry a token: " + procedures(table, some)[0] + ` was refused with reason "TOKEN_INVALID": give a connection that adds no token`},
		},
		"a good token comes along": {
			grpcguardtest.InProcess(t, newServer(table, all, answering, grpcguard.ServerOptions(harness.Expiring(t, time.Hour))...), grpc.WithPerRPCCredentials(bearer{})), table,
			[]string{`the calls carry a token: /test.v1.Any/Bidi was refused with reason "MODEL_MISMATCH": give a connection that adds no token`},
		},
		"stopped":     {conn, table, []string{`the server cannot be called: connection error: desc = "transport: Error while dialing: the server was stopped: serve a new one"`}},
		"closed":      {closed, table, []string{"the server cannot be called: the connection is closed: close it only after the test"}},
		"nil":         {nil, table, []string{"the connection is nil: give the connection that is tested"}},
		"nil pointer": {(*grpc.ClientConn)(nil), table, []string{"the connection is nil: give the connection that is tested"}},
		"nil table":   {conn, nil, []string{"the table is nil: give the table that policy.Compile returned"}},
	} {
		expect(t, name, test.conn, test.table, test.want)
	}
}

// checking is a guard that skips calls with a token to a procedure.
func checking(guard *interceptor.Guard, procedure string) []grpc.ServerOption {
	unary := grpcguard.Unary(guard)
	return []grpc.ServerOption{
		grpc.StreamInterceptor(grpcguard.Stream(guard)),
		grpc.UnaryInterceptor(func(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			if info.FullMethod == procedure && len(metadata.ValueFromIncomingContext(ctx, "authorization")) > 0 {
				return handler(ctx, request)
			}
			return unary(ctx, request, info, handler)
		}),
	}
}

// A wrapped connection hides its state.
type wrapped struct{ grpc.ClientConnInterface }

// A lost connection is never ready.
type lost struct{ grpc.ClientConnInterface }

func (lost) GetState() connectivity.State { return connectivity.Idle }

// An answeringAll connection answers all calls with a status.
type answeringAll struct{ stream endedStream }

func (answeringAll) Invoke(context.Context, string, any, any, ...grpc.CallOption) error { return nil }

func (c answeringAll) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return c.stream, nil
}

// An answeringOne connection answers the calls of one procedure itself.
type answeringOne struct {
	grpc.ClientConnInterface
	procedure string
	stream    endedStream
}

func (c answeringOne) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	if method == c.procedure {
		return c.stream, nil
	}
	return c.ClientConnInterface.NewStream(ctx, desc, method, opts...)
}

type endedStream struct {
	grpc.ClientStream
	text         string
	sent, closed error
}

func (s endedStream) SendMsg(any) error { return s.sent }
func (s endedStream) CloseSend() error  { return s.closed }
func (s endedStream) RecvMsg(any) error { return status.Error(codes.Unimplemented, s.text) }

// TestNobodyServes makes sure that a connection without a server is one fault, after five seconds.
func TestNobodyServes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		listener := bufconn.Listen(1 << 10)
		defer func() { _ = listener.Close() }()
		conn, err := grpc.NewClient("passthrough:///nobody", grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		started := time.Now()
		expect(t, "nobody", conn, harness.Rules(t), []string{"the server cannot be called: there is no connection after 5s: is it serving?"})
		if took := time.Since(started); took > 6*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// TestCallsEnd makes sure that a call ends with its first answer, although its handler waits for more.
func TestCallsEnd(t *testing.T) {
	t.Parallel()
	table := harness.Rules(t)
	synctest.Test(t, func(t *testing.T) {
		var called, running atomic.Int64
		server := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
			called.Add(1)
			running.Add(1)
			defer running.Add(-1)
			err := stream.SendMsg(new(emptypb.Empty))
			<-stream.Context().Done()
			return err
		}))
		conn := grpcguardtest.InProcess(t, server, grpc.WithTransportCredentials(insecure.NewCredentials()))
		grpcguardtest.AssertGuarded(&harness.Report{TB: t}, conn, table)
		synctest.Wait()
		if called.Load() == 0 || running.Load() != 0 {
			t.Errorf("of %d calls, %d go on", called.Load(), running.Load())
		}
	})
}

// TestRequired makes sure that a call has a message that the server can read.
func TestRequired(t *testing.T) {
	t.Parallel()
	files, err := protos.Compile(t.Context(), "../../proto", map[string]string{"required.proto": `syntax = "proto2";
package required;
import "protoauthz/v1/authz.proto";
enum Kind { ONE = 1; }
message In { required string name = 1; required Inner inner = 2; required bytes raw = 3; required Kind kind = 4; optional Inner more = 5; repeated Inner rest = 6; }
message Inner { required double size = 1; required group Deep = 2 { required bool yes = 1; } }
service S { rpc A(In) returns (In) { option (protoauthz.v1.method) = { authenticated: true model: MODEL_GLOBAL_RESOURCE }; } }
`}, "required.proto")
	if err != nil {
		t.Fatal(err)
	}
	table, err := policy.Compile(policy.Files(files), policy.WithAudience("https://api.example.test"))
	if err != nil {
		t.Fatal(err)
	}
	rule, _ := table.Lookup("/required.S/A")
	for name, test := range map[string]struct {
		options []grpc.ServerOption
		dialing grpc.DialOption
		want    []string
	}{
		"guarded":   {grpcguard.ServerOptions(harness.NoTokens(table)), grpc.EmptyDialOption{}, nil},
		"open":      {nil, grpc.EmptyDialOption{}, []string{"/required.S/A" + unary}},
		"too large": {nil, grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(1)), []string{"/required.S/A" + failing(unary, "ResourceExhausted")}},
	} {
		server := grpc.NewServer(test.options...)
		service := &grpc.ServiceDesc{ServiceName: "required.S", HandlerType: (*any)(nil)}
		addUnary(service, rule, func() proto.Message { return dynamicpb.NewMessage(rule.Method.Input()) }, answering)
		server.RegisterService(service, struct{}{})
		expect(t, name, grpcguardtest.InProcess(t, server, test.dialing), table, test.want)
	}
}

type bearer struct{}

func (bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer any"}, nil
}

func (bearer) RequireTransportSecurity() bool { return false }

// TestAssertGuardedHanging makes sure that a handler which never answers is a fault after five seconds.
func TestAssertGuardedHanging(t *testing.T) {
	t.Parallel()
	table := harness.Rules(t)
	for _, method := range catalogue.Methods {
		if method == catalogue.Server { // whose handler needs a message
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			procedure := catalogue.Procedure("Read", method)
			hanging := func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }
			server := newServer(table, all, hanging, leavingOut(harness.NoTokens(table), procedure)...)
			conn := grpcguardtest.InProcess(t, server, grpc.WithTransportCredentials(insecure.NewCredentials()))
			started := time.Now()
			alone := "grpcguard.Unary alone guards no stream"
			if method == catalogue.Unary {
				alone = "grpcguard.Stream alone guards no unary call"
			}
			expect(t, method.Name, conn, table, []string{procedure + " is open: it has not refused a call without a token within 5s" + serve + alone})
			if took := time.Since(started); took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}
