package main

import (
	"fmt"
	"slices"
	"strings"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/gen/sample/v1/samplev1connect"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// The procedures that are called. Their messages name an organization.
const (
	listDocuments = samplev1connect.DocumentServiceListDocumentsProcedure
	syncDocuments = samplev1connect.DocumentServiceSyncDocumentsProcedure
)

// rules are the annotations of the procedures, compiled.
func rules() (*policy.Table, error) {
	return policy.Compile(policy.Files{samplev1.File_sample_v1_document_proto}, policy.WithAudience(api))
}

// requiredScopes are the scopes of the annotations, as people without annotations write them down.
var requiredScopes = map[string][]string{listDocuments: {"read:data"}}

// checkScopes is the rule of people without annotations.
func checkScopes(procedure, granted string) error {
	required, ok := requiredScopes[procedure]
	if !ok {
		return fmt.Errorf("no rule for %s", procedure)
	}
	scopes := strings.Split(granted, " ")
	for _, scope := range required {
		if !slices.Contains(scopes, scope) {
			return fmt.Errorf("scope %s is missing", scope)
		}
	}
	return nil
}
