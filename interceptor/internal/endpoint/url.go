// Package endpoint is how the endpoints of identity providers are addressed and asked:
// keys and tokens come over the same kind of channel, at the same price.
package endpoint

import (
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// CheckURL accepts absolute https URLs, and http ones on loopback addresses,
// where nobody can listen in.
func CheckURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case raw == "":
		return errors.New("it is empty")
	case strings.ContainsFunc(raw, unicode.IsSpace):
		return errors.New("it holds white space, such as a line break at its end: " + trimAdvice)
	case !strings.Contains(raw, "://"):
		return errors.New("it does not begin with https://")
	case err != nil:
		return errors.New("it cannot be parsed (Auth0 and AuthAction take a bare domain, without https:// and path)")
	case u.Hostname() == "" || u.Opaque != "" || strings.HasSuffix(u.Host, ":"):
		return errors.New("it names no host: a part of the URL seems to be missing; " + unsetAdvice)
	case strings.HasPrefix(u.Host, "."):
		return errors.New("its host begins with a dot: a part of the URL seems to be missing; " + unsetAdvice)
	case u.User != nil || strings.ContainsRune(raw, '#'):
		return errors.New("it has user information or a fragment")
	case u.Scheme == "http" && !IsLoopback(u.Hostname()):
		return errors.New("it is plain http and not on a loopback address: use https")
	case !strings.HasPrefix(raw, "https://") && !strings.HasPrefix(raw, "http://"):
		return errors.New("it is not an https URL")
	}
	return nil
}

// What to do about a setting that is not as somebody meant it.
const (
	unsetAdvice = "if a variable or a file should supply it, set the variable or fill the file"
	trimAdvice  = "if a variable or a file supplies it, remove the white space there"
)

// CheckSetting refuses a setting that is blank, or that has white space around it, such as the line break
// at the end of a file. The error's text stands behind the setting's name.
func CheckSetting(text string) error {
	switch {
	case IsBlank(text):
		return errors.New("is empty: " + unsetAdvice)
	case text != strings.TrimSpace(text):
		return errors.New("has white space around it, such as a line break at its end: " + trimAdvice)
	}
	return nil
}

// IsLoopback reports whether a host is this machine: 127.0.0.0/8, ::1 or localhost.
func IsLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// DomainURL returns the https URL of a domain and a path, or "" for a blank domain. It escapes slashes, so
// that [CheckURL] refuses a path in the domain, and keeps white space, which CheckURL names.
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

// WithPath appends a path to a URL, unless the URL ends with the path. A blank URL stays empty, so that errors
// do not show a path that nobody gave. A URL without a host stays as it is, so that the path does not become the
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

// IsBlank reports whether a setting is not there: empty, or white space.
func IsBlank(text string) bool { return strings.TrimSpace(text) == "" }

// maxShown is how much an error shows of a URL, in bytes.
const maxShown = 200

// DisplayURL returns a URL as errors show it: without user information, query and fragment, which may be
// secrets, and not longer than 200 bytes.
func DisplayURL(raw string) string {
	end, at := strings.IndexAny(raw, "?#"), strings.LastIndexByte(raw, '@')
	switch {
	case end >= 0 && end < at: // the password may hold the one, or the query the other
		return "xxxxx"
	case end >= 0:
		raw = raw[:end] + "?…"
	}
	if at >= 0 {
		raw = "xxxxx" + raw[at:]
	}
	return shortened(raw)
}

// displayTarget returns where a redirect leads as errors show it: without user information, and without query,
// fragment and the path's parameters, which may be secrets, and not longer than 200 bytes.
func displayTarget(location *url.URL) string {
	path := location.Path
	if location.RawQuery != "" || location.Fragment != "" {
		path += "?"
	}
	if end := strings.IndexAny(path, ";?#"); end >= 0 { // also what was escaped
		path = path[:end+1] + "…"
	}
	return shortened(location.Scheme + "://" + location.Host + path)
}

func shortened(text string) string {
	if len(text) > maxShown {
		return strings.ToValidUTF8(text[:maxShown], "") + "…"
	}
	return text
}

// JoinFaults joins the faults of a configuration, those that read alike once. The error is nil if there are none.
func JoinFaults(faults []error) error {
	told := map[string]bool{}
	return errors.Join(slices.DeleteFunc(faults, func(fault error) bool {
		again := told[fault.Error()]
		told[fault.Error()] = true
		return again
	})...)
}
