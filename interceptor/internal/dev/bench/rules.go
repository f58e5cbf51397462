package main

import (
	"fmt"
	"slices"
	"strings"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/gen/sample/v1/samplev1connect"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// The procedures that are called. That of documents names an organization in its message,
// that of products knows none.
const (
	listProducts  = samplev1connect.CatalogServiceListProductsProcedure
	listDocuments = samplev1connect.DocumentServiceListDocumentsProcedure
	syncDocuments = samplev1connect.DocumentServiceSyncDocumentsProcedure
)

// requiredScopes are those that the annotations ask for, as one writes them down by hand.
var requiredScopes = map[string][]string{
	listProducts:  {"read:products"},
	listDocuments: {"read:data"},
	syncDocuments: {"read:data", "write:data"},
}

// checkScopes is what those write who have no annotations.
func checkScopes(procedure string, granted []string) error {
	required, ok := requiredScopes[procedure]
	if !ok {
		return fmt.Errorf("no rule for %s", procedure)
	}
	for _, scope := range required {
		if !slices.Contains(granted, scope) {
			return fmt.Errorf("scope %s is missing", scope)
		}
	}
	return nil
}

func splitScopes(scope string) []string { return strings.Split(scope, " ") }

func rules() (*policy.Table, error) {
	return policy.Compile(
		policy.Files{samplev1.File_sample_v1_catalog_proto, samplev1.File_sample_v1_document_proto},
		policy.WithAudience(api),
	)
}
