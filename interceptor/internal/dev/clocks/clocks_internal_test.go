package main

import (
	"bytes"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "../../../.."

// TestList makes sure that the list holds each test that looks at a real clock, and no other test.
func TestList(t *testing.T) {
	t.Parallel()
	found, err := find(root)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := read(root)
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{} // true once there is a use
	for _, r := range rows {
		for _, function := range r.functions {
			key := r.file + " " + function
			if _, ok := listed[key]; ok {
				t.Errorf("%s is listed twice", key)
			}
			listed[key] = false
		}
		for folder, tests := range r.tests {
			for _, test := range tests {
				if !declares(t, folder, test) {
					t.Errorf("%s: no %s in %s", r.file, test, folder)
				}
			}
		}
	}
	for _, u := range found {
		key := u.file + " " + u.function
		if _, ok := listed[key]; !ok {
			t.Errorf("%s: decide by an event, use a bubble, or give its bound in %s", u, list)
		}
		listed[key] = true
	}
	for key, used := range listed {
		if !used {
			t.Errorf("%s looks at no real clock: take its row out of %s", key, list)
		}
	}
}

// declares reports whether a test is declared in a folder.
func declares(t *testing.T, folder, test string) bool {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(paths, func(path string) bool {
		text, err := os.ReadFile(path)
		return err == nil && bytes.Contains(text, []byte("\nfunc "+test+"("))
	})
}

// TestUses makes sure that real clocks are found, and clocks of bubbles are not.
func TestUses(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{
		`_ = time.Now()`:                                  "time.Now",
		`f := time.Since; _ = f`:                          "time.Since",
		`runtime.Gosched()`:                               "runtime.Gosched",
		`c.SetReadDeadline(in)`:                           "SetReadDeadline",
		`c.WaitDelay = time.Second`:                       "WaitDelay",
		`_ = http.Client{Timeout: 1}`:                     "Timeout",
		`context.WithTimeout(ctx, 2*time.Minute)`:         "context.WithTimeout",
		`harness.Expiring(t, 2*time.Second)`:              "Expiring",
		`time.AfterFunc(1, func() { time.Sleep(2) })`:     "time.AfterFunc time.Sleep",
		`t.Run("", func() { <-time.After(time.Hour+1) })`: "time.After",

		`time.Sleep(2) // the bubble's clock`:          "",
		`synctest.Test(t, func() { time.Sleep(2) })`:   "",
		`bubble(t, "", func() { time.Sleep(2) })`:      "",
		`_ = time.Now().Add(-time.Hour)`:               "",
		`context.WithTimeout(ctx, time.Hour)`:          "",
		`harness.Expiring(t, time.Minute)`:             "",
		`_ = view{Deadline: claims.Deadline().Unix()}`: "",
	} {
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, "", "package p\nfunc f() {\n"+code+"\n}\n", parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, u := range inFile(files, file) {
			if got = append(got, u.what); u.function != "f" || u.line != 3 {
				t.Errorf("%s: %s", code, u)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %s", code, got, want)
		}
	}
}

// TestRun makes sure that each package is printed with its module.
func TestRun(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := run(root, &out); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		". ./interceptor/grpcguard ^(TestCatalogue|TestSendLeftBehind)$\n",
		"interceptor/cmd ./protoauthz/internal/explain ^(TestCatalogue|TestUnverified)$\n",
	} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("no line %s in\n%s", line, &out)
		}
	}
}
