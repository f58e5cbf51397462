// Package grpcclientauth gives outgoing calls of grpc-go their token. See package clientauth
// for where tokens come from.
//
//	conn, err := grpc.NewClient("orders.example.com:443", grpcclientauth.DialOptions(source, credentials.NewTLS(nil))...)
package grpcclientauth

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"golang.org/x/oauth2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/protoauthz/protoauthz/interceptor/clientauth"
)

const (
	header = "authorization"
	local  = "local" // what package credentials/local calls itself
)

// DialOptions make the calls of a connection send a token of the source. The transport
// credentials are part of it, since they say where a token may go:
//
//   - [credentials.NewTLS], and others whose connections nobody else can read;
//   - [google.golang.org/grpc/credentials/local.NewCredentials], for 127.0.0.0/8, ::1 and unix
//     sockets: it connects to nothing else, and with it no proxy of the environment is used;
//   - not insecure.NewCredentials, with which [grpc.NewClient] fails: a name or an address does
//     not tell where a connection leads.
//
// The security of the very connection is looked at again for every call, also if the caller
// has set an authorization of its own. That is sent as it is, and so are those of a call with
// [grpc.PerRPCCredentials] of its own: none of the source goes beside them, whatever they
// send. Give these options after those whose interceptors add such credentials.
//
// A unary call that the server answers with Unauthenticated is repeated once, with another
// token, if the source has one; this may have the handler run twice if it is the handler that
// says so. What a stream has sent cannot be repeated: its token is dropped, so that the next
// call has another one. Options of a call, such as [grpc.OnFinish], act on both attempts. A
// call that gets no token does not go out; its code is Unavailable if trying again may help, and
// Internal otherwise. Its error is a status of grpc-go, so it does not match the errors of
// package clientauth, and names the token endpoint: do not pass it on to callers.
//
// The options may serve any number of connections. It panics if an argument is nil.
func DialOptions(source *clientauth.Source, transport credentials.TransportCredentials) []grpc.DialOption {
	if source == nil || transport == nil {
		panic("grpcclientauth: DialOptions needs a source and transport credentials")
	}
	a := &authorizer{source: source, local: transport.Info().SecurityProtocol == local}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(transport), grpc.WithPerRPCCredentials(a),
		grpc.WithChainUnaryInterceptor(a.unary), grpc.WithChainStreamInterceptor(a.stream),
	}
	if a.local {
		options = append(options, grpc.WithNoProxy()) // the credentials would take one on this machine for the server
	}
	return options
}

// Forward is [clientauth.Forward] for handlers of grpc-go. It cannot tell the calls of a server
// from those that are made in process with an incoming context: see [clientauth.ForwardFrom].
func Forward() *clientauth.Source {
	return clientauth.ForwardFrom(func(ctx context.Context) []string {
		return metadata.ValueFromIncomingContext(ctx, header)
	})
}

type authorizer struct {
	source *clientauth.Source
	local  bool
}

// RequireTransportSecurity implements [credentials.PerRPCCredentials].
func (a *authorizer) RequireTransportSecurity() bool { return !a.local }

// GetRequestMetadata implements [credentials.PerRPCCredentials].
func (a *authorizer) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	if !secure(ctx) {
		return nil, statusOf(fmt.Errorf("grpcclientauth: %w: others can read the connection, use TLS", clientauth.ErrInsecure))
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

// secure reports whether nobody else can read the connection of a call. What does not say so
// is not secure.
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

// statusOf is the status of a call that got no token. Of any other error, grpc-go would make
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

// A call is how the interceptors and the credentials know of each other.
type call struct {
	own   bool          // credentials, and none of the source
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
		return err
	}
	fresh, noFresh := a.source.Replace(ctx, refused)
	if noFresh != nil {
		return err // what the server said counts for more
	}
	return invoke(withCall(ctx, &call{token: fresh}), method, request, reply, conn, opts...)
}

func (a *authorizer) stream(
	ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	c := newCall(opts)
	stream, err := open(withCall(ctx, c), desc, conn, method, opts...)
	if err != nil {
		return nil, err // nothing was sent
	}
	return &clientStream{stream, a.source, c}, nil
}

// A clientStream drops the token of a stream that is refused.
type clientStream struct {
	grpc.ClientStream

	source *clientauth.Source
	call   *call
}

// RecvMsg implements [grpc.ClientStream].
func (s *clientStream) RecvMsg(message any) error {
	err := s.ClientStream.RecvMsg(message)
	if refused := s.call.refused(err); refused != nil {
		s.source.Drop(s.Context(), refused)
	}
	return err
}
