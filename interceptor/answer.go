package interceptor

import (
	"slices"
	"strings"

	"connectrpc.com/connect"
)

// domain is the domain of the google.rpc.ErrorInfo, and the realm of challenges.
const domain = "protoauthz"

// connectError is a denial as it goes to the client, within a call that another guard may
// have let in.
func connectError(denial *Denial, within *admission, spec connect.Spec, peer connect.Peer) *connect.Error {
	denial = denial.own() // others may have it, too
	denial.within = within
	err := connect.NewError(denial.Code(), denial)
	if detail, detailErr := errorDetail(denial); detailErr == nil {
		err.AddDetail(detail)
	}
	// Elsewhere the metadata of an error ends up in trailers, in which HTTP forbids
	// a challenge.
	if peer.Protocol == connect.ProtocolConnect && spec.StreamType == connect.StreamTypeUnary {
		if challenge := denial.Challenge(); challenge != "" {
			err.Meta().Set("WWW-Authenticate", challenge)
		}
	}
	return err
}

func (r Reason) code() connect.Code {
	switch r {
	case ReasonTokenMissing, ReasonSchemeUnsupported, ReasonTokenMalformed, ReasonTokenInvalid,
		ReasonTokenExpired, ReasonTokenNotYetValid:
		return connect.CodeUnauthenticated
	case ReasonAudienceMismatch, ReasonModelMismatch, ReasonOrganizationMismatch, ReasonScopeInsufficient,
		ReasonCallerNotAllowed, ReasonRuleMissing:
		return connect.CodePermissionDenied
	case ReasonKeysUnavailable, ReasonVerifierBusy:
		return connect.CodeUnavailable
	default: // ReasonGuardFailed
		return connect.CodeInternal
	}
}

// Code returns the code that goes with the reason: its number is also that of gRPC.
func (d *Denial) Code() connect.Code { return d.Reason().code() }

// Challenge returns the WWW-Authenticate of RFC 6750 section 3, or "" if there is none for
// the reason. Without credentials that could be judged it names no error (section 3.1). It
// belongs in HTTP headers, so to unary calls of the Connect protocol alone.
func (d *Denial) Challenge() string {
	const bearer = `Bearer realm="` + domain + `"`
	switch reason := d.Reason(); {
	case reason == ReasonTokenMissing, reason == ReasonSchemeUnsupported:
		return bearer
	case reason.code() == connect.CodeUnauthenticated:
		return bearer + `, error="invalid_token"`
	case reason == ReasonScopeInsufficient:
		// Scope-tokens hold neither quotes nor backslashes: nothing to escape.
		return bearer + `, error="insufficient_scope", scope="` + d.allScopes() + `"`
	default:
		return ""
	}
}

// allScopes names every scope of the rule: with all of them a token will do.
func (d *Denial) allScopes() string {
	return strings.Join(slices.Concat(d.scopes, d.anyScopes), " ")
}
