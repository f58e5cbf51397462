package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

const (
	beginMarker = "<!-- bench-peers: begin -->"
	endMarker   = "<!-- bench-peers: end -->"
)

// aroundMarkers returns the text of a file up to the first marker, and from the second marker on.
func aroundMarkers(path string) (before, after string, err error) {
	text, err := os.ReadFile(path) //nolint:gosec // the file that the user asks for
	if err != nil {
		return "", "", err
	}
	before, rest, begun := strings.Cut(string(text), beginMarker+"\n")
	_, after, ended := strings.Cut(rest, endMarker)
	if !begun || !ended || strings.Count(string(text), beginMarker) != 1 || strings.Count(string(text), endMarker) != 1 {
		return "", "", fmt.Errorf("%s: there must be one line %s and, below, one %s", path, beginMarker, endMarker)
	}
	return before + beginMarker + "\n", endMarker + after, nil
}

// replaceBetweenMarkers replaces the lines between the markers of a file.
func replaceBetweenMarkers(path, lines string) error {
	before, after, err := aroundMarkers(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(before+"\n"+strings.TrimSpace(lines)+"\n\n"+after), 0o600) // keeps the mode of the file
}

// headlineRows are the rows of the table that a README has room for.
func headlineRows() []struct{ name, title, ours string } {
	return []struct{ name, title, ours string }{
		{"token, first call", verifyTitle(usual), nameUncached},
		{"token, later calls", verifyTitle(usual), nameOurs},
		{guardTitle, guardTitle, nameOurs},
		{"Connect call over loopback", loopbackTitle, nameOurs},
		{"gRPC call over loopback", loopbackTitleGRPC, nameOurs},
		{"expired token refused", refuseTitle(expired), nameOurs},
	}
}

// headline compares us with keyfunc and with the fastest other contender.
func (r *report) headline() (string, error) {
	t := table{columns: []string{"", nameOurs, nameKeyfunc, "best other", "ratio"}}
	for _, row := range headlineRows() {
		var ours, keyfunc, other *standing
		for _, s := range r.contests[row.title] {
			switch {
			case s.name == row.ours:
				ours = &s
			case s.name == nameKeyfunc:
				keyfunc = &s
			case s.name == nameOpen || strings.HasPrefix(s.name, nameOurs):
			case other == nil || s.median.nanoseconds < other.median.nanoseconds:
				other = &s
			}
		}
		if ours == nil || keyfunc == nil {
			return "", errors.New("-readme needs the groups verify, refuse, guard and loopback: " + row.title + " is missing")
		}
		best, fastest := "-", keyfunc
		if other != nil {
			best = duration(other.median.nanoseconds) + " (" + other.name + ")"
			if other.median.nanoseconds < keyfunc.median.nanoseconds {
				fastest = other
			}
		}
		t.rows = append(t.rows, []string{
			row.name, duration(ours.median.nanoseconds), duration(keyfunc.median.nanoseconds), best,
			digits(medianRatio(ours.samples, fastest.samples)),
		})
	}
	return r.origin + " Tokens are signed with " + usual + ". Times are medians. A ratio compares our time with the fastest other time: it is the median of the ratios of all rounds.\n\n" + t.String(), nil
}
