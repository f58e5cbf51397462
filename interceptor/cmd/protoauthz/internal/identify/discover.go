package identify

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
)

// A Discovery is what an issuer's metadata says (OpenID Connect Discovery 1.0 section 4.2).
type Discovery struct {
	URL        string   // of the metadata
	Issuer     string   // the issuer that the metadata names
	KeySetURL  string   // jwks_uri
	Algorithms []string // that sign ID tokens: access tokens may have another one
}

// Discover fetches the metadata of an issuer, over https and without redirects, within 5 seconds.
func Discover(ctx context.Context, transport http.RoundTripper, issuer string) (d Discovery, err error) {
	if !strings.HasPrefix(issuer, "https://") || strings.ContainsAny(issuer, "?#") {
		return d, errors.New("iss is not an https URL without query, so there is nothing to fetch")
	}
	var never endpoint.PlainHTTP
	if err := never.CheckURL(issuer); err != nil {
		return d, fmt.Errorf("iss: %w", err)
	}
	d.URL = strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"
	ctx, cancel := context.WithTimeout(ctx, endpoint.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.URL, http.NoBody)
	if err != nil {
		return d, errors.New("iss is malformed")
	}
	request.Header.Set("Accept", "application/json")
	const advice = "set KeySetURL if the issuer has no metadata there"
	recorder := &errorRecorder{RoundTripper: transport}
	body, _, err := never.Do(recorder, request, advice, http.StatusOK)
	if errors.Is(recorder.err, errPrivate) {
		return d, errPrivate
	} else if err != nil {
		return d, err
	}
	document, err := jose.ParseObject(body)
	if err != nil {
		return d, endpoint.NotJSON(body, advice)
	}
	d.Issuer, _, _ = document.Text("issuer")
	d.KeySetURL, _, _ = document.Text("jwks_uri")
	d.Algorithms, _, _, _ = document.Texts("id_token_signing_alg_values_supported")
	return d, nil
}

// An errorRecorder records the error of a request, whose text [endpoint.PlainHTTP.Do] leaves out.
type errorRecorder struct {
	http.RoundTripper

	err error
}

// RoundTrip implements [http.RoundTripper].
func (r *errorRecorder) RoundTrip(request *http.Request) (response *http.Response, err error) {
	response, err = r.RoundTripper.RoundTrip(request)
	r.err = err
	return response, err
}

// PublicTransport returns a transport that connects to public addresses alone, and asks no proxy. The token of a
// stranger names the host, so that the host must not lead into the user's own network. The address is checked when it
// is dialled, so that no answer of DNS can change it afterwards.
func PublicTransport() http.RoundTripper {
	dialer := &net.Dialer{Timeout: endpoint.Timeout, Control: func(_, address string, _ syscall.RawConn) error {
		dialled, err := netip.ParseAddrPort(address)
		if err != nil || !isPublic(dialled.Addr()) {
			return errPrivate
		}
		return nil
	}}
	return &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10, ForceAttemptHTTP2: true}
}

var errPrivate = errors.New("the host has a private address, and only public ones are asked: open the metadata of the issuer yourself")

// private are the addresses that are not public, and that package netip does not know as such.
var private = func() (prefixes []netip.Prefix) {
	for _, prefix := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fec0::/10",
	} {
		prefixes = append(prefixes, netip.MustParsePrefix(prefix))
	}
	return prefixes
}()

// isPublic reports whether an address belongs to a host on the internet. Addresses that stand for others, as in
// NAT64 and 6to4, are not public.
func isPublic(address netip.Addr) bool {
	address = address.Unmap().WithZone("")
	if !address.IsGlobalUnicast() || address.IsPrivate() {
		return false
	}
	if address.Is6() && !netip.MustParsePrefix("2000::/3").Contains(address) {
		return false
	}
	for _, prefix := range private {
		if prefix.Contains(address) {
			return false
		}
	}
	return true
}
