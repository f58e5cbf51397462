package grpcguard

import (
	"regexp"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Challenge returns the WWW-Authenticate (RFC 6750 section 3) of a refusal, for a gateway that answers
// HTTP. It returns "" if the error is not a refusal by an [interceptor.Guard], or if the refusal has no
// challenge.
//
// The challenge stands in the google.rpc.ErrorInfo of the refusal, in the metadata under the key
// "challenge". A hostile server may write any text there. Challenge returns one challenge of the
// scheme Bearer, in visible ASCII, of at most 8 KiB, or "".
func Challenge(err error) string {
	answer := status.Convert(err)
	if answer.Code() != codes.Unauthenticated && answer.Code() != codes.PermissionDenied {
		return ""
	}
	for _, detail := range answer.Details() {
		info, _ := detail.(*errdetails.ErrorInfo)
		if info.GetDomain() != domain {
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

// bearer matches one challenge whose parameters are quoted, as a guard writes it. A browser would ask
// for a password if another scheme could follow a comma.
var bearer = regexp.MustCompile(`^Bearer ` + parameter + `(?:, ` + parameter + `)*$`)

const parameter = `[a-z_]+="(?:[ !#-\[\]-~]|\\[ -~])*"`
