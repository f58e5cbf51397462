package token

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
)

// plainHTTP decides where plain http to the issuer's servers may go.
func (i *Issuer) plainHTTP() endpoint.PlainHTTP {
	return endpoint.PlainHTTP{Setting: "Issuer.InsecureHTTPHosts", Hosts: i.InsecureHTTPHosts}
}

// checkServerURL refuses the URL of a server of the issuer that is not https, unless PlainHTTP allows it. For an https
// issuer, only InsecureHTTPHosts allows plain http.
func (i *Issuer) checkServerURL(raw string) error {
	plain := i.plainHTTP()
	if u, err := url.Parse(raw); err == nil && u.Scheme == "http" && strings.HasPrefix(i.URL, "https:") && !plain.Lists(raw) {
		return fmt.Errorf("it is not an https URL, while the issuer's is: write the https URL%s", plain.OrList(u.Hostname()))
	}
	return plain.CheckURL(raw)
}

// checkKeySetURL refuses a KeySetURL that is neither the URL of a server nor a file.
func (i *Issuer) checkKeySetURL() error {
	if i.hasKeySetFile() {
		return i.checkKeySetFile()
	}
	return i.checkServerURL(i.KeySetURL)
}

// checkNames refuses a transport that cannot tell whether the name of a server leads to this machine.
func (i *Issuer) checkNames(shared http.RoundTripper) error {
	field, raw := "KeySetURL", i.KeySetURL
	if raw == "" {
		field, raw = "URL", i.URL
	}
	if i.plainHTTP().CheckURL(raw) != nil { // the URL has a fault of its own, or is a file
		return nil
	}
	u, _ := url.Parse(raw) // CheckURL has parsed it
	if err := i.plainHTTP().Check(u, shared); err != nil {
		return fmt.Errorf("%s: %w", field, err)
	}
	return nil
}

// insecureHostFaults returns the faults of InsecureHTTPHosts. Without a KeySetURL the metadata may name any host.
func (i *Issuer) insecureHostFaults() []error {
	if i.KeySetURL == "" {
		return i.plainHTTP().Faults()
	}
	return i.plainHTTP().Faults(i.URL, i.KeySetURL)
}
