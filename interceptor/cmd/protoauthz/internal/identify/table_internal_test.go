package identify

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/guide"
)

// TestTable makes sure that the rows have every literal of the guide, by the guide's own issuer, and every provider
// its trap.
func TestTable(t *testing.T) {
	t.Parallel()
	found, told := map[string]bool{}, map[string]bool{}
	for _, row := range rows {
		told[row.provider] = true
		if traps[row.provider] == "" {
			t.Errorf("%s has no trap", row.provider)
		}
		if _, ok := presets[row.use]; ok || row.use == "" {
			found[row.use] = true
			continue
		}
		literals := guide.Literals()
		n := slices.IndexFunc(literals, func(l guide.Literal) bool { return l.Name == row.use })
		if n < 0 {
			t.Errorf("%s: there is no literal %q", row.provider, row.use)
			continue
		}
		if row.provider != literals[n].Section {
			t.Errorf("%s is %s in the guide", row.provider, literals[n].Section)
		}
		// The parts of the pattern are the guide's, so that they are replaced.
		if plain := strings.NewReplacer("<*", "", "<", "", ">", "").Replace(row.iss); plain == literals[n].Issuer.URL {
			found[row.use] = true
		}
		for _, claim := range lists[row.use] {
			if literals[n].Issuer.RequiredClaims[claim] == nil {
				t.Errorf("%s: the literal does not require %s", row.provider, claim)
			}
		}
	}
	for _, literal := range guide.Literals() {
		if !found[literal.Name] && literal.Name != "authelia" && literal.Name != "hydra/string" { // the second is the first
			t.Errorf("no row has the issuer of the literal %s", literal.Name)
		}
	}
	for name := range presets {
		if !found[name] {
			t.Errorf("no row has the preset %s", name)
		}
	}
	for provider := range traps {
		if !told[provider] {
			t.Errorf("no row has %s", provider)
		}
	}
}

// TestKeySets makes sure that no key set of an example is trusted: it follows from `iss`, or the user must write it.
func TestKeySets(t *testing.T) {
	t.Parallel()
	for _, row := range rows {
		for _, literal := range guide.Literals() {
			url := literal.Issuer.KeySetURL
			if literal.Name != row.use || url == "" || ownKeys[row.use] {
				continue
			}
			examples := part.FindAllString(row.iss, -1)
			parts := make([]string, len(examples))
			for n := range parts {
				parts[n] = fmt.Sprintf("https://other%d.test", n)
			}
			filled := row.fill(url, parts)
			if len(examples) > 0 && (filled == url || slices.ContainsFunc(examples, func(example string) bool {
				return strings.Contains(filled, strings.Trim(example, "<*>"))
			})) {
				t.Errorf("%s: by %s, the key set is %s", row.provider, row.iss, filled)
			}
		}
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		pattern, iss string
		parts        []string
		ok           bool
	}{
		{"https://a.test", "https://a.test", nil, true}, {"https://a.test", "https://aXtest", nil, false}, {"https://a.test", "https://a.test/", nil, false},
		{"https://<x>.a.test/<y>/", "https://b.c.a.test/d/", []string{"b.c", "d"}, true}, {"https://<x>.a.test/<y>/", "https://b/c.a.test/d/", nil, false},
		{"https://<x>.a.test", "https://evil.test?.a.test", nil, false}, {"https://<x>.a.test", "https://evil.test#.a.test", nil, false}, {"https://<x>.a.test", "https://u@b.a.test", nil, false},
		{"<*>/realms/<>", "http://h/auth/realms/r", []string{"http://h/auth", "r"}, true}, {"<*>", "", nil, false}, {"<*>", "x", []string{"x"}, true},
		{"https://<>.a.test", "https://b.a.test.evil.test", nil, false}, {"https://<>.a.test", "https://.a.test", nil, false},
	} {
		if parts, ok := match(test.pattern, test.iss); ok != test.ok || !slices.Equal(parts, test.parts) {
			t.Errorf("%s, %s: %q, %t", test.pattern, test.iss, parts, ok)
		}
	}
}

func TestIsPublic(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"8.8.8.8": true, "1.1.1.1": true, "::ffff:8.8.8.8": true, "2606:4700:4700::1111": true, "100.63.255.255": true, "100.128.0.0": true, "172.15.0.1": true, "172.32.0.1": true, "192.0.1.1": true, "198.17.0.1": true, "198.20.0.1": true, "223.255.255.255": true,
		"127.0.0.1": false, "127.255.255.254": false, "0.0.0.0": false, "0.1.2.3": false, "10.0.0.1": false, "172.16.0.1": false, "172.31.255.255": false, "192.168.1.1": false, "169.254.169.254": false,
		"100.64.0.1": false, "100.127.255.255": false, "192.0.0.1": false, "192.0.2.1": false, "192.88.99.1": false, "198.18.0.1": false, "198.19.255.255": false, "198.51.100.1": false, "203.0.113.1": false,
		"224.0.0.1": false, "239.255.255.255": false, "240.0.0.1": false, "255.255.255.255": false,
		"::": false, "::1": false, "::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::ffff:169.254.169.254": false, "::127.0.0.1": false, "::8.8.8.8": false, "::ffff:0:127.0.0.1": false,
		"64:ff9b::7f00:1": false, "64:ff9b::808:808": false, "64:ff9b:1::1": false, "100::1": false, "2001::1": false, "2001:10::1": false, "2001:db8::1": false, "2002:7f00:1::": false, "2002:808:808::": false,
		"3fff::1": false, "5f00::1": false, "fc00::1": false, "fd00:ec2::254": false, "fe80::1": false, "fe80::1%eth0": false, "fec0::1": false, "ff02::1": false, "4000::1": false,
	} {
		if got := isPublic(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %t", address, got)
		}
	}
	if isPublic(netip.Addr{}) {
		t.Error("no address is public")
	}
}

// TestPublicTransport makes sure that the transport asks no proxy.
func TestPublicTransport(t *testing.T) {
	t.Parallel()
	if transport, ok := PublicTransport().(*http.Transport); !ok || transport.Proxy != nil || transport.DialContext == nil || transport.DialTLSContext != nil {
		t.Errorf("the transport is %+v", transport)
	}
}
