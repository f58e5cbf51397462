package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
)

// TestMain is the program itself for the clients of a flood.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args, "-flood-client") {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestGroups runs everything for a moment: a wrong answer of a contender would end it.
func TestGroups(t *testing.T) {
	t.Parallel()
	c := config{rounds: 2, budget: 100 * time.Microsecond, flood: 200 * time.Millisecond, forgers: 2}
	for _, g := range groups() {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			r := newReport(io.Discard)
			if err := runGroup(t.Context(), c, g, r); err != nil {
				t.Fatal(err)
			}
			if text := r.text.String(); !strings.Contains(text, "| ") || strings.Contains(text, "NaN") {
				t.Errorf("the report is\n%s", text)
			}
		})
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()
	unmarked := filepath.Join(t.TempDir(), "README.md")
	if err := os.WriteFile(unmarked, []byte("# Title\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"-rounds", "0"}, "-rounds, -time and -flood must be positive"},
		{[]string{"-time", "0s"}, "-rounds, -time and -flood must be positive"},
		{[]string{"-flood", "-1s"}, "-rounds, -time and -flood must be positive"},
		{[]string{"-groups", "("}, "-groups: error parsing regexp"},
		{[]string{"-groups", "^none$"}, "-groups: there are only verify, "},
		{[]string{"-nonsense"}, "flag provided but not defined"},
		{[]string{"verify"}, `arguments ["verify"]`},
		{[]string{"-out", unmarked}, unmarked + ": there must be one line"},
		{[]string{"-readme", unmarked}, unmarked + ": there must be one line"},
		{[]string{"-flood-client"}, "invalid character"},
	} {
		err := run(t.Context(), test.args, strings.NewReader("no plan"), io.Discard)
		if err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%q: the error is %v", test.args, err)
		}
	}
}

// TestFloodSeesWrongAnswers makes sure that refusals of good callers are seen, and forged tokens that are
// let in.
func TestFloodSeesWrongAnswers(t *testing.T) {
	t.Parallel()
	b := startBench(t, config{flood: 200 * time.Millisecond, forgers: 2})
	plan := func(options ...connect.HandlerOption) floodPlan {
		url, err := b.serve(t.Context(), documentsHandler(options...))
		if err != nil {
			t.Fatal(err)
		}
		plan := b.plan(url)
		plan.Forgers, plan.New = b.forgers, slices.Repeat([]string{b.issuer.token(floodAlgorithm, "scope", "read:profile")}, 10)
		return plan
	}
	guarded := plan(b.guard.HandlerOption())
	result, err := guarded.runInChild(t.Context())
	if err != nil || len(result.Good.Took) == 0 || result.Good.Refused != 0 || len(result.New.Took) != 0 || result.New.Refused == 0 ||
		len(result.Forged.Took) != 0 || !strings.Contains(result.Forged.Refusal, "TOKEN_INVALID") {
		t.Errorf("%v, the result is %+v", err, result)
	}
	guarded.Good[0] = b.issuer.refusals(floodAlgorithm)[expired]
	if _, err := guarded.run(t.Context()); err == nil || !strings.Contains(err.Error(), "TOKEN_EXPIRED") {
		t.Errorf("with an expired token the error is %v", err)
	}
	guarded.URL, guarded.Good = b.issuer.issuerURL+"/none", nil
	if _, err := guarded.run(t.Context()); err == nil || !strings.Contains(err.Error(), "not an answer of the guard: status 404") {
		t.Errorf("with another server the error is %v", err)
	}
	if _, err := plan().run(t.Context()); !errors.Is(err, errAccepted) {
		t.Errorf("without a guard the error is %v", err)
	}
}
