package harness

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// An attacker is a server that must get no connection.
type attacker struct {
	url         string
	connections atomic.Int64
}

func listen(t *testing.T) *attacker {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := &attacker{url: "http://" + listener.Addr().String()}
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			a.connections.Add(1)
			_ = conn.Close()
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		accepting.Wait()
	})
	return a
}
