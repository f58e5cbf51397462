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

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
)

// unknownLifetime is the lifetime of a token whose response has no expires_in.
const unknownLifetime = 1 * time.Minute

// members are the members that are read (RFC 6749 sections 5.1 and 5.2).
var members = []string{"access_token", "token_type", "expires_in", "error"}

// A tokenResponse is a response of the token endpoint, by the exact names of its members: encoding/json would
// take ACCESS_TOKEN for access_token. A null member is absent.
type tokenResponse map[string]json.RawMessage

// readResponse reads a response. Errors repeat nothing of the body.
func readResponse(body []byte) (tokenResponse, error) {
	noObject := func() (tokenResponse, error) {
		return nil, fmt.Errorf("the answer is %w", endpoint.NotJSON(body, advice))
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	if start, _ := decoder.Token(); start != json.Delim('{') {
		return noObject()
	}
	response, seen := tokenResponse{}, map[json.Token]bool{}
	for decoder.More() {
		var value json.RawMessage
		token, err := decoder.Token()
		if err != nil || decoder.Decode(&value) != nil {
			return noObject()
		}
		name, _ := token.(string)
		switch {
		case !slices.Contains(members, name):
			continue
		case seen[name]:
			return nil, fmt.Errorf("%s stands twice in the answer: the provider must correct it", name)
		case string(value) != "null":
			response[name] = value
		}
		seen[name] = true
	}
	if _, err := decoder.Token(); err != nil {
		return noObject()
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return noObject()
	}
	return response, nil
}

// text returns a string member, or "" if the member is absent.
func (r tokenResponse) text(name string) (string, error) {
	value, ok := r[name]
	if !ok {
		return "", nil
	}
	var text string
	if json.Unmarshal(value, &text) != nil { // its error repeats the value
		return "", fmt.Errorf("%s in the answer is not a string: the provider must correct it", name)
	}
	return text, nil
}

// lifetime returns the lifetime of the token, at most [maxLifetime]. It accepts 3600, 3600.0, 3.6e3
// and "3600".
func (r tokenResponse) lifetime() (time.Duration, error) {
	value, ok := r["expires_in"]
	if !ok {
		return unknownLifetime, nil
	}
	var digits string
	isString := json.Unmarshal(value, &digits) == nil
	if !isString {
		digits = string(value)
	}
	seconds, err := strconv.ParseUint(digits, 10, 63) // accepts no sign
	tooLarge := errors.Is(err, strconv.ErrRange)
	if err != nil && !isString {
		// ParseFloat accepts hexadecimal numbers and NaN too, but JSON does not.
		var number float64
		number, err = strconv.ParseFloat(digits, 64)
		tooLarge = number >= 1<<63 // also infinity
		if number >= 1 && number == math.Trunc(number) {
			seconds = uint64(number)
		}
	}
	switch {
	case tooLarge:
		return 0, errors.New("expires_in in the answer is larger than 2^63-1 seconds: the provider must correct it, or leave it out")
	case err != nil || seconds == 0:
		return 0, errors.New("expires_in in the answer is not a whole number of seconds above zero: the provider must correct it, or leave it out")
	}
	return time.Duration(min(seconds, uint64(maxLifetime/time.Second))) * time.Second, nil
}
