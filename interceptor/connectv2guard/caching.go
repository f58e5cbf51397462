package connectv2guard

import (
	"errors"
	"net/http"
	"strings"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
)

const cacheControl = "Cache-Control"

// errPanicked stands for a panic of the handler: an interceptor around the guard may turn it into an error.
var errPanicked = errors.New("the handler panicked")

func isGet(info *connect.CallInfo) bool {
	served, ok := info.TransportInfo.(*connecthttp.ServerInfo)
	return ok && served.HTTPMethod() == http.MethodGet
}

// limitCaching sets the Cache-Control of an answer to a GET unless the handler has set it: see package
// interceptor. The header of a unary call goes out with the message or, without a message, with the error.
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
