package grpcguard

import (
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/grpcstatus"
)

// DenialFrom is [interceptor.DenialFrom] that also finds a refusal in the status that a client of grpc-go has
// received.
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
