package connectv2guard

import (
	"errors"

	connectv1 "connectrpc.com/connect"
	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectproto"

	"github.com/protoauthz/protoauthz/interceptor"
)

// DenialFrom returns the refusal in an error of connect-go v2 or of connect-go, or nil. See [interceptor.DenialFrom].
func DenialFrom(err error) *interceptor.Denial {
	if denial := interceptor.DenialFrom(err); denial != nil {
		return denial
	}
	received, ok := errors.AsType[*connect.Error](err)
	if !ok {
		return nil
	}
	converted := connectv1.NewError(connectv1.Code(received.Code()), errors.New(received.Message()))
	for _, detail := range received.Details() {
		if detail, err := connectv1.NewErrorDetail(connectproto.ErrorDetailToAny(detail)); err == nil {
			converted.AddDetail(detail)
		}
	}
	return interceptor.DenialFrom(converted)
}
