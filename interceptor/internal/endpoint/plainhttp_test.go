package endpoint_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// listing lists hosts under the name of a setting.
func listing(hosts ...string) endpoint.PlainHTTP {
	return endpoint.PlainHTTP{Setting: "Hosts", Hosts: hosts}
}

// TestListedHosts makes sure that a listed host opens plain http to exactly this host.
func TestListedHosts(t *testing.T) {
	t.Parallel()
	plain := listing("logto", "10.0.0.7", "fd00::7", "a.B.test", "keys_1")
	for url, want := range map[string]bool{
		"http://logto":                true,
		"http://logto:3001/oidc":      true,
		"http://LOGTO:3001":           true,
		"http://10.0.0.7/jwks":        true,
		"http://[fd00::7]:3001":       true,
		"http://A.b.Test":             true,
		"http://keys_1":               true,
		"http://auth.localhost:3001":  true,
		"http://AUTH.LOCALHOST":       true,
		"http://LocalHost":            true,
		"http://a.b.localhost/oidc":   true,
		"https://other":               true,
		"http://other":                false,
		"http://logto.evil.test":      false,
		"http://evil.logto":           false,
		"http://logto.":               false,
		"http://logto@evil.test":      false,
		"http://user@logto":           false,
		"http://logto#":               false,
		"http://b.test":               false,
		"http://10.0.0.70":            false,
		"http://[::ffff:10.0.0.7]":    false,
		"http://localhost.":           false,
		"http://xlocalhost":           false,
		"http://.localhost":           false,
		"http://auth.localhost.test":  false,
		"http://auth.localhost:":      false,
		"ftp://logto":                 false,
		"file://logto/etc/jwks":       false,
		"file:///etc/jwks":            false,
		"http:logto":                  false,
		"HTTP://logto":                false,
		"http://logto /":              false,
		"http://logto\n":              false,
		"http://evil.test?logto":      false,
		"http://evil.test/@logto":     false,
		"http://evil.test\\@logto":    false,
		"http://logto%00.evil.test":   false,
		"http://logto%2eevil.test":    false,
		"http://\u217Cogto.evil.test": false,
	} {
		if err := plain.CheckURL(url); (err == nil) != want {
			t.Errorf("%q: %v", url, err)
		}
	}
	want := `it is plain http and not on a loopback address: use https, or list "other" in Hosts if nobody else can answer for that host`
	if err := plain.CheckURL("http://other:80/oidc"); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestHostFaults has lists that are not a list of hosts.
func TestHostFaults(t *testing.T) {
	t.Parallel()
	const (
		blank   = "Hosts: an entry is blank: leave it out; if a variable or a file should supply it, set the variable or fill the file"
		notHost = ` is not the name of a host: write the host as the URL has it, without scheme, port, path and wildcards, such as "logto"`
		unused  = " is the host of no http URL here: correct the entry or leave it out"
	)
	for _, test := range []struct {
		hosts, urls, want []string
	}{
		{nil, nil, nil},
		{[]string{"logto", "10.0.0.7", "fd00::7", "LOGTO.test", "a_b-c.d"}, nil, nil},
		{[]string{"", " ", "\n"}, nil, []string{blank, blank, blank}},
		{[]string{"logto:3001"}, nil, []string{`Hosts: "logto:3001"` + notHost}},
		{[]string{"http://logto"}, nil, []string{`Hosts: "http://logto"` + notHost}},
		{[]string{"http://user:secret@logto"}, nil, []string{`Hosts: "xxxxx@logto"` + notHost}},
		{[]string{"logto/oidc"}, nil, []string{`Hosts: "logto/oidc"` + notHost}},
		{[]string{"*.test"}, nil, []string{`Hosts: "*.test"` + notHost}},
		{[]string{"*"}, nil, []string{`Hosts: "*"` + notHost}},
		{[]string{".test"}, nil, []string{`Hosts: ".test"` + notHost}},
		{[]string{" logto"}, nil, []string{`Hosts: " logto"` + notHost}},
		{[]string{"logto\n"}, nil, []string{`Hosts: "logto\n"` + notHost}},
		{[]string{"logto,keys"}, nil, []string{`Hosts: "logto,keys"` + notHost}},
		{[]string{"[fd00::7]"}, nil, []string{`Hosts: "[fd00::7]"` + notHost}},
		{[]string{"fe80::7%eth0"}, nil, []string{`Hosts: "fe80::7%eth0"` + notHost}},
		{[]string{"10.0.0.0/8"}, nil, []string{`Hosts: "10.0.0.0/8"` + notHost}},
		{[]string{"münchen"}, nil, []string{`Hosts: "münchen"` + notHost}},
		{[]string{"logto", "keys"}, []string{"http://LOGTO:3001", "https://keys"}, []string{`Hosts: "keys"` + unused}},
		{[]string{"logto"}, []string{"file:///etc/logto", "://logto"}, []string{`Hosts: "logto"` + unused}},
	} {
		var got []string
		for _, fault := range listing(test.hosts...).Faults(test.urls...) {
			got = append(got, fault.Error())
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%q: %q, want %q", test.hosts, got, test.want)
		}
	}
}

// TestCheck holds which requests may go out over plain http, by a transport that can be watched and by another one.
func TestCheck(t *testing.T) {
	t.Parallel()
	const (
		away    = `the URL is plain http to another machine: use https, or list "`
		blind   = ` leads to this machine, since the transport (tokens.Handler) is not an http.Transport: write localhost, or give an http.Transport, or list "`
		comment = `" in Hosts if nobody else can answer for that host`
	)
	for raw, want := range map[string][2]string{
		"https://idp.test":       {},
		"http://127.0.0.1":       {},
		"http://[::1]":           {},
		"http://localhost":       {},
		"http://LOCALHOST":       {1: `nobody can check that "LOCALHOST"` + blind + `LOCALHOST` + comment},
		"http://auth.localhost":  {1: `nobody can check that "auth.localhost"` + blind + `auth.localhost` + comment},
		"http://named.localhost": {},
		"http://logto":           {},
		"http://keys":            {away + "keys" + comment, away + "keys" + comment},
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		for n, transport := range []http.RoundTripper{new(http.Transport), tokens.Respond(200, "")} {
			err := listing("logto", "named.localhost").Check(u, transport)
			if got := errorText(err); got != want[n] {
				t.Errorf("%s by %T: %q, want %q", raw, transport, got, want[n])
			}
		}
	}
	if err := (endpoint.PlainHTTP{}).Check(&url.URL{Scheme: "http", Host: "keys"}, nil); err == nil || !strings.HasSuffix(err.Error(), ": use https") {
		t.Errorf("without a list: %v", err)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
