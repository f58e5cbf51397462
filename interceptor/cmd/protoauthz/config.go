package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

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
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: name the file of the deployment", err)
	} else if err != nil {
		return nil, err
	}
	d, err := deployment.Parse(text)
	if err != nil {
		var faults []error
		for fault := range strings.Lines(err.Error()) {
			faults = append(faults, errors.New(name+strings.TrimPrefix(strings.TrimSuffix(fault, "\n"), "deployment")))
		}
		if members := tenantMembers(text); members != "" {
			faults = append(faults, fmt.Errorf("hint: %s stand in a tenant, the document of protoauthz dev-issuer: name the deployment, such as authz.json", members))
		}
		return nil, errors.Join(faults...)
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

// inDocument replaces the names of policy's options by the members of the document.
var inDocument = strings.NewReplacer("policy.WithPublic", "public", "WithAudience", "audience", "WithPublic", "public", "WithSharedScopes", "sharedScopes",
	"WithShadow", "shadow", "WithUnannotatedRefused", "unannotatedRefused", "WithUnannotatedOpen", "unannotatedOpen")

// placeOf returns the member of the document that a fault of an option is about, and its line. The line is 0 if a flag
// gave what is wrong, or without a document.
func (s *selection) placeOf(fault *policy.Fault) (member string, line int) {
	d := s.config
	if d == nil {
		return "", 0
	}
	if fault.Subject == "WithAudience" && s.audience == &d.Audience {
		return "audience", d.lines.Of("audience")
	}
	words := strings.FieldsFunc(fault.Detail, func(r rune) bool { return strings.ContainsRune(" :,;", r) })
	for _, list := range []struct {
		option, member string
		values         []string
	}{
		{"WithPublic", "public", d.Public}, {"WithSharedScopes", "sharedScopes", d.SharedScopes}, {"WithShadow", "shadow", d.Shadow},
		{"WithUnannotatedRefused", "unannotatedRefused", d.UnannotatedRefused}, {"WithUnannotatedOpen", "unannotatedOpen", d.UnannotatedOpen},
	} {
		for n, value := range list.values {
			if fault.Subject == list.option && (slices.Contains(words, value) || strings.Contains(fault.Detail, strconv.Quote(value))) {
				path := fmt.Sprintf("%s[%d]", list.member, n)
				return path, d.lines.Of(path)
			}
		}
	}
	return "", 0
}
