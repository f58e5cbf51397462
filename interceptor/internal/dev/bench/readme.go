package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

const (
	beginMarker = "<!-- bench-peers: begin -->"
	endMarker   = "<!-- bench-peers: end -->"
)

// betweenMarkers returns a text in parts: up to the end of the first marker's line, what
// stands between the markers, and the rest.
func betweenMarkers(text string) (before, between, after string, err error) {
	begin, end := beginMarker+"\n", endMarker
	if strings.Count(text, beginMarker) != 1 || strings.Count(text, end) != 1 {
		return "", "", "", fmt.Errorf("the markers %s and %s must stand there once each", beginMarker, endMarker)
	}
	before, rest, ok := strings.Cut(text, begin)
	if !ok {
		return "", "", "", fmt.Errorf("%s must end its line", beginMarker)
	}
	between, after, ok = strings.Cut(rest, end)
	if !ok {
		return "", "", "", errors.New("the markers are the wrong way round")
	}
	return before + begin, between, end + after, nil
}

func checkMarkers(path string) error {
	text, err := os.ReadFile(path) //nolint:gosec // the file that the user asks for
	if err != nil {
		return err
	}
	if _, _, _, err := betweenMarkers(string(text)); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// replaceBetweenMarkers replaces the lines between the markers in a file.
func replaceBetweenMarkers(path, lines string) error {
	text, err := os.ReadFile(path) //nolint:gosec // the file that the user asks for
	if err != nil {
		return err
	}
	before, _, after, err := betweenMarkers(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(before+"\n"+strings.TrimSpace(lines)+"\n\n"+after), info.Mode().Perm()) //nolint:gosec // the file that the user asks for
}

// A headlineRow is one contest, in short.
type headlineRow struct {
	name, title, ours, keyfunc string
	// others are all that may be the best one besides keyfunc.
	others []string
}

func headlineRows() []headlineRow {
	peers := []string{nameGoOIDC, nameJWX, nameAuth0}
	var rows []headlineRow
	for _, algorithm := range algorithms {
		rows = append(rows,
			headlineRow{algorithm + " token, first call", verifyTitle(algorithm), nameUncached, nameKeyfunc, peers},
			headlineRow{algorithm + " token, later calls", verifyTitle(algorithm), nameOurs, nameKeyfunc, peers})
	}
	authn := []string{nameAuthnES384}
	return append(rows,
		headlineRow{"interceptor alone", guardTitleMember, nameOurs, nameKeyfuncES384, nil},
		headlineRow{"handler without a network", handlerTitle, nameOurs, nameKeyfuncES384, authn},
		headlineRow{"Connect call over loopback", loopbackTitle, nameOurs, nameKeyfuncES384, authn},
		headlineRow{"gRPC call over loopback", loopbackTitleGRPC, nameOurs, nameKeyfuncES384, authn},
		headlineRow{"expired token refused", refuseTitle(expired), nameOurs, nameKeyfunc, peers},
	)
}

// headline is what a README has room for.
func (r *report) headline() (string, error) {
	t := table{columns: []string{"", "protoauthz", nameKeyfunc, "best other", "ratio"}}
	for _, row := range headlineRows() {
		s, ok := r.contests[row.title]
		if !ok {
			return "", fmt.Errorf("the headline needs %q: run the groups verify, refuse, guard, handler and loopback", row.title)
		}
		cells, err := row.cells(s)
		if err != nil {
			return "", err
		}
		t.rows = append(t.rows, cells)
	}
	return r.date + ", " + r.machine + ". Times are medians; ratios, of our time to that of the fastest of the others, are medians of each round's, so not quite their quotients. ES384 unless said otherwise.\n\n" + t.String(), nil
}

func (h headlineRow) cells(s *standings) ([]string, error) {
	ours, oursErr := s.find(h.ours)
	keyfunc, keyfuncErr := s.find(h.keyfunc)
	err := errors.Join(oursErr, keyfuncErr)
	others := make([]standing, len(h.others))
	for n, name := range h.others {
		var otherErr error
		others[n], otherErr = s.find(name)
		err = errors.Join(err, otherErr)
	}
	if err != nil {
		return nil, err
	}
	faster := func(a, b standing) int {
		if a.median.nanoseconds < b.median.nanoseconds {
			return -1
		}
		return 1
	}
	best, fastest := "-", keyfunc
	if len(others) > 0 {
		other := slices.MinFunc(others, faster)
		best = duration(other.median.nanoseconds) + " (" + strings.TrimSuffix(other.contender, ", ES384") + ")"
		fastest = slices.MinFunc([]standing{keyfunc, other}, faster)
	}
	return []string{
		h.name, duration(ours.median.nanoseconds), duration(keyfunc.median.nanoseconds), best,
		ratio(medianRatio(ours.samples, fastest.samples)),
	}, nil
}
