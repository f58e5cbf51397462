package token_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/golang-jwt/jwt/v5"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// askedFor reports whether an Introspector alone, and a Verifier with it, ask the issuer about a token.
func askedFor(t testing.TB, raw string) (alone, both bool) {
	t.Helper()
	endpoint := &fakeIssuer{answer: says(saying()), idp: newIDP(jwksOf(all...)...)}
	introspector := newIntrospector(t, endpoint, token.Introspection{})
	_, err := introspector.Verify(t.Context(), raw)
	if alone = endpoint.count() > 0; !alone && err == nil {
		t.Errorf("%q is accepted", raw)
	}
	checkSilent(t, err, raw)
	endpoint = &fakeIssuer{answer: says(saying()), idp: endpoint.idp}
	_, err = newVerifier(t, endpoint, token.WithIntrospector(newIntrospector(t, endpoint, token.Introspection{}))).Verify(t.Context(), raw)
	checkSilent(t, err, raw)
	return alone, endpoint.count() > 0
}

// bentJWTs are JWTs that somebody has bent so that a strict reader does not take them for JWTs, and JWTs of other
// forms.
func bentJWTs() map[string]string {
	k := es256
	// The header has characters that differ between the two alphabets of base64.
	header, body := k.Header("pad", "???>>>~~~"), payload("exp", never)
	good := k.Mint(header, body)
	parts := strings.Split(good, ".")
	h, rest := parts[0], "."+parts[1]+"."+parts[2]
	as := func(header string) string { return encode([]byte(header)) + rest }
	bent := map[string]string{
		"good":                      good,
		"behind a dot":              "." + good,
		"behind several characters": ".~..~" + good,
		"signed by nobody":          h + "." + parts[1] + ".",
		"the header alone":          h,
		"the header and a dot":      h + ".",
		"two segments":              h + "." + parts[1],
		"four segments":             good + "." + parts[2],
		"a tail":                    good + "~disclosed~",
		"without dots":              h + parts[1] + parts[2],
		"payload first":             parts[1] + "." + h + "." + parts[2],
		"payload alone":             parts[1],
		"JSON serialization":        encode([]byte(`{"protected":"` + h + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`)),
		"JWE":                       as(`{"alg":"dir","enc":"A256GCM"}`) + ".AAAA.AAAA",
		"JWE of two parts":          encode([]byte(`{"alg":"dir","enc":"A256GCM"}`)) + "..AAAA.AAAA.AAAA",
		"standard alphabet":         strings.NewReplacer("-", "+", "_", "/").Replace(good),
		"both alphabets":            strings.Replace(good, "_", "/", 1),
		"a byte order mark":         as("\ufeff" + header),
		"white space":               as(" \r\n\t" + header + " \n"),
		"a mark in white space":     as(" \ufeff " + header),
		"alg twice":                 as(strings.Replace(header, "{", `{"alg":"none",`, 1)),
		"bytes behind the header":   as(header + "x"),
		"another object behind":     as(header + `{"alg":"none"}`),
		"NUL behind":                as(header + "\x00"),
		"half an object behind":     as(header + `{"`),
		"not UTF-8":                 as(strings.Replace(header, "???", "\xff\xfe", 1)),
		"an empty object":           as("{}"),
		"an empty object and space": as("{} \n"),
		"no alg":                    as(`{"x":1}`),
		"padding":                   h + strings.Repeat("=", (4-len(h)%4)%4) + rest,
		"much padding":              h + "====" + rest,
		"padding behind":            good + "==",
		"a tilde before":            "~" + good,
		"tildes everywhere":         strings.Join(strings.Split(h, ""), "~") + rest,
	}
	for n := range 4 {
		padded := encode([]byte(header[:len(header)-1] + `,"y":"` + strings.Repeat("y", n) + `"}`))
		bent["a tilde at the end "+string(rune('0'+n))] = padded + "~" + rest
		bent["a character left over "+string(rune('0'+n))] = padded + "A" + rest
		for _, last := range base64Alphabet { // unused bits
			bent["last "+string(rune('0'+n))+string(last)] = padded[:len(padded)-1] + string(last) + rest
		}
	}
	return bent
}

const base64Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// TestBentJWTs makes sure that no JWT is sent to an introspection endpoint, however it was bent.
func TestBentJWTs(t *testing.T) {
	t.Parallel()
	for name, raw := range bentJWTs() {
		if strings.HasPrefix(name, "last ") && !lenient(raw) {
			continue // the last character changes the header
		}
		if alone, both := askedFor(t, raw); alone || both {
			t.Errorf("%s: the issuer is asked: %t, %t", name, alone, both)
		}
	}
}

// TestTrialsUnasked makes sure that a Verifier with an Introspector verifies JWTs as a Verifier without one does, and
// that the issuer is asked about none of them.
func TestTrialsUnasked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		endpoint := &fakeIssuer{answer: says(saying()), idp: newIDP(jwksOf(all...)...)} // it would accept everything
		introspector := newIntrospector(t, endpoint, token.Introspection{Limit: 100_000})
		alone, both := newVerifier(t, endpoint), newVerifier(t, endpoint, token.WithIntrospector(introspector))
		jwts := 0
		for _, trial := range scene.Trials() {
			if !lenient(trial.Raw) {
				continue
			}
			jwts++
			_, want := alone.Verify(t.Context(), trial.Raw)
			_, err := both.Verify(t.Context(), trial.Raw)
			checkError(t, err, want)
			if _, err := introspector.Verify(t.Context(), trial.Raw); !errors.Is(err, token.ErrMalformed) {
				t.Errorf("%s: an Introspector answers %v", trial, err)
			}
			if endpoint.count() > 0 {
				t.Fatalf("%s: the issuer is asked", trial)
			}
		}
		if jwts < 400 {
			t.Errorf("only %d trials", jwts)
		}
	})
}

// TestOpaqueForms makes sure that tokens that nobody takes for a JWT are opaque.
func TestOpaqueForms(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		opaqueToken, "x", "a.b.c", "..", ".", "-", "~", "+/", "ory_at_sGa2xYgbkZ8.s8Qb-1", "ghp_16C7e42F292c6912E7710c838347Ae178B4a", "2YotnFZFEjr1zCsicMWpAA==",
		"3fa85f64-5717-4562-b3fc-2c963f66afa6", "v4.local.AAAAAAAAAAAAAAAAAAAAAAAAAAAA", encode([]byte("[1]")), encode([]byte("{")), encode([]byte("{}x")), encode([]byte(`{"a"`)),
		encode([]byte(`"{}"`)), encode([]byte("null")), encode([]byte("{x}")), strings.Repeat("x", 4<<10),
	} {
		if alone, both := askedFor(t, raw); !alone || !both {
			t.Errorf("%.30q: the issuer is asked: %t, %t", raw, alone, both)
		}
	}
}

// lenient reports whether a lenient reader of JWTs takes a token for one: a reader that decodes base64 as Node does
// (both alphabets, other characters are dropped, and so are unused bits), and then reads JSON.
func lenient(raw string) bool {
	segment, _, _ := strings.Cut(raw, ".")
	read := func(segment string) bool {
		var object map[string]json.RawMessage
		return json.Unmarshal([]byte(strings.TrimPrefix(fromNode(segment), "\ufeff")), &object) == nil && object != nil
	}
	stopped, _, _ := strings.Cut(segment, "=") // some readers stop at the padding, others drop it
	return read(segment) || read(stopped)
}

func fromNode(segment string) string {
	segment = strings.NewReplacer("+", "-", "/", "_").Replace(segment)
	segment = strings.Map(func(r rune) rune {
		if strings.ContainsRune(base64Alphabet, r) {
			return r
		}
		return -1
	}, segment)
	if len(segment)%4 == 1 {
		segment = segment[:len(segment)-1]
	}
	return string(must(base64.RawURLEncoding.DecodeString(segment)))
}

// FuzzOpaque makes sure that no token goes to an introspection endpoint if golang-jwt or a lenient reader reads it as a
// JWT, that other tokens do unless they begin like an object, and that Introspector and Verifier agree.
func FuzzOpaque(f *testing.F) {
	var seeds []string
	for name, raw := range bentJWTs() {
		if !strings.HasPrefix(name, "last ") {
			seeds = append(seeds, raw)
		}
	}
	seeds = append(seeds, opaqueToken, "a.b.c", encode([]byte("{}x")), encode([]byte(`{"a"`)), "", "=", "a b", strings.Repeat("x", token.MaxBytes+1))
	tokens.CheckSeeds(f, seeds, lenient)
	for _, seed := range seeds {
		f.Add(seed)
	}
	b64token := regexp.MustCompile(`\A[A-Za-z0-9\-._~+/]+=*\z`)
	parsers := []*jwt.Parser{jwt.NewParser(), jwt.NewParser(jwt.WithPaddingAllowed())}
	f.Fuzz(func(t *testing.T, raw string) {
		alone, both := askedFor(t, raw)
		if alone != both {
			t.Errorf("%q: an Introspector asks: %t, and a Verifier: %t", raw, alone, both)
		}
		isJWT := lenient(raw)
		for _, parser := range parsers {
			_, _, err := parser.ParseUnverified(raw, jwt.MapClaims{})
			isJWT = isJWT || err == nil
		}
		opaque := b64token.MatchString(raw) && len(raw) <= token.MaxBytes
		const always = 4 << 10 // a longer token may be refused
		segment, _, _ := strings.Cut(strings.TrimLeft(raw, ".~"), ".")
		likeObject := strings.HasPrefix(strings.TrimLeft(fromNode(segment), "\ufeff\u00a0 \t\r\n\v\f"), "{")
		switch {
		case alone && (isJWT || !opaque):
			t.Errorf("%q goes to the issuer", raw)
		case !alone && opaque && !likeObject && len(raw) <= always:
			t.Errorf("%q does not go to the issuer", raw)
		}
	})
}
