package token

import "testing"

// TestTemplateValue finds the tenant in the identifier of an issuer.
func TestTemplateValue(t *testing.T) {
	t.Parallel()
	template, err := parseTemplate("https://idp.test/{tid}/v2")
	if err != nil {
		t.Fatal(err)
	}
	for issuer, want := range map[string]string{
		"https://idp.test/a/v2": "a", "https://idp.test/A-b_c.9/v2": "A-b_c.9",
		"a/v2": "", "https://idp.test/a": "", "https://idp.test/a/b/v2": "", "https://idp.test//v2": "", "https://idp.test/../v2": "", "https://idp.test/a%20/v2": "",
		"https://evil.test/a/v2": "", "https://idp.test/a/v2/": "", "https://idp.test/v2": "", "": "",
	} {
		if value, ok := template.value(issuer); ok != (want != "") || ok && value != want {
			t.Errorf("%q: %q, %t, want %q", issuer, value, ok, want)
		}
	}
}
