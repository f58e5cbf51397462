package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMarkers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, text, want string }{
		{"empty", "a\n" + beginMarker + "\n" + endMarker + "\nb\n", "a\n" + beginMarker + "\n\nnew\n\n" + endMarker + "\nb\n"},
		{"filled", beginMarker + "\nold\n| 1 |\n" + endMarker, beginMarker + "\n\nnew\n\n" + endMarker},
		{"none", "a\nb\n", ""},
		{"no end", beginMarker + "\na\n", ""},
		{"no begin", "a\n" + endMarker + "\n", ""},
		{"wrong way round", endMarker + "\n" + beginMarker + "\n", ""},
		{"twice", strings.Repeat(beginMarker+"\n"+endMarker+"\n", 2), ""},
		{"not a line", beginMarker + " a\n" + endMarker + "\n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "README.md")
			if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			checkErr, err := checkMarkers(path), replaceBetweenMarkers(path, "new\n")
			got, readErr := os.ReadFile(path)
			if readErr != nil {
				t.Fatal(readErr)
			}
			want := test.want
			if want == "" {
				want = test.text // is left alone
			}
			if string(got) != want || (err == nil) != (test.want != "") || (checkErr == nil) != (err == nil) {
				t.Errorf("%v, %v, became\n%s", checkErr, err, got)
			}
		})
	}
	if checkMarkers(filepath.Join(t.TempDir(), "README.md")) == nil {
		t.Error("a file that is not there is no error")
	}
}

// contestsOfHeadline are made up: everybody takes as many milliseconds as their place.
func contestsOfHeadline(t *testing.T) map[string]*standings {
	t.Helper()
	contests := map[string]*standings{}
	for _, row := range headlineRows() {
		c := contest{title: row.title, contenders: named(append([]string{nameOurs, nameUncached, row.keyfunc}, row.others...)...), reference: nameOurs}
		var samples [][]sample
		for n := range c.contenders {
			samples = append(samples, taking(1e6*float64(n+1), 1e6*float64(n+1)))
		}
		s, err := c.stand(samples)
		if err != nil {
			t.Fatal(err)
		}
		contests[row.title] = s
	}
	return contests
}

func TestHeadline(t *testing.T) {
	t.Parallel()
	r := &report{date: "2026-01-02", machine: "a machine", contests: contestsOfHeadline(t)}
	text, err := r.headline()
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(strings.TrimSpace(text), "\n") + 3; lines > 20 {
		t.Errorf("%d lines with an empty one before and after", lines)
	}
	words := strings.Join(strings.Fields(text), " ")
	for _, want := range []string{
		"2026-01-02, a machine.",
		"| RS256 token, first call | 2.00 ms | 3.00 ms | 4.00 ms (go-oidc) | 0.67 |",
		"| RS256 token, later calls | 1.00 ms | 3.00 ms | 4.00 ms (go-oidc) | 0.33 |",
		"| interceptor alone | 1.00 ms | 3.00 ms | - | 0.33 |",
		"| gRPC call over loopback | 1.00 ms | 3.00 ms | 4.00 ms (connect authn + keyfunc) | 0.33 |",
		"| expired token refused | 1.00 ms | 3.00 ms | 4.00 ms (go-oidc) | 0.33 |",
	} {
		if !strings.Contains(words, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	delete(r.contests, handlerTitle)
	if _, err := r.headline(); err == nil || !strings.Contains(err.Error(), handlerTitle) {
		t.Errorf("without a contest the error is %v", err)
	}
}
