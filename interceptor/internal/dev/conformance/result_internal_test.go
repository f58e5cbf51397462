package main

import (
	"errors"
	"reflect"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor"
)

func TestParse(t *testing.T) {
	t.Parallel()
	const (
		stdout = "Computed 3 test case permutation(s) across 2 server configuration(s).\n" +
			"Running 2 tests with reference-client for server config #1 {HTTP_VERSION_1, PROTOCOL_CONNECT, TLS:false}...\n" +
			"Running 1 tests with grpc-reference-client for server config #1 {HTTP_VERSION_2, PROTOCOL_GRPC, TLS:false}...\n" +
			"FAILED: A/x/one was expected to fail but did not\n" +
			"INFO: A/x/two failed (as expected):\n\treceived an unexpected error:\n\tcode:CODE_INTERNAL\n" +
			"FAILED: B/y/three:\n\terror starting server: exit status 1\n" +
			"\n\n"
		end    = "Total cases: 3\n0 passed, 2 failed\n(Another 1 failed as expected due to being known failures/flakes.)\n"
		first  = `{"Requests": 3, "Admitted": 1, "Refused": {"TOKEN_MISSING": 1}, "Handled": 1, "Strangers": 1}` + "\n"
		second = `{"Requests": 2, "Admitted": 0, "Refused": {"TOKEN_MISSING": 2}, "Handled": 0, "Strangers": 0}` + "\n"
		noise  = "http: superfluous response.WriteHeader call\n"
	)
	whole := &result{
		passed: map[string]bool{"A/x/one": true},
		failed: map[string]string{
			"A/x/two":   "received an unexpected error:\ncode:CODE_INTERNAL\n",
			"B/y/three": "error starting server: exit status 1\n",
		},
		servers: 2,
		tally:   &tally{Requests: 5, Admitted: 1, Refused: map[interceptor.Reason]int{interceptor.ReasonTokenMissing: 3}, Handled: 1, Strangers: 1},
		said:    []string{noise},
	}
	for _, test := range []struct {
		name, stdout, stderr string
		want                 *result
		err                  error
	}{
		{"whole", stdout + end, first + noise + second, whole, nil},
		{"no count", stdout, first + second, nil, errUnclear},
		{"a case is not named", stdout + "Total cases: 4\n", first + second, nil, errUnclear},
		{"a server was killed", stdout + end, first, nil, errUnclear},
		{"nothing ran", "", "", nil, errUnclear},
	} {
		got, err := parse(test.stdout, test.stderr)
		if !errors.Is(err, test.err) || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got %v, %v\nwant %v, %v", test.name, got, err, test.want, test.err)
		}
	}
}
