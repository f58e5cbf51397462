package interceptor

import "connectrpc.com/connect"

// domain is the domain of the google.rpc.ErrorInfo, and the realm of challenges of rules that
// have no audience.
const domain = "protoauthz"

// connectError is a denial as it goes to the client, within a call that another guard may
// have let in.
func connectError(denial *Denial, within *Call, spec connect.Spec, peer connect.Peer) *connect.Error {
	denial = denial.own() // others may have it, too
	denial.within = within
	err := connect.NewError(denial.Code(), denial)
	if detail, detailErr := errorDetail(denial); detailErr == nil {
		err.AddDetail(detail)
	}
	// Elsewhere the metadata of an error ends up in trailers, in which HTTP forbids
	// a challenge and Cache-Control.
	if peer.Protocol == connect.ProtocolConnect && spec.StreamType == connect.StreamTypeUnary {
		if challenge := denial.Challenge(); challenge != "" {
			err.Meta().Set("WWW-Authenticate", challenge)
		}
		if isGet(peer) {
			err.Meta().Set(cacheControl, "no-store")
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
