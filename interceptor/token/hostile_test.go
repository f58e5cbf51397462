package token_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A shape is an object of about size bytes that is expensive to read.
type shape struct {
	name string
	make func(size int) string
}

// repeated joins part(0), part(1), part(2) … with commas.
func repeated(part func(n int) string) func(size int) string {
	return func(size int) string {
		var b strings.Builder
		for n := 0; ; n++ {
			next := part(n)
			if n > 0 {
				next = "," + next
			}
			if b.Len()+len(next) > size {
				return b.String()
			}
			b.WriteString(next)
		}
	}
}

func inside(before string, fill func(size int) string, after string) func(size int) string {
	return func(size int) string { return before + fill(size-len(before)-len(after)) + after }
}

func copies(text string) func(size int) string {
	return func(size int) string { return strings.Repeat(text, max(0, size/len(text))) }
}

func same(text string) func(int) string { return func(int) string { return text } }

// unlike returns a short name for each number.
func unlike(n int) string { return strconv.FormatInt(int64(n), 36) }

// manyMembers make the n-th member of an object. Each function makes names that are expensive in
// another way.
var manyMembers = map[string]func(n int) string{
	"short":                      func(n int) string { return `"` + unlike(n) + `":0` },
	"escaped":                    func(n int) string { return `"\n` + unlike(n) + `":1` },
	"escaped as units":           func(n int) string { return fmt.Sprintf(`"\u%04x":1`, 'A'+n) },
	"surrogate pairs":            func(n int) string { return fmt.Sprintf(`"\ud83d\u%04x":1`, 0xdc00+n%1024) },
	"of equal length":            func(n int) string { return fmt.Sprintf(`"%05d":0`, n) },
	"of a common prefix":         func(n int) string { return fmt.Sprintf(`"%s%04d":0`, strings.Repeat("p", 60), n) },
	"of a common suffix":         func(n int) string { return fmt.Sprintf(`"%04d%s":0`, n, strings.Repeat("p", 60)) },
	"of a common escaped prefix": func(n int) string { return fmt.Sprintf(`"%s%04d":0`, strings.Repeat(`\t`, 30), n) },
	"beyond ASCII":               func(n int) string { return `"é` + unlike(n) + `":0` },
	"with strings":               func(n int) string { return `"` + unlike(n) + `":"\n"` },
}

func shapes() []shape {
	shapes := []shape{
		{"a string", inside(`{"x":"`, copies("a"), `"}`)},
		{"a string of escapes", inside(`{"x":"`, copies(`\n`), `"}`)},
		{"a string of units", inside(`{"x":"`, copies(`\u0041`), `"}`)},
		{"a string of surrogates", inside(`{"x":"`, copies(`\ud83d\ude00`), `"}`)},
		{"a string beyond ASCII", inside(`{"x":"`, copies("é"), `"}`)},
		{"a string of runes of 4 bytes", inside(`{"x":"`, copies("😀"), `"}`)},
		{"a string of colons", inside(`{"x":"`, copies(":"), `"}`)},
		{"a name", inside(`{"`, copies("a"), `":0}`)},
		{"a name of escapes", inside(`{"`, copies(`\n`), `":0}`)},
		{"a name of units", inside(`{"`, copies(`\u0041`), `":0}`)},
		{"space", inside(`{`, copies(" "), `}`)},
		{"an array", inside(`{"x":[`, repeated(same("0")), `]}`)},
		{"an array of strings", inside(`{"x":[`, repeated(same(`""`)), `]}`)},
		{"an array of words", inside(`{"x":[`, repeated(same("true")), `]}`)},
		{"an array of arrays", inside(`{"x":[`, repeated(same("[]")), `]}`)},
		{"an array of objects", inside(`{"x":[`, repeated(same("{}")), `]}`)},
		{"an array of objects with a member", inside(`{"x":[`, repeated(same(`{"a":0}`)), `]}`)},
		{"an array of objects with members", inside(`{"x":[`, repeated(same(`{"a":0,"b":0,"c":0,"\u0064":0,"e":0}`)), `]}`)},
		{"an array of deep arrays", inside(`{"x":[`, repeated(same(strings.Repeat("[", 30)+strings.Repeat("]", 30))), `]}`)},
		{"an array of deep objects", inside(`{"x":[`, repeated(same(strings.Repeat(`{"":`, 30)+"0"+strings.Repeat("}", 30))), `]}`)},
		{"too deep at the end", inside(`{"x":[`, copies(`0,`), strings.Repeat("[", 33)+strings.Repeat("]", 33)+`]}`)},
		{"a number", inside(`{"x":`, copies("1"), `}`)},
		{"a fraction", inside(`{"x":0.`, copies("1"), `}`)},
		{"an exponent", inside(`{"x":1e`, copies("1"), `}`)},
		{"half of a pair at the end", inside(`{"x":"`, copies(`\ud83d\ude00`), `\ud83d"}`)},
		{"a control character at the end", inside(`{"x":"`, copies("a"), "\x01\"}")},
		{"not UTF-8 at the end", inside(`{"x":"`, copies("a"), "\xff\"}")},
		{"cut", inside(`{"x":"`, copies("a"), "")},
		{"trailing", inside(`{}`, copies(" "), "x")},
	}
	for name, member := range manyMembers {
		shapes = append(shapes,
			shape{"names " + name, inside("{", repeated(member), "}")},
			shape{"inner names " + name, inside(`{"x":[{"y":{`, repeated(member), "}}]}")},
			shape{"names " + name + ", one twice", inside("{", repeated(member), `,"\u0030":0,"0":0}`)},
			shape{"inner names " + name + ", one twice", inside(`{"x":[{"y":{`, repeated(member), `,"\u0030":0,"0":0}}]}`)},
		)
	}
	return shapes
}

// hostile returns tokens of at most size bytes that are refused before their signature is verified.
func hostile(size int) map[string]string {
	good := scene.Payload(issuerURL)
	header := es384.Header()
	// room returns the size that is left for the other object of a token.
	room := func(object string) int {
		return (size-len(es384.Mint(object, "{}")))*3/4 - 4
	}
	tokens := map[string]string{}
	add := func(name, header, payload string) {
		tokens[name] = encode([]byte(header)) + "." + encode([]byte(payload)) + ".c2lnbmF0dXJl"
	}
	for _, s := range shapes() {
		add("payload/"+s.name, header, s.make(room(header)))
		add("header/"+s.name, s.make(room(good)), good)
		// The same members in an expired token.
		if object := s.make(room(header) - len(good)); strings.HasPrefix(object, `{"`) {
			add("expired/"+s.name, header, strings.Replace(scene.Payload(issuerURL, "exp", 1), "{", strings.TrimSuffix(object, "}")+",", 1))
		}
		unknown := es384.Header("kid", strings.Repeat("k", 200))
		if object := s.make(room(good) - len(unknown)); strings.HasPrefix(object, `{"`) {
			add("kid/"+s.name, strings.Replace(unknown, "{", strings.TrimSuffix(object, "}")+",", 1), good)
		}
	}
	for _, name := range []string{"typ", "alg", "kid"} {
		for _, text := range []string{"a", "A", "é", `\n`, `\u0041`, `\ud83d\ude00`} {
			add("header/long "+name+" of "+text, inside(strings.Replace(es384.Header(name, absent{}), "{", `{"`+name+`":"`, 1)[:len(name)+5], copies(text), `",`+strings.TrimPrefix(es384.Header(name, absent{}), "{"))(room(good)), good)
		}
	}
	for _, text := range []string{"a", "é", `\n`, `\u0041`, `\ud83d\ude00`} {
		add("payload/long iss of "+text, header, inside(`{"iss":"`, copies(text), `"}`)(room(header)))
	}
	rest := "," + strings.TrimPrefix(scene.Payload(issuerURL, "exp", absent{}), "{")
	for _, digits := range [][3]string{{"", "1", ""}, {"0.", "1", ""}, {"1.", "0", "1"}, {"1e", "1", ""}, {"1e-", "1", ""}, {"", "1", "e-8000"}, {"0.", "1", "e300"}, {"9007199254740993.", "0", "1"}} {
		add("payload/exp "+digits[0]+digits[1]+digits[2], header, inside(`{"exp":`+digits[0], copies(digits[1]), digits[2]+rest)(room(header)))
	}
	return tokens
}

// TestHostileTokens counts the allocations for the most expensive tokens. BenchmarkHostile measures
// the time.
func TestHostileTokens(t *testing.T) { //nolint:paralleltest // testing.AllocsPerRun must be alone
	idp := newIDP(jwksOf(all...)...)
	verifier := newVerifier(t, idp)
	if _, err := verifier.Verify(t.Context(), scene.Token(eddsa, "exp", never, "iat", 0)); err != nil { // so that there are keys
		t.Fatal(err)
	}
	const most = 100
	dearest := map[string]float64{}
	for _, size := range []int{8 << 10, 16 << 10} {
		for name, raw := range hostile(size) {
			if len(raw) > size || len(raw) < size-400 {
				t.Errorf("%s has %d bytes", name, len(raw))
			}
			values := []string{"Bearer " + raw}
			for by, refuse := range map[string]func() (*token.Claims, error){
				"Verify":       func() (*token.Claims, error) { return verifier.Verify(t.Context(), raw) },
				"Authenticate": func() (*token.Claims, error) { return verifier.Authenticate(t.Context(), values) },
			} {
				var err error
				allocations := testing.AllocsPerRun(3, func() { _, err = refuse() })
				if err == nil || errors.Is(err, token.ErrKeysUnavailable) || errors.Is(err, token.ErrBusy) {
					t.Errorf("%s is not refused for what it is: %v", name, err)
				}
				checkSilent(t, err, raw)
				if allocations > most {
					t.Errorf("%s of %d KiB, %s: %v allocations", name, size>>10, by, allocations)
				}
				dearest[by] = max(dearest[by], allocations)
			}
		}
	}
	if stats := verifier.Stats(); stats.Misses != 1 {
		t.Errorf("%d signatures are verified, want 1", stats.Misses)
	}
	t.Logf("at most %v allocations", dearest)
}

// BenchmarkHostile measures the most expensive tokens that are refused before their signature is
// verified, and the time in which the standard library reads the same bytes.
func BenchmarkHostile(b *testing.B) {
	verifier := newVerifier(b, newIDP(jwksOf(all...)...))
	for _, size := range []int{8 << 10, 16 << 10} {
		for name, raw := range hostile(size) {
			if len(raw) > size || len(raw) < size-400 {
				b.Fatalf("%s has %d bytes", name, len(raw))
			}
			values := []string{"Bearer " + raw}
			segments := strings.Split(raw, ".")
			b.Run(fmt.Sprintf("%d KiB/%s", size>>10, name), func(b *testing.B) {
				var ours, theirs []time.Duration
				for b.Loop() {
					start := time.Now()
					_, err := verifier.Authenticate(b.Context(), values)
					ours = append(ours, time.Since(start))
					if err == nil {
						b.Fatal("it is accepted")
					}
					start = time.Now()
					for _, segment := range segments {
						data, _ := base64.RawURLEncoding.Strict().DecodeString(segment)
						json.Valid(data)
					}
					theirs = append(theirs, time.Since(start))
				}
				slices.Sort(ours)
				slices.Sort(theirs)
				our, their := ours[len(ours)/2], theirs[len(theirs)/2]
				b.ReportMetric(float64(our.Nanoseconds())/1e3, "verify-µs")
				b.ReportMetric(float64(their.Nanoseconds())/1e3, "pair-µs")
				b.ReportMetric(float64(our)/float64(their), "of-pair")
			})
		}
	}
}
