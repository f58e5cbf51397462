package document_test

import (
	"reflect"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/document"
)

func TestInMembers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"set MaxLifetime, or config.CAFile": "set maxLifetime, or caFile",
		"the URL is not config.URL":         "the URL is not url",
		`"Names" and "\"Names" of Names`:    `"Names" and "\"Names" of names`,
		"Another.Names and WithNames":       "Another.Names and WithNames",
	} {
		if got := document.InMembers(text, reflect.TypeFor[config]()); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}
