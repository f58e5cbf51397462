package token_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

func FuzzBearer(f *testing.F) {
	grammar := regexp.MustCompile(`\A(?:[Bb][Ee][Aa][Rr][Ee][Rr])( +)([A-Za-z0-9\-._~+/]+=*)\z`)
	scheme := regexp.MustCompile(`\A[Bb][Ee][Aa][Rr][Ee][Rr](?: |\z)`)
	const longest = len("Bearer ") + token.MaxBytes
	seeds := []string{
		"Bearer a.b.c", "bearer  a==", "BEARER a", "Bearer", "Bearer ", "", " ", "Basic a", "Bearer a b", "Bearer a=b", "Bearer\ta", "Bearer \ta", "Bearer a\n", "Bearer é", " Bearer a",
		"Bearer =", "Bearer a,b", "Bearer, a", "Bearera", "B\u212aarer a", "Bearer " + strings.Repeat("a", token.MaxBytes), "Bearer " + strings.Repeat("a", token.MaxBytes+1),
	}
	tokens.CheckSeeds(f, seeds, grammar.MatchString)
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		raw, err := token.Bearer([]string{value})
		match := grammar.FindStringSubmatch(value)
		var want error
		switch {
		case value == "" || len(value) > longest:
			want = token.ErrMalformed
		case !scheme.MatchString(value):
			want = token.ErrScheme
		case match == nil:
			want = token.ErrMalformed
		}
		if checkError(t, err, want); err != nil {
			if raw != "" {
				t.Errorf("%q beside the error %v", raw, err)
			}
		} else if again := value[:len("Bearer")] + match[1] + raw; again != value {
			t.Errorf("%q became %q", value, again)
		}
		// Two values are refused, whatever they are: proxies differ in which they take.
		if raw, err := token.Bearer([]string{value, value}); raw != "" || !errors.Is(err, token.ErrMalformed) {
			t.Errorf("%q given twice became %q, %v", value, raw, err)
		}
	})
}
