// Package grpcclientauth gives outgoing calls of grpc-go their token. The tokens come from the
// sources of package clientauth.
//
//	conn, err := grpc.NewClient("orders.example.com:443", grpcclientauth.DialOptions(source, credentials.NewTLS(nil))...)
package grpcclientauth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/oauth2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/protoauthz/protoauthz/interceptor/clientauth"
	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
)

const (
	header = "authorization"
	local  = "local" // the security protocol of package credentials/local
)

// DialOptions returns the options with which the calls of a connection send a token of the
// source. The transport credentials are among the options, since they decide where a token may
// go:
//
//   - Use [credentials.NewTLS], or other credentials for connections that nobody else can read.
//   - Use [google.golang.org/grpc/credentials/local.NewCredentials] for 127.0.0.0/8, ::1 and unix
//     sockets. They connect to nothing else, and use no proxy of the environment.
//   - With insecure.NewCredentials, [grpc.NewClient] fails: a name or an address does not tell
//     where a connection leads. See [InsecureDialOptions].
//
// Every call checks the security of its connection again. A call is sent as it is if the caller
// has set an authorization header, or if the call has [grpc.PerRPCCredentials] of its own: the
// source adds no token to such a call. Give these options after options with interceptors that
// add such credentials.
//
// A unary call that the server answers with Unauthenticated is repeated once with another token,
// if the source has one. The handler runs twice if the handler itself gave that answer. A stream
// cannot be repeated: its token is dropped, so that the next call has another token. Options of a
// call, such as [grpc.OnFinish], act on both attempts.
//
// If a guard has refused the call, the error is as with [clientauth.NewInterceptor]: it keeps the refusal for
// this service, where [interceptor.DenialFrom] finds the refusal, and a handler may return it as it is.
//
// A call that gets no token does not go out. Its code is Unavailable if trying again may help,
// and Internal otherwise. Its error is a status of grpc-go, and does not match the errors of
// package clientauth. The error names the token endpoint: do not pass it on to callers.
//
// The options may serve any number of connections. DialOptions panics if an argument is nil.
func DialOptions(source *clientauth.Source, transport credentials.TransportCredentials) []grpc.DialOption {
	if source == nil || transport == nil {
		panic("grpcclientauth: DialOptions needs a source and transport credentials")
	}
	a := &authorizer{source: source, local: transport.Info().SecurityProtocol == local}
	options := a.options(transport)
	if a.local {
		options = append(options, grpc.WithNoProxy()) // the credentials would accept a proxy on this machine as the server
	}
	return options
}

// InsecureDialOptions is [DialOptions] for connections without TLS to the listed hosts: exact names or
// addresses without scheme, port and path, such as "orders". Case does not matter. The host of a call is its
// authority: the host of the target, unless an option such as [grpc.WithAuthority] names another. A call to
// another host does not go out. The connection uses no proxy of the environment.
//
// Whoever can read a call on the way can use its token until it expires. List a host only if the network to it
// is as safe as this process, such as the network of one docker compose, or a mesh whose sidecars encrypt. The
// error names every fault of the list. InsecureDialOptions panics if the source is nil.
func InsecureDialOptions(source *clientauth.Source, hosts ...string) ([]grpc.DialOption, error) {
	if source == nil {
		panic("grpcclientauth: InsecureDialOptions needs a source")
	}
	a := &authorizer{source: source, plain: endpoint.PlainHTTP{Setting: "InsecureDialOptions", Hosts: slices.Clone(hosts)}}
	var faults []error
	for _, fault := range a.plain.Faults() {
		faults = append(faults, fmt.Errorf("grpcclientauth: %w", fault))
	}
	if len(hosts) == 0 {
		faults = append(faults, errors.New("grpcclientauth: InsecureDialOptions: no host is listed: use DialOptions, or list the host of the target"))
	}
	if len(faults) > 0 {
		return nil, endpoint.JoinFaults(faults)
	}
	return append(a.options(insecure.NewCredentials()), grpc.WithNoProxy()), nil
}

func (a *authorizer) options(transport credentials.TransportCredentials) []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithTransportCredentials(transport), grpc.WithPerRPCCredentials(a),
		grpc.WithChainUnaryInterceptor(a.unary), grpc.WithChainStreamInterceptor(a.stream),
	}
}

// Forward is [clientauth.Forward] for handlers of grpc-go. It cannot tell a call of the server from a
// call in process with an incoming context: see [clientauth.ForwardFrom].
func Forward() *clientauth.Source {
	return clientauth.ForwardFrom(func(ctx context.Context) []string {
		return metadata.ValueFromIncomingContext(ctx, header)
	})
}

type authorizer struct {
	source *clientauth.Source
	local  bool
	plain  endpoint.PlainHTTP // the hosts to which calls may go without TLS
}

// RequireTransportSecurity implements [credentials.PerRPCCredentials].
func (a *authorizer) RequireTransportSecurity() bool { return !a.local && len(a.plain.Hosts) == 0 }

// GetRequestMetadata implements [credentials.PerRPCCredentials]. grpc-go gives the URL of the service, which is
// https whatever the connection is.
func (a *authorizer) GetRequestMetadata(ctx context.Context, uri ...string) (map[string]string, error) {
	if !secure(ctx) && !a.listed(uri) {
		return nil, statusOf(fmt.Errorf("grpcclientauth: %w: others can read the connection: use TLS, or see InsecureDialOptions", clientauth.ErrInsecure))
	}
	c, _ := ctx.Value(callKey{}).(*call)
	if c == nil {
		c = new(call)
	}
	if outgoing, _ := metadata.FromOutgoingContext(ctx); c.own || len(outgoing.Get(header)) > 0 {
		return nil, nil
	}
	token := c.token
	if token == nil {
		var err error
		if token, err = a.source.Token(ctx); err != nil {
			return nil, statusOf(err)
		}
	}
	c.sent.Store(token)
	return map[string]string{header: "Bearer " + token.AccessToken}, nil
}

// listed reports whether calls to a service may go without TLS.
func (a *authorizer) listed(uri []string) bool {
	return a.plain.Lists("http:" + strings.TrimPrefix(strings.Join(uri, " "), "https:"))
}

// secure reports whether nobody else can read the connection of a call. A connection of unknown security is
// not secure.
func secure(ctx context.Context) bool {
	request, _ := credentials.RequestInfoFromContext(ctx)
	if request.AuthInfo == nil {
		return false
	}
	info, ok := request.AuthInfo.(interface {
		GetCommonAuthInfo() credentials.CommonAuthInfo
	})
	return ok && info.GetCommonAuthInfo().SecurityLevel == credentials.PrivacyAndIntegrity || request.AuthInfo.AuthType() == local
}

// statusOf returns the status of a call that got no token. Without a status, grpc-go would report
// Unauthenticated.
func statusOf(err error) error {
	switch {
	case errors.Is(err, clientauth.ErrUnavailable):
		return status.Error(codes.Unavailable, err.Error())
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, err.Error())
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, err.Error())
	default:
		return status.Error(codes.Internal, err.Error())
	}
}

// A call connects the interceptors and the credentials by the context.
type call struct {
	own   bool          // the call has credentials of its own
	token *oauth2.Token // to send, or nil to ask the source
	sent  atomic.Pointer[oauth2.Token]
}

func newCall(opts []grpc.CallOption) *call {
	c := new(call)
	for _, option := range opts {
		if credentials, ok := option.(grpc.PerRPCCredsCallOption); ok {
			c.own = credentials.Creds != nil // the last one counts
		}
	}
	return c
}

type callKey struct{}

func withCall(ctx context.Context, c *call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}

// refused returns the token that the server has refused, or nil.
func (c *call) refused(err error) *oauth2.Token {
	if status.Code(err) != codes.Unauthenticated {
		return nil
	}
	return c.sent.Load()
}

func (a *authorizer) unary(
	ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	c := newCall(opts)
	err := invoke(withCall(ctx, c), method, request, reply, conn, opts...)
	refused := c.refused(err)
	if refused == nil {
		return c.forHandler(method, err)
	}
	fresh, noFresh := a.source.Replace(ctx, refused)
	if noFresh != nil {
		return c.forHandler(method, err) // the server's error is more useful than noFresh
	}
	c = &call{token: fresh}
	return c.forHandler(method, invoke(withCall(ctx, c), method, request, reply, conn, opts...))
}

func (a *authorizer) stream(
	ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	c := newCall(opts)
	stream, err := open(withCall(ctx, c), desc, conn, method, opts...)
	if err != nil {
		return nil, err // nothing was sent
	}
	return &clientStream{stream, a.source, c, method}, nil
}

// A clientStream drops the token of a stream that is refused, and changes the error of a refusal.
type clientStream struct {
	grpc.ClientStream

	source *clientauth.Source
	call   *call
	method string
}

// RecvMsg implements [grpc.ClientStream].
func (s *clientStream) RecvMsg(message any) error {
	err := s.ClientStream.RecvMsg(message)
	if refused := s.call.refused(err); refused != nil {
		s.source.Drop(s.Context(), refused)
	}
	return s.call.forHandler(s.method, err)
}
