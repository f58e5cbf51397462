package grpcguardtest_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	channelz "google.golang.org/grpc/channelz/service"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/grpcguard"
	"github.com/protoauthz/protoauthz/interceptor/grpcguardtest"
	"github.com/protoauthz/protoauthz/interceptor/internal/calltest"
	"github.com/protoauthz/protoauthz/interceptor/internal/rpctest"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

const (
	open   = ` is open: it answered a call without a token with gRPC status OK and reason "", not with "TOKEN_MISSING": make its server with grpcguard.ServerOptions(guard): `
	unary  = open + "grpcguard.Stream alone guards no unary call"
	stream = open + "grpcguard.Unary alone guards no stream"
	serve  = ": make its server with grpcguard.ServerOptions(guard): "
)

// A server stream has to be sent a message, and was sent none.
var server = strings.Replace(stream, "status OK", "status Internal", 1)

// faults gives each procedure its fault.
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
	case rpctest.Unary.Name:
		return unary
	case rpctest.Server.Name:
		return server
	default:
		return stream
	}
}

func streams(_ string, stream bool) bool { return stream }
func unaries(_ string, stream bool) bool { return !stream }
func some(string, bool) bool             { return true }

func TestOutside(t *testing.T) {
	t.Parallel()
	table := calltest.Rules(t)
	guard := grpcguard.ServerOptions(newGuard(table))
	read := rpctest.Procedure("Read", rpctest.Bidi)
	for name, test := range map[string]struct {
		options []grpc.ServerOption
		want    []string
	}{
		"A5 guarded":                     {guard, nil},
		"A5 no guard":                    {nil, faults(procedures(table, some), opened)},
		"A5 only the unary interceptor":  {[]grpc.ServerOption{grpc.UnaryInterceptor(grpcguard.Unary(newGuard(table)))}, faults(procedures(table, streams), opened)},
		"A5 only the stream interceptor": {[]grpc.ServerOption{grpc.StreamInterceptor(grpcguard.Stream(newGuard(table)))}, faults(procedures(table, unaries), opened)},
		"A5 a chain that leaves one out": {leavingOut(newGuard(table), read), []string{read + stream}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &report{TB: t, ctx: t.Context()}
			grpcguardtest.AssertGuarded(r, inProcess(t, newServer(table, all, answering, test.options...)), table)
			r.expect(t, name, test.want)
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
	table := calltest.Rules(t)
	const (
		healthName, v1, v1alpha = "/grpc.health.v1.Health/", "/grpc.reflection.v1.ServerReflection/", "/grpc.reflection.v1alpha.ServerReflection/"
		reading                 = "ServerReflectionInfo"
		public                  = " in policy.WithPublic if everybody may call it, or do not serve it"
	)
	ruled := func(fault string) string { return strings.Replace(fault, "TOKEN_MISSING", "RULE_MISSING", 1) }
	refused := " is refused to everybody: name "
	for name, test := range map[string]struct {
		options []grpc.ServerOption
		want    []string
	}{
		"A6 unguarded reflection": {leavingOut(newGuard(table), v1, v1alpha), []string{
			healthName + "Check" + refused, healthName + "List" + refused, healthName + "Watch" + refused + "grpc.health.v1.Health" + public,
			v1 + reading + ruled(stream) + ", and name grpc.reflection.v1.ServerReflection" + public,
			v1alpha + reading + ruled(stream) + ", and name grpc.reflection.v1alpha.ServerReflection" + public,
		}},
		"A6 unguarded health": {leavingOut(newGuard(table), healthName), []string{
			healthName + "Check" + ruled(unary) + ", and name grpc.health.v1.Health" + public,
			healthName + "List" + ruled(unary) + ", and name grpc.health.v1.Health" + public,
			healthName + "Watch" + ruled(server),
			v1 + reading + refused + "grpc.reflection.v1.ServerReflection" + public,
			v1alpha + reading + refused + "grpc.reflection.v1alpha.ServerReflection" + public,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newServer(table, all, answering, test.options...)
			reflection.Register(server)
			grpc_health_v1.RegisterHealthServer(server, health.NewServer())
			r := &report{TB: t, ctx: t.Context()}
			grpcguardtest.AssertGuarded(r, inProcess(t, server), table)
			r.expect(t, name, test.want)
		})
	}

	server := grpc.NewServer()
	channelz.RegisterChannelzServiceToServer(server)
	r := &report{TB: t, ctx: t.Context()}
	grpcguardtest.AssertGuarded(r, inProcess(t, server), new(policy.Table))
	if len(r.faults) != 7 || !strings.Contains(r.faults[0], "name grpc.channelz.v1.Channelz in policy.WithPublic") {
		t.Errorf("channelz: %q", r.faults)
	}
}

// TestPublic makes sure that services that everybody may call are not called.
func TestPublic(t *testing.T) {
	t.Parallel()
	table, err := policy.Compile(policy.Files{grpc_health_v1.File_grpc_health_v1_health_proto},
		policy.WithPublic("grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"))
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpcguard.ServerOptions(newGuard(table))...)
	reflection.Register(server)
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	r := &report{TB: t, ctx: t.Context()}
	grpcguardtest.AssertGuarded(r, inProcess(t, server), table)
	r.expect(t, "public", []string{"the table guards nothing"})
}

func TestAssertGuarded(t *testing.T) {
	t.Parallel()
	table := calltest.Rules(t)
	guard := newGuard(table)
	grpcguardtest.AssertGuarded(t, inProcess(t, newServer(table, all, answering, grpcguard.ServerOptions(guard)...)), table)

	read := rpctest.Procedure("Read", rpctest.Method{})
	onlyRead := func(procedure string) bool { return strings.HasPrefix(procedure, read) }
	notRead := func(procedure string, _ bool) bool { return !onlyRead(procedure) }
	unknown := grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error { return nil })
	impostor, err := status.New(codes.Unauthenticated, "who are you?").WithDetails(&errdetails.ErrorInfo{Reason: "TOKEN_MISSING", Domain: "example.test"})
	if err != nil {
		t.Fatal(err)
	}
	stopped := newServer(table, all, answering)
	conn := inProcess(t, stopped)
	stopped.Stop()
	fails := func(err error) handler { return func(context.Context, string) error { return err } }
	leaving := leavingOut(guard, read+rpctest.Unary.Name)
	for name, test := range map[string]struct {
		conn  grpc.ClientConnInterface
		table *policy.Table
		want  []string
	}{
		"some are not registered": {
			inProcess(t, newServer(table, onlyRead, answering, grpcguard.ServerOptions(guard)...)), table,
			[]string{"the server does not know " + strings.Join(procedures(table, notRead), ", ") + ": give a connection to the one with which they are registered"},
		},
		"none is registered": {
			inProcess(t, grpc.NewServer()), table,
			[]string{"the server does not know " + strings.Join(procedures(table, some), ", ") + ": give"},
		},
		"nothing": {inProcess(t, grpc.NewServer()), new(policy.Table), []string{"the table guards nothing"}},
		"the guard's table is another": {
			inProcess(t, newServer(table, all, answering, grpcguard.ServerOptions(newGuard(new(policy.Table)))...)), table,
			faults(procedures(table, some), each(` is open: it answered a call without a token with gRPC status PermissionDenied and reason "RULE_MISSING", not with "TOKEN_MISSING": `)),
		},
		"its own refusal": {
			inProcess(t, newServer(table, all, fails(status.Error(codes.Unauthenticated, "who are you?")), leaving...)), table,
			[]string{read + "Unary is open: it answered a call without a token with gRPC status Unauthenticated and reason \"\""},
		},
		"another's refusal": {
			inProcess(t, newServer(table, all, fails(impostor.Err()), leaving...)), table,
			[]string{read + "Unary is open: it answered a call without a token with gRPC status Unauthenticated and reason \"\""},
		},
		"not implemented yet": {
			inProcess(t, newServer(table, all, fails(status.Error(codes.Unimplemented, "method Unary not implemented")), leaving...)), table,
			[]string{read + "Unary is open: it answered a call without a token with gRPC status Unimplemented"},
		},
		"unavailable for once": {
			inProcess(t, newServer(table, all, fails(status.Error(codes.Unavailable, "later")), leaving...)), table,
			[]string{read + "Unary cannot be called: later"},
		},
		"all that is unknown, guarded": {inProcess(t, newServer(table, all, answering, append(grpcguard.ServerOptions(guard), unknown)...)), table, nil},
		"all that is unknown, open": {
			inProcess(t, newServer(table, all, answering, append(leavingOut(guard, "/protoauthz", "/sample", "/grpc", "/envoy", "/xds"), unknown)...)), table,
			[]string{`every procedure that the server does not know is open: it answered a call without a token with gRPC status OK and reason "", not with "RULE_MISSING"` + serve},
		},
		"a token comes along": {
			inProcess(t, newServer(table, all, answering, grpcguard.ServerOptions(guard)...), grpc.WithPerRPCCredentials(bearer{})), table,
			faults(procedures(table, some), each(` was refused with reason "TOKEN_INVALID", for a token that came along: call it without one`)),
		},
		"stopped": {conn, table, []string{"the server cannot be called: connection error: "}},
	} {
		r := &report{TB: t, ctx: t.Context()}
		grpcguardtest.AssertGuarded(r, test.conn, test.table)
		r.expect(t, name, test.want)
	}
}

type bearer struct{}

func (bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer any"}, nil
}

func (bearer) RequireTransportSecurity() bool { return false }

// TestAssertGuardedHanging makes sure that a handler which waits for ever costs a while and not the
// whole test.
func TestAssertGuardedHanging(t *testing.T) {
	t.Parallel()
	table := calltest.Rules(t)
	for _, method := range rpctest.Methods {
		if method == rpctest.Server { // which has to be sent a message
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			procedure := rpctest.Procedure("Read", method)
			hanging := func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }
			server := newServer(table, all, hanging, leavingOut(newGuard(table), procedure)...)
			conn := inProcess(t, server, grpc.WithTransportCredentials(insecure.NewCredentials()))
			r := &report{TB: t, ctx: t.Context()}
			started := time.Now()
			grpcguardtest.AssertGuarded(r, conn, table)
			r.expect(t, method.Name, []string{procedure + " is open: it has not refused a call without a token within 5s: make its server with grpcguard.ServerOptions(guard)"})
			if took := time.Since(started); took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}
