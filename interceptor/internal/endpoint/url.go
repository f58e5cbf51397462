// Package endpoint checks the URLs of identity providers and sends requests to them, with the same
// bounds for keys and for tokens.
package endpoint

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// What to do about a setting that is empty or has white space.
const (
	unsetAdvice = "if a variable or a file should supply it, set the variable or fill the file"
	trimAdvice  = "if a variable or a file supplies it, remove the white space there"
)

// CheckSetting refuses a setting that is blank, or that has white space around it, such as the line break
// at the end of a file. The text of the error continues a sentence that begins with the setting's name.
func CheckSetting(text string) error {
	switch {
	case IsBlank(text):
		return errors.New("is empty: " + unsetAdvice)
	case text != strings.TrimSpace(text):
		return errors.New("has white space around it, such as a line break at its end: " + trimAdvice)
	}
	return nil
}

// IsIdentifier reports whether a text is a StringOrURI (RFC 7519 section 2) that can name an issuer. It has no white
// space and no user information, and a host if it is a URL.
func IsIdentifier(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && raw != "" && !strings.ContainsFunc(raw, unicode.IsSpace) && u.User == nil &&
		(u.Scheme != "" || !strings.Contains(raw, ":")) && (u.Hostname() != "" || !strings.Contains(raw, "//"))
}

// DomainURL returns the https URL of a domain and a path, or "" for a blank domain. DomainURL escapes slashes
// in the domain and keeps white space, so that [PlainHTTP.CheckURL] refuses both.
func DomainURL(domain, path string) string {
	switch {
	case IsBlank(domain):
		return ""
	case strings.ContainsFunc(domain, unicode.IsSpace):
		return "https://" + domain + path
	default:
		return "https://" + url.PathEscape(domain) + path
	}
}

// WithPath appends a path to a URL, unless the URL ends with the path. WithPath returns "" for a blank URL, so
// that errors show no path that nobody wrote. A URL without a host stays as it is, since the path would become the
// host.
func WithPath(base, path string) string {
	trim := func(text string) string { return strings.TrimSuffix(strings.TrimSuffix(text, "/"), path) }
	if IsBlank(trim(base)) {
		return ""
	}
	if u, err := url.Parse(base); err != nil || u.Hostname() == "" {
		return base
	}
	host := strings.Index(base, "//") + len("//")
	return base[:host] + trim(base[host:]) + path
}

// IsBlank reports whether a setting is empty or white space.
func IsBlank(text string) bool { return strings.TrimSpace(text) == "" }

// maxShown is the longest part of a URL that an error shows, in bytes.
const maxShown = 200

// DisplayURL returns a URL for errors. It leaves out user information, query and fragment, which may be
// secrets, and what exceeds 200 bytes.
func DisplayURL(raw string) string {
	switch end := strings.IndexAny(raw, "?#"); {
	case end >= 0 && strings.Contains(raw[end:], "@"): // a password with a question mark, or a query with an at sign
		return "xxxxx"
	case end >= 0:
		raw = raw[:end] + "?…"
	}
	if at := strings.LastIndexByte(raw, '@'); at >= 0 {
		raw = "xxxxx" + raw[at:]
	}
	return shortened(raw)
}

// displayTarget returns the target of a redirect for errors. It leaves out user information, query, fragment and
// the parameters of the path, which may be secrets, and what exceeds 200 bytes. For a request with a secret, which an
// endpoint may repeat anywhere, it leaves out all but the request's own host.
func displayTarget(request *http.Request, location *url.URL) string {
	path := location.Path
	if request.Body != nil || request.Header.Get("Authorization") != "" {
		if location.Host != request.URL.Host {
			return "another host"
		}
		path = "/…"
	} else if location.RawQuery != "" || location.Fragment != "" {
		path += "?"
	}
	if end := strings.IndexAny(path, ";?#"); end >= 0 { // also escaped ones
		path = path[:end+1] + "…"
	}
	return strconv.Quote(shortened(location.Scheme + "://" + location.Host + path))
}

func shortened(text string) string {
	if len(text) > maxShown {
		return strings.ToValidUTF8(text[:maxShown], "") + "…"
	}
	return text
}

// JoinFaults joins the faults of a configuration, each text once. The error is nil without faults.
func JoinFaults(faults []error) error {
	told := map[string]bool{}
	return errors.Join(slices.DeleteFunc(faults, func(fault error) bool {
		again := told[fault.Error()]
		told[fault.Error()] = true
		return again
	})...)
}
