package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// inProcess is a child process without a process.
func inProcess(ctx context.Context, plan floodPlan) (result floodResult, err error) {
	var in, out bytes.Buffer
	if err := json.NewEncoder(&in).Encode(plan); err != nil {
		return result, err
	}
	if err := serveFloodPlan(ctx, &in, &out); err != nil {
		return result, err
	}
	return result, json.Unmarshal(out.Bytes(), &result)
}

// TestGroups runs everything for a moment: a contender with a wrong answer would end it.
func TestGroups(t *testing.T) {
	t.Parallel()
	c := config{rounds: 2, budget: 100 * time.Microsecond, flood: 200 * time.Millisecond, forgers: 2, distinct: 100, messages: 100, child: inProcess}
	for _, g := range groups() {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			r := &report{out: io.Discard, contests: map[string]*standings{}}
			if err := runGroup(t.Context(), c, g, r); err != nil {
				t.Fatal(err)
			}
			if text := r.String(); !strings.Contains(text, "| ") || strings.Contains(text, "NaN") {
				t.Errorf("the report is\n%s", text)
			}
		})
	}
}

func TestNoSuchGroup(t *testing.T) {
	t.Parallel()
	err := runGroups(t.Context(), config{}, regexp.MustCompile("^none$"), &report{out: io.Discard})
	if err == nil || !strings.Contains(err.Error(), "verify") {
		t.Errorf("the error is %v", err)
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()
	unmarked := filepath.Join(t.TempDir(), "README.md")
	if err := os.WriteFile(unmarked, []byte("# Title\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"-rounds", "9"}, {"-groups", "("}, {"-groups", "^none$"}, {"-time", "0s"}, {"-flood", "-1s"}, {"-nonsense"}, {"verify"},
		{"-readme", unmarked}, {"-flood-client"},
	} {
		if err := run(t.Context(), args, strings.NewReader("no plan"), io.Discard); err == nil {
			t.Errorf("%q are accepted", args)
		}
	}
}

// TestFloodCountsRefusals makes sure that good callers who are refused are seen.
func TestFloodCountsRefusals(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	guard, err := i.guard()
	if err != nil {
		t.Fatal(err)
	}
	server, err := serve(t.Context(), documentsHandler(guard.HandlerOption()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.stop(); err != nil {
			t.Error(err)
		}
	}()
	b := &bench{config: config{flood: 200 * time.Millisecond}, issuer: i}
	plan := b.plan(server.url)
	plan.Forgers = 2
	plan.New = []string{i.member("ES384", "scope", "read:profile"), i.member("ES384")}
	result, err := inProcess(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	if result.Accepted == 0 || result.Refused != 0 || result.NewRefused != 1 || result.forged() != result.Reasons["TOKEN_INVALID"] {
		t.Errorf("the result is %+v", result)
	}
	plan.Good[0] = i.refusals("ES384")[expired]
	if _, err := inProcess(t.Context(), plan); err == nil || !strings.Contains(err.Error(), "TOKEN_EXPIRED") {
		t.Errorf("the error is %v", err)
	}
}
