package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/devissuer"
)

// userTokenPath is where the command token asks for the token of a user. The embedded issuer has no login, so its
// token endpoint gives tokens to clients alone.
const userTokenPath = "/user-token"

// maxFormBytes is the largest form that is read.
const maxFormBytes = 64 << 10

// serveUserTokens gives the tokens of the embedded issuer's users to the person who runs the sample. A secret would
// protect nothing: the source has it. The handler refuses what the issuer refuses: other machines, and web pages of
// other sites.
func serveUserTokens(issuer *devissuer.Issuer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if refusal := issuer.Refusal(r); refusal != nil {
			http.Error(w, refusal.Detail, http.StatusForbidden)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
		minted, _, err := issuer.Grant(devissuer.Request{
			Subject:      r.PostFormValue("user"),
			Resource:     r.PostFormValue("resource"),
			Organization: r.PostFormValue("organization_id"),
			Scopes:       strings.Fields(r.PostFormValue("scope")),
		})
		status, answer := http.StatusOK, tokenAnswer{AccessToken: minted}
		if fault, ok := errors.AsType[*devissuer.Fault](err); ok {
			status, answer = http.StatusBadRequest, tokenAnswer{Error: errorsByField[fault.Field], ErrorDescription: fault.Detail}
		} else if err != nil {
			status, answer = http.StatusInternalServerError, tokenAnswer{Error: "server_error", ErrorDescription: err.Error()}
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(answer) //nolint:gosec // a token is the answer; the call fails only if the client has left
	}
}

// errorsByField are the errors that tell the command which field of a request is wrong. Without a user, the issuer
// misses the client.
var errorsByField = map[string]string{
	"Client":       "invalid_user",
	"Subject":      "invalid_user",
	"Organization": "access_denied",
	"Resource":     "invalid_target",
}
