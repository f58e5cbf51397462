package policy_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// nouns are what a field of a request can name. The cases are written for organizations.
var nouns = []string{"organization", "subject", "client"}

// of makes a text about organizations, such as a pattern, a text about another noun.
func of(noun, text string) string { return strings.ReplaceAll(text, "organization", noun) }

// A checker is where a request names a noun: a [policy.Organization] or a [policy.Identifier].
type checker interface {
	String() string
	Path() []protoreflect.FieldDescriptor
	Check(message proto.Message, id string) error
}

// checkerOf returns where the requests of a procedure name the noun. For a rule that names it in no field, nothing is found.
func checkerOf(t testing.TB, table *policy.Table, procedure, noun string) checker {
	t.Helper()
	rule, ok := table.Lookup(procedure)
	if !ok {
		t.Fatalf("no rule for %s", procedure)
	}
	named := map[string]*policy.Identifier{"subject": rule.Subject, "client": rule.Client}[noun]
	switch {
	case noun == "organization":
		return rule.Organization
	case named != nil:
		return named
	default:
		return new(policy.Identifier)
	}
}

// matchSources returns the sources of MatchService, whose requests name the noun.
func matchSources(t testing.TB, noun string) map[string]string {
	t.Helper()
	sources := readSources(t, "testdata", "match/match.proto", "match/defaults.proto")
	if noun != "organization" {
		sources["match/match.proto"] = strings.NewReplacer(
			"organization: {field:", noun+": {field:", "{organization}", "{"+noun+"}",
			"{model: MODEL_ORGANIZATION}", "{model: MODEL_ORGANIZATION organization: {token: true}}",
		).Replace(sources["match/match.proto"])
	}
	return sources
}

// naming returns a rule whose requests name the noun in a field.
func naming(noun, field, pattern string) *authzv1.MethodRule {
	rule := &authzv1.MethodRule{Authenticated: true, Model: authzv1.Model_MODEL_ORGANIZATION}
	rule.Organization = &authzv1.Organization{Location: &authzv1.Organization_Token{Token: true}}
	switch identifier := (&authzv1.Identifier{Field: field, Pattern: pattern}); noun {
	case "subject":
		rule.Subject = identifier
	case "client":
		rule.Client = identifier
	default:
		rule.Organization = &authzv1.Organization{Location: &authzv1.Organization_Field{Field: field}, Pattern: pattern}
	}
	return rule
}
