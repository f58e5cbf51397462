package grpcguard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
)

// pipeSize is how many bytes wait in memory at most, in each direction of a connection.
const pipeSize = 256 << 10

// InProcess serves a server in memory and returns a connection to it, for grpc-gateway: see the
// package documentation. A call over the connection goes through all interceptors of the server, as a
// call over a network does.
//
// Register all services first: grpc-go ends the program when a service is registered with a server
// that serves. The server may also serve on other listeners.
//
// The caller ends the server and the connection, in any order. The goroutines of InProcess end when
// the connection is closed or the server is stopped. Over a connection to a stopped server, calls fail
// with [codes.Unavailable]. For a stopped server, InProcess returns an error.
//
// InProcess resolves no name, dials no address and uses no proxy. It ignores a dialer among the
// options. The limits are the limits of any connection: 4 MiB for a request, which
// [grpc.MaxRecvMsgSize] of the server changes, and 4 MiB for an answer, which [grpc.MaxCallRecvMsgSize]
// within [grpc.WithDefaultCallOptions] changes. The sender of a stream waits for its receiver, as over a
// network.
//
// A server with credentials ([grpc.Creds]) demands credentials in memory, too: give
// [grpc.WithTransportCredentials] that fit, or InProcess returns an error. The authority is
// "in-process" unless an option such as [grpc.WithAuthority] names another.
func InProcess(server *grpc.Server, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	if server == nil {
		return nil, errors.New("grpcguard: InProcess: the server is nil: give the server that grpc.NewServer returns")
	}
	serving, closed := context.WithCancel(context.Background())
	listener := closing{bufconn.Listen(pipeSize), closed}
	options = append([]grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}, options...)
	options = append(options, grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		conn, err := listener.DialContext(ctx)
		return unlessStopped(serving, conn, err)
	}))
	conn, err := grpc.NewClient("passthrough:///in-process", options...)
	if err != nil {
		closed()
		return nil, fmt.Errorf("grpcguard: InProcess: %w", err)
	}
	go func() { _ = server.Serve(listener) }() // Serve returns when the listener closes, which Stop does.
	go func() {
		await(serving, conn, connectivity.Shutdown)
		_ = listener.Close()
	}()
	if await(serving, conn, connectivity.Ready) {
		return conn, nil
	}
	select {
	case <-serving.Done():
		err = errStopped
	case <-time.After(stopDelay):
		err = errCredentials
	}
	_ = conn.Close()
	return nil, fmt.Errorf("grpcguard: InProcess: %w", err)
}

// stopDelay is how long InProcess waits for a Stop under way: Stop refuses connections a moment before it closes the
// listener.
const stopDelay = 100 * time.Millisecond

var (
	errStopped     = errors.New("the server was stopped: serve a new one")
	errCredentials = errors.New("the server ends the connection before the first call: if the server has credentials (grpc.Creds), " +
		"give InProcess grpc.WithTransportCredentials that fit")
)

// unlessStopped returns the results of a dialer, or the error of a server that was stopped. It closes the
// connection of a stopped server, which may have accepted it: Stop waits for its first bytes.
func unlessStopped(serving context.Context, conn net.Conn, err error) (net.Conn, error) {
	if serving.Err() == nil {
		return conn, err
	}
	if conn != nil {
		_ = conn.Close()
	}
	return nil, errStopped
}

// A closing listener calls a function before it closes.
type closing struct {
	*bufconn.Listener

	closed context.CancelFunc
}

// Close implements [net.Listener].
func (c closing) Close() error {
	c.closed()
	return c.Listener.Close()
}

// await waits for a state of a connection, and connects if the state is Ready. It reports false if the
// listener closes first or if the server does not take the connection.
func await(serving context.Context, conn *grpc.ClientConn, want connectivity.State) bool {
	for state := conn.GetState(); state != want; state = conn.GetState() {
		if want == connectivity.Ready {
			if state == connectivity.TransientFailure {
				return false
			}
			conn.Connect()
		}
		if !conn.WaitForStateChange(serving, state) {
			return false
		}
	}
	return true
}
