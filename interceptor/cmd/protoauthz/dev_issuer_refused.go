package main

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
)

// maxRefusals bounds the notes about refused requests.
const maxRefusals = 100

// handler returns the issuer, which notes each kind of request that it refuses once.
func (s *issuerServer) handler() http.Handler {
	var mu sync.Mutex
	noted := map[string]bool{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refusal := s.issuer.Refusal(r); refusal != nil {
			text := s.refused(refusal.Field, r)
			mu.Lock()
			if !noted[text] && len(noted) < maxRefusals {
				noted[text] = true
				s.note(text)
			}
			mu.Unlock()
		}
		s.issuer.ServeHTTP(w, r)
	})
}

// refused returns why a request is refused, and what to change.
func (s *issuerServer) refused(field string, r *http.Request) string {
	switch field {
	case "AllowRemote":
		peer, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			peer = "an unknown address"
		}
		return fmt.Sprintf("a request is refused, since it comes from another machine, %s: to answer other machines, such as containers, start with -remote", peer)
	case "Hosts":
		return fmt.Sprintf("a request is refused, since it asks for the host %s: address the issuer by %s, or add the name to hosts (%s)", nameOf("//"+r.Host), s.issuer.URL(), s.tenant.Where("hosts"))
	default:
		return fmt.Sprintf("a request is refused, since it comes from the web site %s: ask without a browser, or from a page of this machine", nameOf(r.Header.Get("Origin")))
	}
}

// nameOf returns the host of a URL in quotes. Other parts of the URL may be secret.
func nameOf(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || len(u.Hostname()) > 255 {
		return "of unknown name"
	}
	return strconv.Quote(u.Hostname())
}
