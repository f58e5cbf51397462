package grpcguard

import (
	"regexp"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Challenge returns the WWW-Authenticate (RFC 6750 section 3) that goes with the refusal of a call
// over a connection, for a gateway that answers HTTP. It is "" if the error is not a refusal by an
// [interceptor.Guard], and if the refusal has no challenge.
//
// The challenge of a refusal in another process stands in the google.rpc.ErrorInfo, in the metadata
// under the key "challenge". A hostile server may write anything there. Challenge
// returns nothing but one challenge of the scheme Bearer, in visible ASCII, of at most 8 KiB.
func Challenge(err error) string {
	refused, ok := status.FromError(err)
	if !ok || refused.Code() != codes.Unauthenticated && refused.Code() != codes.PermissionDenied {
		return ""
	}
	for _, detail := range refused.Details() {
		info, ok := detail.(*errdetails.ErrorInfo)
		if !ok || info.GetDomain() != domain {
			continue
		}
		if challenge := info.GetMetadata()["challenge"]; len(challenge) <= maxChallenge && bearer.MatchString(challenge) {
			return challenge
		}
	}
	return ""
}

// maxChallenge is the header size that common servers accept.
const maxChallenge = 8 << 10

// bearer matches one challenge whose parameters are quoted, as a guard writes it: with another
// scheme behind a comma, a browser would ask for a password.
var bearer = regexp.MustCompile(`^Bearer ` + parameter + `(?:, ` + parameter + `)*$`)

const parameter = `[a-z_]+="(?:[ !#-\[\]-~]|\\[ -~])*"`
