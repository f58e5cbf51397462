// Package endpoint is how the endpoints of identity providers are addressed and asked:
// keys and tokens come over the same kind of channel, at the same price.
package endpoint

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
)

// CheckURL accepts absolute https URLs, and http ones on loopback addresses,
// where nobody can listen in.
func CheckURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case raw == "":
		return errors.New("it is empty")
	case !strings.Contains(raw, "://"):
		return errors.New("it does not begin with https://")
	case err != nil:
		return errors.New("it cannot be parsed (Auth0 and AuthAction take a bare domain, without https:// and path)")
	case u.Hostname() == "" || u.Opaque != "" || strings.HasSuffix(u.Host, ":"):
		return errors.New("it names no host")
	case u.User != nil || strings.ContainsRune(raw, '#'):
		return errors.New("it has user information or a fragment")
	case u.Scheme == "http" && !IsLoopback(u.Hostname()):
		return errors.New("it is plain http and not on a loopback address: use https")
	case !strings.HasPrefix(raw, "https://") && !strings.HasPrefix(raw, "http://"):
		return errors.New("it is not an https URL")
	}
	return nil
}

// IsLoopback reports whether a host is this machine: 127.0.0.0/8, ::1 or localhost.
func IsLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// DomainURL is the https URL of a domain, with a path. It escapes what is no domain, a path above
// all, so that [CheckURL] finds a URL that cannot be parsed and not one of somebody else. It is
// empty if the domain is blank.
func DomainURL(domain, path string) string {
	if IsBlank(domain) {
		return ""
	}
	return "https://" + url.PathEscape(domain) + path
}

// Below is a URL with a path added. It is empty if the URL is blank: whoever gave none would not know
// the path for theirs.
func Below(base, path string) string {
	if IsBlank(base) {
		return ""
	}
	return base + path
}

// IsBlank reports whether a URL or domain is not there: empty, or spaces.
func IsBlank(text string) bool { return strings.TrimSpace(text) == "" }

// DisplayURL is a URL as errors show it, without the user information that it must
// not hold.
func DisplayURL(raw string) string {
	if at := strings.LastIndexByte(raw, '@'); at >= 0 {
		return "xxxxx" + raw[at:]
	}
	return raw
}
