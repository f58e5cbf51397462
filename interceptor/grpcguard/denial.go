package grpcguard

import (
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/grpcstatus"
)

// DenialFrom returns the refusal in an error of grpc-go or of connect-go, or nil. See [interceptor.DenialFrom].
func DenialFrom(err error) *interceptor.Denial {
	if denial := interceptor.DenialFrom(err); denial != nil {
		return denial
	}
	if received := grpcstatus.ConnectError(err); received != nil {
		return interceptor.DenialFrom(received)
	}
	return nil
}

// Challenge returns the WWW-Authenticate (RFC 6750 section 3) of a refusal, for a gateway that answers
// HTTP: the [interceptor.Denial.Challenge] of [DenialFrom]. It returns "" if the error is not a refusal by an
// [interceptor.Guard], or if the refusal has no challenge.
func Challenge(err error) string { return DenialFrom(err).Challenge() }
