package token

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
)

// A template is an Issuer.URL. A placeholder such as {tid} stands for the claim of that name, as one segment of the
// path. The zero placeholder means that there is none.
type template struct{ before, placeholder, after string }

// parseTemplate reads an Issuer.URL.
func parseTemplate(url string) (t template, err error) {
	if !strings.ContainsAny(url, "{}") {
		return template{before: url}, nil
	}
	before, rest, opened := strings.Cut(url, "/{")
	placeholder, after, closed := strings.Cut(rest, "}")
	const hostAndScheme = 2 // slashes
	if !opened || !closed || placeholder == "" || strings.ContainsAny(placeholder+after, "{}") || after != "" && after[0] != '/' || strings.Count(before, "/") < hostAndScheme {
		return template{before: url}, errors.New("its braces are not one placeholder such as {tid}, which stands for the claim of that name as a whole segment of the path: write https://host/{tid}/…")
	}
	return template{before + "/", placeholder, after}, nil
}

// fill returns the URL for a value of the placeholder.
func (t *template) fill(value string) string { return t.before + value + t.after }

// value returns the value of the placeholder in an issuer's identifier, and whether the template can make that
// identifier.
func (t *template) value(issuer string) (value string, ok bool) {
	rest, begins := strings.CutPrefix(issuer, t.before)
	value, ends := strings.CutSuffix(rest, t.after)
	return value, begins && ends && isSegment(value)
}

// An issuedBy is the issuer of a token: `iss`, and the tenant if the Issuer.URL is a template.
type issuedBy struct{ iss, tenant string }

// issuedBy returns the issuer of a token by its `iss`, which the template can make.
func (t *template) issuedBy(iss string) issuedBy {
	if t.placeholder == "" {
		return issuedBy{iss: iss}
	}
	tenant, _ := t.value(iss)
	return issuedBy{iss, tenant}
}

// isSegment reports whether a value may stand for a segment of a path.
func isSegment(value string) bool {
	return value != "" && value != "." && value != ".." && strings.Trim(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") == ""
}

// meets reports whether two templates can make the same identifier.
func (t *template) meets(other *template) bool {
	return slices.EqualFunc(t.segments(), other.segments(), func(a, b string) bool {
		return a == b || a == anySegment && isSegment(b) || b == anySegment && isSegment(a)
	})
}

const anySegment = "{}"

func (t *template) segments() []string {
	if t.placeholder == "" {
		return strings.Split(t.before, "/")
	}
	return strings.Split(t.fill(anySegment), "/")
}

// checkIdentifier refuses an issuer's identifier that is no URL, unless its keys are found without it: it may then be any
// StringOrURI (RFC 7519 section 2).
func (i *Issuer) checkIdentifier(t template) error {
	url := t.before
	if t.placeholder != "" {
		url = t.fill("x")
	}
	err := endpoint.CheckURL(url)
	switch {
	case err != nil && i.KeySetURL != "" && !strings.HasPrefix(url, "https:") && endpoint.IsIdentifier(url):
		return nil
	case err != nil && i.KeySetURL == "" && !strings.ContainsAny(url, "/ ") && !strings.HasPrefix(url, "https:") && endpoint.IsIdentifier(url):
		return fmt.Errorf("%w; if the issuer's iss is no URL, set KeySetURL", err)
	case err != nil:
		return err
	case strings.Contains(url, "?"):
		return errors.New("it has a query: leave it out")
	case strings.HasSuffix(url, discoveryPath):
		return fmt.Errorf("it is where the issuer's metadata is: leave out %s", discoveryPath)
	}
	return nil
}
