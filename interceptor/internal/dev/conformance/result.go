package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A result is the outcome of one run.
type result struct {
	passed map[string]bool
	// failed cases, with the runner's message.
	failed map[string]string
	// The servers that ran, the sum of their tallies, and their other output.
	servers int
	tally   *tally
	said    []string
}

// The lines that the runner writes when it expects every case to fail. Reasons are indented.
var (
	startedLine = regexp.MustCompile(`^Running \d+ tests with `)
	passedLine  = regexp.MustCompile(`^FAILED: (.+) was expected to fail but did not$`)
	failedLine  = regexp.MustCompile(`^(?:INFO: (.+) failed \(as expected\)|FAILED: (.+)):$`)
	totalLine   = regexp.MustCompile(`^Total cases: (\d+)$`)
)

// errUnclear means that the output of the runner, or a tally of a server, is incomplete.
var errUnclear = errors.New("it is not clear how it went")

// parse reads the output of the runner and the tallies of all servers.
func parse(stdout, stderr string) (*result, error) {
	r := &result{passed: map[string]bool{}, failed: map[string]string{}, tally: newTally()}
	var total int
	var failing string
	for line := range strings.Lines(stdout) {
		line = strings.TrimSuffix(line, "\n")
		if reason, ok := strings.CutPrefix(line, "\t"); ok && failing != "" {
			r.failed[failing] += reason + "\n"
			continue
		}
		failing = ""
		if name := passedLine.FindStringSubmatch(line); name != nil {
			r.passed[name[1]] = true
		} else if name := failedLine.FindStringSubmatch(line); name != nil {
			failing = name[1] + name[2]
			r.failed[failing] = ""
		} else if count := totalLine.FindStringSubmatch(line); count != nil {
			total, _ = strconv.Atoi(count[1])
		} else if startedLine.MatchString(line) {
			r.servers++
		}
	}
	if named := len(r.passed) + len(r.failed); total == 0 || named != total {
		return nil, fmt.Errorf("%w: the runner counts %d cases and names %d", errUnclear, total, named)
	}
	var tallies int
	for line := range strings.Lines(stderr) {
		if counts := newTally(); json.Unmarshal([]byte(line), counts) == nil {
			r.tally.add(counts)
			tallies++
		} else {
			r.said = append(r.said, line)
		}
	}
	if tallies != r.servers {
		return nil, fmt.Errorf("%w: %d servers ran, and %d brought their tally", errUnclear, r.servers, tallies)
	}
	return r, nil
}

// late reports whether a case of a timeout passed by a refusal that came too late: on a busy machine a
// refusal may take more than 200 ms.
func (r *result) late(name string) bool {
	return r.passed[name] && strings.HasPrefix(name, "Timeouts/") && r.tally.Handled == 0
}

func (r *result) String() string {
	var late int
	for name := range r.passed {
		if r.late(name) {
			late++
		}
	}
	s := fmt.Sprintf("%d of %d cases passed", len(r.passed)-late, len(r.passed)+len(r.failed))
	if late > 0 {
		s += fmt.Sprintf(", and %d that were refused too late", late)
	}
	return fmt.Sprintf("%s (%d servers, %s)", s, r.servers, r.tally)
}
