package connectv2guard

import (
	"errors"
	"net/http"
	"strings"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
)

const cacheControl = "Cache-Control"

// errPanicked is the error of a handler that panics, of which an interceptor outside may make an error.
var errPanicked = errors.New("the handler panicked")

func isGet(info *connect.CallInfo) bool {
	served, ok := info.TransportInfo.(*connecthttp.ServerInfo)
	return ok && served.HTTPMethod() == http.MethodGet
}

// limitCaching adds to the header of an answer to a GET what its handler has not said: see package
// interceptor. The header of a unary call goes out with the message or the error, which comes first.
func (s *guardedStream) limitCaching(err error) {
	if !s.get {
		return
	}
	directive := "private"
	if err != nil && !connecthttp.IsNotModifiedError(err) {
		directive = "no-store"
	}
	header := s.info.ResponseHeader()
	if strings.TrimSpace(strings.Join(header.Values(cacheControl), "")) == "" {
		header.Set(cacheControl, directive)
	}
}
