package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/protoauthz/protoauthz/interceptor/deployment"
	"github.com/protoauthz/protoauthz/interceptor/internal/document"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// A config is a deployment with the places of its members.
type config struct {
	*deployment.Deployment
	name  string
	lines *document.Lines
}

// readConfig reads a deployment in JSON or YAML.
func readConfig(name string) (*config, error) {
	text, err := readDocument(name)
	if err != nil {
		return nil, err
	}
	d, err := deployment.Parse(text)
	if err != nil {
		if members := tenantMembers(text); members != "" {
			err = fmt.Errorf("%w\nhint: %s belongs to a tenant, the document of protoauthz dev-issuer: name the deployment, such as authz.json", err, members)
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	lines, faults := document.Parse(text, new(deployment.Deployment))
	return &config{d, name, lines}, errors.Join(faults...)
}

// tenantMembers returns members that a tenant has and a deployment does not, or "".
func tenantMembers(text []byte) string {
	var members map[string]json.RawMessage
	_ = json.Unmarshal(text, &members) // what is not JSON has no members
	var found []string
	for _, name := range []string{"url", "users", "clients", "resources", "organizations"} {
		if members[name] != nil {
			found = append(found, name)
		}
	}
	return strings.Join(found, ", ")
}

// place returns file and line of a member.
func (d *config) place(member string) string { return fmt.Sprintf("%s:%d", d.name, d.lines.Of(member)) }

// placeOf returns the member that a fault of an option is about, and its line: the element whose name the fault
// repeats, or the whole member.
func (d *config) placeOf(fault *policy.Fault) (member string, line int) {
	words := strings.FieldsFunc(fault.Detail, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_.:/-", r)
	})
	for _, list := range []struct {
		option, member string
		values         []string
	}{
		{"WithAudience", "audience", nil}, {"WithPublic", "public", d.Public}, {"WithSharedScopes", "sharedScopes", d.SharedScopes}, {"WithShadow", "shadow", d.Shadow},
		{"WithUnannotatedRefused", "unannotatedRefused", d.UnannotatedRefused}, {"WithUnannotatedOpen", "unannotatedOpen", d.UnannotatedOpen},
	} {
		if list.option != fault.Subject {
			continue
		}
		for n, value := range list.values {
			if slices.ContainsFunc(words, func(word string) bool { return strings.TrimRight(word, ":.") == value }) {
				return list.member, d.lines.Of(fmt.Sprintf("%s[%d]", list.member, n))
			}
		}
		if list.values == nil && list.member != "audience" {
			return "", 0 // a flag gave the name
		}
		return list.member, d.lines.Of(list.member)
	}
	return "", 0
}
