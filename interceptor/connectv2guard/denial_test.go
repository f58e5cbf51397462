package connectv2guard_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectproto"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/connectv2guard"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
)

// TestOthersDenial makes sure that the denial of another call, which a handler returns, does not pass for a
// refusal of the handler's own call.
func TestOthersDenial(t *testing.T) {
	t.Parallel()
	guard := harness.Expiring(t, time.Hour)
	_, kept := guard.Admit(t.Context(), catalogue.Procedure("Token", catalogue.Unary), http.Header{})
	inProcess := connectv2guard.Interceptor(guard)(nil)(t.Context(), specOf("Field", catalogue.Unary), nil)
	own := connect.NewError(connect.CodeAborted, "the handler's own").WithCause(kept)
	unreadable := &anypb.Any{TypeUrl: "type.googleapis.com/google.rpc.ErrorInfo", Value: []byte{0xff}}
	for _, message := range []proto.Message{kept.ErrorInfo(), unreadable, &errdetails.ErrorInfo{Domain: "handler"}} {
		detail, err := connectproto.NewErrorDetail(message)
		if err != nil {
			t.Fatal(err)
		}
		own = own.WithDetail(detail)
	}
	for name, test := range map[string]struct {
		err     error
		code    connect.Code
		details int
	}{
		"kept":                 {kept, connect.CodeUnknown, 0},
		"zero":                 {new(interceptor.Denial), connect.CodeUnknown, 0},
		"nil":                  {(*interceptor.Denial)(nil), connect.CodeUnknown, 0},
		"wrapped":              {fmt.Errorf("read: %w", kept), connect.CodeUnknown, 0},
		"joined":               {errors.Join(errors.New("read"), kept), connect.CodeUnknown, 0},
		"with a code":          {own, connect.CodeAborted, 1},
		"with a code, wrapped": {fmt.Errorf("wrapped: %w", own), connect.CodeAborted, 1},
		"of another process":   {own.WithRemote(), connect.CodeAborted, 1},
		"of a call in process": {inProcess, connect.CodeUnauthenticated, 0},
	} {
		for _, service := range []string{"Public", "Token", "Field"} {
			for _, method := range catalogue.Methods {
				info, err := callHandler(t.Context(), service, method, &fakeStream{in: []string{acme}}, func(_ context.Context, _ connect.Spec, stream connect.ServerStream) error {
					_ = stream.Receive(new(message))
					return test.err
				}, connectv2guard.Interceptor(guard))
				denial, found := errors.AsType[*interceptor.Denial](err)
				if err == nil || found || connect.CodeOf(err) != test.code || info.ResponseHeader().Has("WWW-Authenticate") {
					t.Errorf("%s, %s, %s: %v, with %v", name, service, method.Name, err, denial)
				}
				coded, ok := errors.AsType[*connect.Error](err)
				if !ok {
					continue
				}
				if details := coded.Details(); len(details) != test.details || coded.IsRemote() != (name == "of another process") {
					t.Errorf("%s, %s, %s: %d details, remote %t", name, service, method.Name, len(details), coded.IsRemote())
				}
				for _, detail := range coded.Details() {
					message, err := connectproto.UnmarshalErrorDetail(detail)
					if info, ok := message.(*errdetails.ErrorInfo); err != nil || !ok || info.GetDomain() != "handler" {
						t.Errorf("%s, %s, %s: the client gets %v, %v", name, service, method.Name, message, err)
					}
				}
			}
		}
	}
}
