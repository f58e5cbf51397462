package explain

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/unverified"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// Inspector returns a function for [Question.Inspect] that trusts the issuer that each token
// names itself. The kind supplies all fields of the issuer but the URLs.
func Inspector(kind token.Issuer, opts ...token.Option) func(raw string) (*token.Claims, error) {
	return func(raw string) (*token.Claims, error) {
		issuer := kind
		issuer.URL, issuer.KeySetURL = issuerOf(raw), ""
		if _, err := token.NewVerifier(issuer, opts...); err == nil {
			return unverified.Token(issuer, raw, opts...)
		}
		// The token does not name an issuer: any URL will do.
		issuer.URL = "https://issuer.invalid"
		claims, err := unverified.Token(issuer, raw, opts...)
		if errors.Is(err, token.ErrInvalid) {
			err = fmt.Errorf("%w: iss is missing, or is not the URL of an issuer", token.ErrInvalid)
		}
		return claims, err
	}
}

// issuerOf returns the claim iss of a token, or "".
func issuerOf(raw string) (url string) {
	_, rest, _ := strings.Cut(raw, ".")
	payload, _, _ := strings.Cut(rest, ".")
	_ = json.Unmarshal(member(decode(payload), "iss"), &url)
	return url
}

// A Token is the content of a token. Nothing in it is verified.
type Token struct {
	Header json.RawMessage `json:"header"`
	Claims json.RawMessage `json:"claims"`
	Times  []Time          `json:"times,omitempty"`
}

// A Time is a claim with a time.
type Time struct {
	Claim string    `json:"claim"`
	Time  time.Time `json:"time"`
	Note  string    `json:"note"`
}

// read returns the content of a token, or nil if the token is malformed: then it may be another
// secret.
func (q *Question) read() *Token {
	raw, err := token.Bearer(q.Authorization)
	if err != nil {
		return nil
	}
	segments := strings.Split(raw, ".")
	if _, err := q.Inspect(raw); errors.Is(err, token.ErrMalformed) || len(segments) != 3 {
		return nil
	}
	// A refused header hides the rest: check the rest with a good header.
	if _, err := q.Inspect(encode(`{"alg":"ES256","typ":"at+jwt"}`) + "." + segments[1] + "." + segments[2]); errors.Is(err, token.ErrMalformed) {
		return nil
	}
	t := &Token{Header: decode(segments[0]), Claims: decode(segments[1])}
	if t.Header == nil || t.Claims == nil {
		return nil
	}
	now := time.Now()
	for _, name := range []string{"iat", "nbf", "exp"} {
		var seconds float64
		if err := json.Unmarshal(member(t.Claims, name), &seconds); err == nil && seconds >= 0 && seconds <= maxDate {
			at := time.Unix(int64(math.Floor(seconds)), 0).UTC()
			t.Times = append(t.Times, Time{name, at, note(name, at.Sub(now))})
		}
	}
	return t
}

// maxDate is the last second of the year 9999.
const maxDate = 253402300799

func note(claim string, in time.Duration) string {
	switch verbs := map[string][2]string{
		"iat": {"issued", "issued"}, "nbf": {"valid since", "valid"}, "exp": {"expired", "expires"},
	}[claim]; {
	case in > 0:
		return verbs[1] + " in " + inWords(in)
	case claim == "nbf":
		return verbs[0] + " " + inWords(-in)
	default:
		return verbs[0] + " " + inWords(-in) + " ago"
	}
}

// inWords returns a duration in its largest unit.
func inWords(d time.Duration) string {
	for _, unit := range []struct {
		name string
		time.Duration
	}{{"year", 365 * 24 * time.Hour}, {"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}, {"second", time.Second}} {
		if n := int64(d / unit.Duration); n == 1 {
			return "1 " + unit.name
		} else if n > 1 {
			return strconv.FormatInt(n, 10) + " " + unit.name + "s"
		}
	}
	return "0 seconds"
}

// IsOpaque reports whether the token is opaque (RFC 7662). A server may ask the issuer about the token, and nothing
// else can. What begins like a JWT is not opaque, even if it is malformed.
func (q *Question) IsOpaque() bool {
	raw, err := token.Bearer(q.Authorization)
	header, _, _ := strings.Cut(raw, ".")
	return err == nil && decode(header) == nil && !strings.HasPrefix(header, "eyJ")
}

// failedCheck returns the check that refused a token as invalid. It inspects parts of the token, in
// the order of [token.Verifier.Verify].
func (q *Question) failedCheck(denial *interceptor.Denial) Check {
	raw, err := token.Bearer(q.Authorization)
	segments := strings.Split(raw, ".")
	if err != nil || len(segments) != 3 {
		return CheckSignature // the verifier has failed, not the token
	}
	payload := decode(segments[1])
	asked := func(claims map[string]json.RawMessage) string {
		text, err := json.Marshal(claims)
		if err != nil {
			return ""
		}
		return segments[0] + "." + encode(string(text)) + "." + encode("signature")
	}
	// A token without lifetime is expired for every issuer.
	claims := map[string]json.RawMessage{"sub": json.RawMessage(`"x"`), "exp": json.RawMessage("1"), "iat": json.RawMessage("1")}
	if iss := member(payload, "iss"); iss != nil {
		claims["iss"] = iss
	}
	if _, err := q.Inspect(asked(claims)); errors.Is(err, token.ErrInvalid) {
		return CheckHeader
	}
	// The verifier reads the claims last: their faults do not depend on the signature.
	_, fault := q.Inspect(raw)
	if fault == nil || fault.Error() != denial.Unwrap().Error() {
		return CheckSignature
	}
	// With good dates a token has another fault, or none, if its dates were the fault.
	clear(claims)
	if json.Unmarshal(payload, &claims) != nil {
		return CheckClaims
	}
	now := time.Now().Unix()
	delete(claims, "nbf")
	claims["iat"], claims["exp"] = json.RawMessage(strconv.FormatInt(now, 10)), json.RawMessage(strconv.FormatInt(now+1, 10))
	if _, err := q.Inspect(asked(claims)); err == nil || err.Error() != fault.Error() {
		return CheckTime
	}
	return CheckClaims
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// decode returns the JSON object in a segment, or nil.
func decode(segment string) json.RawMessage {
	data, err := base64.RawURLEncoding.DecodeString(segment)
	var object bytes.Buffer
	if err != nil || json.Compact(&object, data) != nil || !bytes.HasPrefix(object.Bytes(), []byte("{")) {
		return nil
	}
	return object.Bytes()
}

// member returns the member of exactly that name, or nil.
func member(object json.RawMessage, name string) json.RawMessage {
	var members map[string]json.RawMessage
	_ = json.Unmarshal(object, &members)
	return members[name]
}
