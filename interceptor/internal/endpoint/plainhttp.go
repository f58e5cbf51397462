package endpoint

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// PlainHTTP decides where plain http may go: to this machine, and to the hosts of a list that somebody has written on
// purpose. The zero PlainHTTP has no list.
type PlainHTTP struct {
	Setting string   // the name of the list, for errors
	Hosts   []string // names and addresses without port, without regard to case

	// What else an error names as the remedy, or "".
	URLSetting string // the setting for another URL of the server
	CASetting  string // the setting for a private authority
}

// CheckURL refuses URLs that are neither absolute https URLs, nor http URLs to this machine or to a listed host. The
// error tells what is wrong and what to do.
func (p PlainHTTP) CheckURL(raw string) error {
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
	case u.Hostname() == "" || strings.HasSuffix(u.Host, ":"):
		return errors.New("it names no host: a part of the URL seems to be missing; " + unsetAdvice)
	case strings.HasPrefix(u.Host, "."):
		return errors.New("its host begins with a dot: a part of the URL seems to be missing; " + unsetAdvice)
	case u.User != nil || strings.ContainsRune(raw, '#'):
		return errors.New("it has user information or a fragment")
	case u.Scheme == "http" && !IsLoopback(u.Hostname()) && !isLocalName(u.Hostname()) && !p.lists(u.Hostname()):
		return errors.New("it is plain http and not on a loopback address: use https" + p.OrList(u.Hostname()))
	case !strings.HasPrefix(raw, "https://") && !strings.HasPrefix(raw, "http://"):
		return errors.New("it is not an https URL")
	}
	return nil
}

// Check refuses a request over plain http to another machine whose host is not listed. It also refuses a name below
// localhost with a transport that [PlainHTTP.Direct] cannot watch, since such a name may lead anywhere. The error
// tells what to do.
func (p PlainHTTP) Check(u *url.URL, transport http.RoundTripper) error {
	host := u.Hostname()
	_, watched := transport.(*http.Transport)
	switch {
	case u.Scheme != "http", p.lists(host), IsLoopback(host), isLocalName(host) && watched:
		return nil
	case isLocalName(host):
		return fmt.Errorf("nobody can check that %q leads to this machine, since the transport (%T) is not an http.Transport: write localhost, or give an http.Transport%s", shortened(host), transport, p.OrList(host))
	default:
		return errors.New("the URL is plain http to another machine: use https" + p.OrList(host))
	}
}

// OrList returns the end of an advice, which names the list if there may be one.
func (p PlainHTTP) OrList(host string) string {
	if p.Setting == "" {
		return ""
	}
	return fmt.Sprintf(", or list %q in %s if nobody else can answer for that host", shortened(host), p.Setting)
}

// Lists reports whether a URL is an http URL with a listed host.
func (p PlainHTTP) Lists(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Scheme == "http" && p.lists(u.Hostname())
}

func (p PlainHTTP) lists(host string) bool {
	return slices.ContainsFunc(p.Hosts, func(listed string) bool { return strings.EqualFold(listed, host) })
}

// Faults returns the faults of the list, given all URLs that the list may serve, or none if other URLs may come.
func (p PlainHTTP) Faults(urls ...string) (faults []error) {
	for _, host := range p.Hosts {
		alone := PlainHTTP{Hosts: []string{host}}
		switch {
		case IsBlank(host):
			faults = append(faults, fmt.Errorf("%s: an entry is blank: leave it out; %s", p.Setting, unsetAdvice))
		case !isHost(host):
			faults = append(faults, fmt.Errorf(`%s: %q is not the name of a host: write the host as the URL has it, without scheme, port, path and wildcards, such as "logto"`, p.Setting, DisplayURL(host)))
		case len(urls) > 0 && !slices.ContainsFunc(urls, alone.Lists):
			faults = append(faults, fmt.Errorf("%s: %q is the host of no http URL here: correct the entry or leave it out", p.Setting, host))
		}
	}
	return faults
}

// isHost reports whether a text is the name or the address of a host in ASCII.
func isHost(text string) bool {
	if address, err := netip.ParseAddr(text); err == nil {
		return address.Zone() == ""
	}
	const characters = "abcdefghijklmnopqrstuvwxyz0123456789-_."
	return !strings.HasPrefix(text, ".") && strings.Trim(strings.ToLower(text), characters) == ""
}
