package interceptor

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor/internal/errorinfo"
)

// DenialFrom returns the refusal that an error holds, or nil if the error is not a refusal of a [Guard].
// The error is from a guard of this process, or from a client of connect-go that another process has
// refused, or from a client of grpc-go that has the options of package grpcclientauth. For another client of
// grpc-go use grpcguard.DenialFrom, and for a client of connect-go v2 connectv2guard.DenialFrom.
//
//	if denial := interceptor.DenialFrom(err); denial != nil && denial.Reason() == interceptor.ReasonScopeInsufficient {
//		return askFor(denial.Scopes())
//	}
//
// The result for an error of this process is a copy of its Denial. From another process come the reason,
// the scopes and the challenge alone, and the other process may be hostile. The reason is one of this
// package whose code is the code of the error. The scopes are scope-tokens (RFC 6749 section 3.3), 8 KiB at
// most. The challenge is one challenge of the scheme Bearer (RFC 6750 section 3) in visible ASCII, 8 KiB
// at most. Scopes and challenges of another form are left out. The texts of Error and Unwrap hold nothing of
// the other process: its log has the cause.
//
// A handler that returns the result does not refuse its own call: see [Denial].
func DenialFrom(err error) *Denial {
	if denial, ok := errors.AsType[*Denial](err); ok {
		return own(denial.orZero())
	}
	coded, ok := errors.AsType[*connect.Error](err)
	if !ok {
		return nil
	}
	info := errorinfo.Find(coded)
	for n := range meanings {
		if m := &meanings[n]; string(m.reason) == info.GetReason() && m.code == coded.Code() {
			return m.received(info.GetMetadata())
		}
	}
	return nil
}

// received returns the denial of another process, given the metadata of its google.rpc.ErrorInfo.
func (m *meaning) received(metadata map[string]string) *Denial {
	d := &Denial{reason: m.reason, cause: errReceived}
	if m.err != nil {
		d.cause = fmt.Errorf("%w: %w", m.err, errReceived)
	}
	if challenge := metadata["challenge"]; m.challenge != noChallenge && len(challenge) <= maxReceived && bearerChallenge.MatchString(challenge) {
		d.challenge = challenge
	}
	if m.reason == ReasonScopeInsufficient {
		d.anyScopes = receivedScopes(metadata["any_scopes"])
		alternatives := map[string]bool{} // there may be thousands
		for _, scope := range d.anyScopes {
			alternatives[scope] = true
		}
		d.scopes = slices.DeleteFunc(receivedScopes(metadata["required_scopes"]), func(scope string) bool { return alternatives[scope] })
	}
	return d
}

var errReceived = errors.New("another process has refused the call: the log of that process has the cause")

// receivedScopes returns the scopes of a list that another process has sent, or nil if the list is too long or
// has another text than scopes.
func receivedScopes(list string) []string {
	notOfScope := func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }
	if len(list) > maxReceived || strings.ContainsFunc(list, notOfScope) {
		return nil
	}
	return strings.Fields(list)
}

// maxReceived is the header size that common servers accept, in bytes.
const maxReceived = 8 << 10

// bearerChallenge matches one challenge whose parameters are quoted, as a guard writes it. A browser would
// ask for a password if another scheme could follow a comma.
var bearerChallenge = regexp.MustCompile(`^Bearer ` + parameter + `(?:, ` + parameter + `)*$`)

const parameter = `[a-z_]+="(?:[ !#-\[\]-~]|\\[ -~])*"`
