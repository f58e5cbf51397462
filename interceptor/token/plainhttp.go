package token

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
)

// plainHTTP decides where plain http to the issuer's servers may go.
func (i *Issuer) plainHTTP() endpoint.PlainHTTP { return i.plainHTTPFor("") }

// plainHTTPFor is plainHTTP for requests. Errors name the field of Issuer that could replace the URL.
func (i *Issuer) plainHTTPFor(field string) endpoint.PlainHTTP {
	return endpoint.PlainHTTP{Setting: "Issuer.InsecureHTTPHosts", Hosts: i.InsecureHTTPHosts, URLSetting: field, CASetting: "Issuer.CAFile"}
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
func (c *compiler) checkKeySetURL() error {
	if c.hasKeySetFile() {
		return c.checkKeySetFile()
	}
	if strings.HasPrefix(c.KeySetURL, "/") {
		return fmt.Errorf("it is a path: write %q for a file", "file://"+c.KeySetURL)
	}
	return c.checkServerURL(c.KeySetURL)
}

// checkNames refuses a transport that cannot tell whether the name of a server leads to this machine.
func (i *Issuer) checkNames(shared http.RoundTripper) error {
	for _, server := range []struct{ field, raw string }{
		{"KeySetURL", i.KeySetURL}, {"IntrospectionURL", i.IntrospectionURL}, {"URL", i.URL},
	} {
		if server.field == "URL" && i.KeySetURL != "" || i.plainHTTP().CheckURL(server.raw) != nil { // no server, or a fault of its own
			continue
		}
		u, _ := url.Parse(server.raw) // CheckURL has parsed it
		if err := i.plainHTTP().Check(u, shared); err != nil {
			return fmt.Errorf("%s: %w", server.field, err)
		}
	}
	return nil
}

// insecureHostFaults returns the faults of InsecureHTTPHosts. Without a URL for every server, the metadata may name any
// host.
func (c *compiler) insecureHostFaults() []error {
	if c.KeySetURL == "" || c.form != formJWT && c.IntrospectionURL == "" {
		return c.plainHTTP().Faults()
	}
	return c.plainHTTP().Faults(c.URL, c.KeySetURL, c.IntrospectionURL)
}
