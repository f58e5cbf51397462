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
		{"two begins", beginMarker + "\n" + beginMarker + "\n" + endMarker, ""},
		{"not a line", beginMarker + " a\n" + endMarker + "\n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "README.md")
			if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			err := replaceBetweenMarkers(path, "new\n")
			got, readErr := os.ReadFile(path)
			if readErr != nil {
				t.Fatal(readErr)
			}
			want := test.want
			if want == "" {
				want = test.text // is left alone
			}
			if string(got) != want || (err == nil) != (test.want != "") {
				t.Errorf("%v, became\n%s", err, got)
			}
		})
	}
	if replaceBetweenMarkers(filepath.Join(t.TempDir(), "README.md"), "new") == nil {
		t.Error("a missing file is not an error")
	}
}

func TestHeadline(t *testing.T) {
	t.Parallel()
	r := newReport(nil)
	r.origin = "2026-01-02, a machine."
	c := contest{contenders: []contender{{name: nameOpen}, {name: nameUncached}, {name: nameOurs}, {name: nameKeyfunc}, {name: "slow"}, {name: "other"}}}
	samples := [][]sample{taking(1, 1), taking(2e6, 2e6), taking(1e6, 1e6), taking(4e6, 4e6), taking(9e6, 9e6), taking(5e6, 5e6)}
	for _, row := range headlineRows() {
		r.contests[row.title] = c.stand(samples)
	}
	samples[5] = taking(2e6, 2e6) // other than keyfunc is faster
	r.contests[loopbackTitle] = c.stand(samples)
	c.contenders = c.contenders[:4]
	r.contests[guardTitle] = c.stand(samples[:4])
	text, err := r.headline()
	if err != nil {
		t.Fatal(err)
	}
	_, rows, _ := strings.Cut(text, "|\n|")
	if n := strings.Count(rows, "|\n") - 1; n > 6 {
		t.Errorf("%d rows: a README has room for 6", n)
	}
	words := strings.Join(strings.Fields(text), " ")
	for _, want := range []string{
		"2026-01-02, a machine.",
		"| token, first call | 2.00 ms | 4.00 ms | 5.00 ms (other) | 0.500 |",
		"| token, later calls | 1.00 ms | 4.00 ms | 5.00 ms (other) | 0.250 |",
		"| interceptor alone | 1.00 ms | 4.00 ms | - | 0.250 |",
		"| Connect call over loopback | 1.00 ms | 4.00 ms | 2.00 ms (other) | 0.500 |",
		"| gRPC call over loopback | 1.00 ms | 4.00 ms | 5.00 ms (other) | 0.250 |",
		"| expired token refused | 1.00 ms | 4.00 ms | 5.00 ms (other) | 0.250 |",
	} {
		if !strings.Contains(words, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	delete(r.contests, guardTitle)
	if _, err := r.headline(); err == nil || !strings.Contains(err.Error(), guardTitle) {
		t.Errorf("without a contest the error is %v", err)
	}
}
