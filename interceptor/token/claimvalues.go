package token

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
)

// ClaimValues are what a verifier of your own has found out about a credential, such as an API key: see [NewClaims].
// Values come from your records of the credential, and never from its unverified text.
type ClaimValues struct {
	// Issuer is who has issued the credential, such as "https://api.example.com/keys". It tells subjects of this
	// issuer from equal subjects of others. Required.
	Issuer string
	// Subject is the user, or the client itself. Required.
	Subject string
	// ClientID is the client, or "".
	ClientID string
	// ID identifies the credential in logs. It must not be the credential itself.
	ID string
	// Caller is the kind of party. Rules for users or for clients refuse the default, CallerUnknown.
	Caller Caller
	// Audience are the APIs for which the credential is good, as rules name them. Without an audience the claims
	// grant nothing. For rules of MODEL_ORGANIZATION the only value is "urn:logto:organization:" with the id of the
	// organization.
	Audience []string
	// Scopes are the granted scopes (RFC 6749 section 3.3).
	Scopes []string
	// OrganizationID is the organization that the credential is for, by rules of MODEL_ORGANIZATION_RESOURCE. The
	// default, "", is for none: the claims then grant global methods.
	OrganizationID string
	// Expiry is when the credential ends, or the zero time for one that does not end.
	Expiry time.Time
	// Deadline is the time until which the claims are good, at most Expiry. At the Deadline the guard has the
	// credential of an open stream verified again, and ends the stream unless the verifier returns claims of the same
	// party. The default, the zero time, is Expiry. Without an Expiry a Deadline is required.
	Deadline time.Time
}

// NewClaims returns claims for a verifier of your own. A guard decides by these claims as by the claims of a
// [Verifier]. Your verifier decides that a credential is good before it calls NewClaims, for every call. The error
// names every fault of the values, and holds none of them.
func NewClaims(values ClaimValues) (*Claims, error) {
	if values.Deadline.IsZero() {
		values.Deadline = values.Expiry
	}
	set := &claimSet{
		issuer: values.Issuer, subject: values.Subject, clientID: values.ClientID, id: values.ID, caller: values.Caller,
		audience: slices.Clone(values.Audience), expiry: values.Expiry, deadline: values.Deadline,
	}
	faults := values.faults()
	if set.readOrganizationAudiences(logtoOrganization) != nil {
		faults = append(faults, errors.New("token: NewClaims: Audience names an organization that has a control character"))
	}
	if err := endpoint.JoinFaults(faults); err != nil {
		return nil, err
	}
	set.setScopes(slices.Clone(values.Scopes))
	if values.OrganizationID != "" {
		set.organizationClaim = &values.OrganizationID
	}
	payload, _ := json.Marshal(struct { // strings have no error; an empty member would not count as absent
		Issuer         string   `json:"iss"`
		Subject        string   `json:"sub"`
		ClientID       string   `json:"client_id,omitempty"`
		ID             string   `json:"jti,omitempty"`
		Audience       []string `json:"aud,omitempty"`
		Scope          string   `json:"scope,omitempty"`
		OrganizationID string   `json:"organization_id,omitempty"`
	}{values.Issuer, values.Subject, values.ClientID, values.ID, values.Audience, strings.Join(values.Scopes, " "), values.OrganizationID})
	set.payload = base64.RawURLEncoding.EncodeToString(payload)
	return &Claims{set}, nil
}

// logtoOrganization is what stands before the id of an organization in an audience: see MODEL_ORGANIZATION.
const logtoOrganization = "urn:logto:organization:"

// isScope reports whether a text is a scope-token (RFC 6749 section 3.3).
func isScope(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' })
}

// faults returns every fault of the values, and repeats none of them.
func (v *ClaimValues) faults() (faults []error) {
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("token: NewClaims: "+format, args...))
	}
	for _, part := range []struct {
		name, value string
		required    bool
	}{
		{"Issuer", v.Issuer, true},
		{"Subject", v.Subject, true},
		{"ClientID", v.ClientID, false},
		{"ID", v.ID, false},
		{"OrganizationID", v.OrganizationID, false},
	} {
		if endpoint.IsBlank(part.value) && (part.required || part.value != "") {
			fault("%s is empty: take it from the record of the credential", part.name)
		} else if part.value != strings.TrimSpace(part.value) {
			fault("%s has white space around it: remove the white space", part.name)
		} else if checkIdentity(part.name, part.value) != nil {
			fault("%s has a control character: remove it, or encode the value", part.name)
		} else if !utf8.ValidString(part.value) {
			fault("%s is not UTF-8: encode the value", part.name)
		}
	}
	for _, audience := range v.Audience {
		if endpoint.IsBlank(audience) {
			fault("Audience has an empty value: leave it out")
		} else if !utf8.ValidString(audience) {
			fault("Audience has a value that is not UTF-8: encode the value")
		}
	}
	for _, scope := range v.Scopes {
		if !isScope(scope) {
			fault("Scopes has a value that is not a scope (RFC 6749 section 3.3), such as an empty one or one with a space: list each scope by itself")
		}
	}
	if v.Caller < CallerUnknown || v.Caller > CallerClient {
		fault("Caller is none of CallerUnknown, CallerUser and CallerClient")
	}
	switch {
	case v.Deadline.IsZero():
		fault("Deadline is not set: set it to when the verifier must look at the credential again, or set Expiry")
	case !v.Expiry.IsZero() && v.Deadline.After(v.Expiry):
		fault("Deadline is after Expiry: set an earlier one")
	}
	return faults
}
