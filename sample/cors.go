package main

import (
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	connectcors "connectrpc.com/cors"
	"github.com/rs/cors"
)

// preflightAge is how long a browser may keep the answer to a preflight. Browsers have limits of their own:
// Chromium keeps it for two hours.
const preflightAge = 2 * time.Hour

// allowOrigins lets web pages of the given origins call the services and read the answers, also refusals. It
// answers preflights itself, without the guard: browsers send no token with a preflight.
//
// Credentials stay off: a page sends its token itself, and needs no cookies.
func allowOrigins(origins []string, services http.Handler) http.Handler {
	if len(origins) == 0 {
		return services // cors.New would take no origin for every origin
	}
	return cors.New(cors.Options{
		AllowedOrigins: origins,
		AllowedMethods: connectcors.AllowedMethods(),
		AllowedHeaders: append(connectcors.AllowedHeaders(), "Authorization", "X-Organization-Id"),
		ExposedHeaders: append(connectcors.ExposedHeaders(), "WWW-Authenticate"),
		MaxAge:         int(preflightAge.Seconds()),
	}).Handler(services)
}

// parseOrigins accepts origins separated by commas, each as browsers send it. It accepts no wildcard: name
// the pages that call your server.
func parseOrigins(list string) ([]string, error) {
	if list == "" {
		return nil, nil
	}
	origins := strings.Split(list, ",")
	for _, origin := range origins {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || strings.HasSuffix(u.Host, ":") ||
			origin != strings.ToLower(u.Scheme+"://"+u.Host) || !asSent(u) {
			return nil, badFlag("origins", "%q is not an origin: give origins such as https://app.example.com or http://localhost:5173, "+
				"separated by commas", origin)
		}
		if port := u.Port(); u.Scheme == "http" && port == "80" || u.Scheme == "https" && port == "443" {
			return nil, badFlag("origins", "%q has the default port, which browsers leave out: give %s", origin, strings.TrimSuffix(origin, ":"+port))
		}
	}
	return origins, nil
}

// asSent reports whether browsers write the host and the port in this form: names in ASCII, such as
// xn--bcher-kva.example, and addresses and ports in their shortest form.
func asSent(u *url.URL) bool {
	host := u.Hostname()
	if address, err := netip.ParseAddr(host); strings.Contains(host, ":") && (err != nil || address.String() != host) {
		return false
	}
	other := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("-._:", r)
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	return !strings.ContainsFunc(host, other) && (u.Port() == "" || err == nil && strconv.FormatUint(port, 10) == u.Port())
}
