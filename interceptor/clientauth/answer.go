package clientauth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"time"
)

// unknownLifetime is how long a token is believed to live whose answer does not say it.
const unknownLifetime = 1 * time.Minute

// members are those of an answer that count (RFC 6749 sections 5.1 and 5.2).
var members = []string{"access_token", "token_type", "expires_in", "error"}

// An answer holds these members, by their exact names: encoding/json would take ACCESS_TOKEN for
// access_token. One that is null is absent.
type answer map[string]json.RawMessage

var (
	errNoObject = errors.New("the answer is not a JSON object: is this the provider's token endpoint?")
	errUTF16    = errors.New("the answer is in UTF-16, and JSON is UTF-8 (RFC 8259 section 8.1): the provider must mend it")
)

// readAnswer reads what the token endpoint says. Its errors repeat nothing of that.
func readAnswer(body []byte) (answer, error) {
	if bytes.HasPrefix(body, []byte("\xff\xfe")) || bytes.HasPrefix(body, []byte("\xfe\xff")) {
		return nil, errUTF16
	}
	decoder := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, []byte("\ufeff")))) // a byte order mark
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil, errNoObject
	}
	a, seen := answer{}, map[json.Token]bool{}
	for decoder.More() {
		var value json.RawMessage
		token, err := decoder.Token()
		if err != nil || decoder.Decode(&value) != nil {
			return nil, errNoObject
		}
		name, _ := token.(string)
		switch {
		case !slices.Contains(members, name):
			continue
		case seen[name]:
			return nil, fmt.Errorf("%s stands twice in the answer: the provider must mend it", name)
		case string(value) != "null":
			a[name] = value
		}
		seen[name] = true
	}
	if _, err := decoder.Token(); err != nil {
		return nil, errNoObject
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errNoObject
	}
	return a, nil
}

// text returns a member that must be a string, and "" if it is absent.
func (a answer) text(name string) (string, error) {
	value, ok := a[name]
	if !ok {
		return "", nil
	}
	var text string
	if json.Unmarshal(value, &text) != nil { // its error repeats the value
		return "", fmt.Errorf("%s in the answer is not a string: the provider must mend it", name)
	}
	return text, nil
}

// lifetime returns how long the token lives, at most [maxLifetime]. A whole number may be written
// as 3600, 3600.0, 3.6e3 or "3600".
func (a answer) lifetime() (time.Duration, error) {
	value, ok := a["expires_in"]
	if !ok {
		return unknownLifetime, nil
	}
	var digits string
	isString := json.Unmarshal(value, &digits) == nil
	if !isString {
		digits = string(value)
	}
	seconds, err := strconv.ParseUint(digits, 10, 63) // which takes no sign
	if err != nil && !isString {
		// It is JSON, and so neither hexadecimal nor infinite.
		var number float64
		number, err = strconv.ParseFloat(digits, 64)
		seconds = 0
		if number >= 1 && number < 1<<63 && number == math.Trunc(number) {
			seconds = uint64(number)
		}
	}
	if err != nil || seconds == 0 {
		return 0, errors.New("expires_in in the answer is not a whole number of seconds above zero: the provider must mend it, or leave it out")
	}
	return time.Duration(min(seconds, uint64(maxLifetime/time.Second))) * time.Second, nil
}
