package token_test

import (
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

func TestBearer(t *testing.T) {
	t.Parallel()
	const good = "eyJh.eyJp-_.c2ln"
	longest := strings.Repeat("a", token.MaxBytes)
	tests := []struct {
		name   string
		values []string
		token  string
		err    error
	}{
		{"D01/nil", nil, "", token.ErrMissing},
		{"D01/empty", []string{}, "", token.ErrMissing},
		{"D02/as usual", []string{"Bearer " + good}, good, nil},
		{"D02/lower case", []string{"bearer " + good}, good, nil},
		{"D02/upper case", []string{"BEARER " + good}, good, nil},
		{"D02/mixed case", []string{"bEaReR " + good}, good, nil},
		{"D03/good then bad", []string{"Bearer " + good, "Bearer x"}, "", token.ErrMalformed},
		{"D03/bad then good", []string{"Basic x", "Bearer " + good}, "", token.ErrMalformed},
		{"D03/twice the same", []string{"Bearer " + good, "Bearer " + good}, "", token.ErrMalformed},
		{"D03/good then empty", []string{"Bearer " + good, ""}, "", token.ErrMalformed},
		{"D04/joined by comma and space", []string{"Bearer " + good + ", Bearer " + good}, "", token.ErrMalformed},
		{"D04/joined by comma", []string{"Bearer " + good + ",Bearer " + good}, "", token.ErrMalformed},
		{"D04/auth-params", []string{`Bearer token="` + good + `"`}, "", token.ErrMalformed},
		{"D05/Basic", []string{"Basic dXNlcjpwYXNz"}, "", token.ErrScheme},
		{"D05/Digest", []string{`Digest username="a"`}, "", token.ErrScheme},
		{"D05/DPoP", []string{"DPoP " + good}, "", token.ErrScheme},
		{"D05/no scheme", []string{good}, "", token.ErrScheme},
		{"D05/longer scheme", []string{"Bearers " + good}, "", token.ErrScheme},
		{"D05/shorter scheme", []string{"Beare " + good}, "", token.ErrScheme},
		{"D05/scheme glued on", []string{"Bearer" + good}, "", token.ErrScheme},
		{"D05/space before", []string{" Bearer " + good}, "", token.ErrScheme},
		{"D05/tab", []string{"Bearer\t" + good}, "", token.ErrScheme},
		{"D05/look-alike", []string{"Веarer " + good}, "", token.ErrScheme},
		{"D06/empty value", []string{""}, "", token.ErrMalformed},
		{"D06/scheme alone", []string{"Bearer"}, "", token.ErrMalformed},
		{"D06/scheme and a space", []string{"Bearer "}, "", token.ErrMalformed},
		{"D06/scheme and spaces", []string{"Bearer    "}, "", token.ErrMalformed},
		{"D06/padding alone", []string{"Bearer =="}, "", token.ErrMalformed},
		{"several spaces", []string{"Bearer   " + good}, good, nil},
		{"all b64token characters", []string{"Bearer azAZ09-._~+/=="}, "azAZ09-._~+/==", nil},
		{"padding inside", []string{"Bearer a=b"}, "", token.ErrMalformed},
		{"space behind", []string{"Bearer " + good + " "}, "", token.ErrMalformed},
		{"space inside", []string{"Bearer a b"}, "", token.ErrMalformed},
		{"tab before the token", []string{"Bearer \t" + good}, "", token.ErrMalformed},
		{"line break", []string{"Bearer " + good + "\r\nX-User: root"}, "", token.ErrMalformed},
		{"NUL", []string{"Bearer " + good + "\x00"}, "", token.ErrMalformed},
		{"quotes", []string{`Bearer "` + good + `"`}, "", token.ErrMalformed},
		{"JSON", []string{`Bearer {"payload":"e30"}`}, "", token.ErrMalformed},
		{"beyond ASCII", []string{"Bearer é"}, "", token.ErrMalformed},
		{"Latin-1", []string{"Bearer \xe9"}, "", token.ErrMalformed},
		{"D09/longest", []string{"Bearer " + longest}, longest, nil},
		{"D09/one byte more", []string{"Bearer " + longest + "a"}, "", token.ErrMalformed},
		{"D09/1 MB", []string{"Bearer " + strings.Repeat("a.", 500_000)}, "", token.ErrMalformed},
		{"D09/1 MB of another scheme", []string{"Basic " + strings.Repeat("a", 1_000_000)}, "", token.ErrMalformed},
		{"D09/spaces", []string{"Bearer" + strings.Repeat(" ", 1_000_000) + good}, "", token.ErrMalformed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			raw, err := token.Bearer(test.values)
			checkError(t, err, test.err)
			checkSilent(t, err, good)
			if raw != test.token {
				t.Errorf("Bearer = %q, want %q", raw, test.token)
			}
		})
	}
}
