package main

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	annotations "github.com/protoauthz/protoauthz/proto"
)

func TestVendor(t *testing.T) {
	t.Parallel()
	crlf := strings.ReplaceAll(annotations.Authz, "\n", "\r\n")
	for _, test := range []struct {
		name, before, says, after string
	}{
		{"new", "", "new", annotations.Authz},
		{"same", annotations.Authz, "same as before", annotations.Authz},
		{"CRLF", crlf, "same as before", crlf},
		{"older", strings.Replace(annotations.Authz, "404209324", "91731", 1), "replaced", annotations.Authz},
		{"a trailing line", annotations.Authz + "\n", "replaced", annotations.Authz},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, "protoauthz", "v1", "authz.proto")
			if test.before != "" {
				writeIn(t, dir, "protoauthz/v1/authz.proto", test.before)
			}
			got := execute(t, nil, "vendor", dir)
			if want := file + ": " + test.says + "\n"; got != (result{exitOK, want, ""}) {
				t.Errorf("got %+v, want %q", got, want)
			}
			if after, err := os.ReadFile(file); err != nil || string(after) != test.after {
				t.Errorf("%v, the file is\n%s", err, after)
			}
		})
	}
}

// TestVendorRefused makes sure that a folder is named, and that nothing is written otherwise.
func TestVendorRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := write(t, "file", nil)
	third := t.TempDir()
	copied := filepath.Join(third, "protoauthz", "v1")
	writeIn(t, copied, "authz.proto", annotations.Authz)
	for _, test := range []struct {
		args []string
		says string
	}{
		{nil, "give the folder"},
		{[]string{""}, "give the folder"},
		{[]string{dir, dir}, "give the folder"},
		{[]string{filepath.Join(dir, "missing")}, "make the folder first"},
		{[]string{file}, file + " is a file: name a folder"},
		{[]string{copied}, copied + " is a part of protoauthz/v1/authz.proto: name the folder above, as in protoauthz vendor " + third},
		{[]string{filepath.Dir(copied)}, "as in protoauthz vendor " + third},
		{[]string{filepath.Dir(copied) + "/."}, "as in protoauthz vendor " + third},
	} {
		got := execute(t, nil, append([]string{"vendor"}, test.args...)...)
		if got.status != exitFailed || got.stdout != "" || !strings.Contains(got.stderr, test.says) {
			t.Errorf("%q: got %+v, want %q", test.args, got, test.says)
		}
	}
	for _, link := range []string{"protoauthz", "protoauthz/v1", "protoauthz/v1/authz.proto"} {
		dir, outside := t.TempDir(), t.TempDir()
		name := filepath.Join(dir, filepath.FromSlash(link))
		target := filepath.Join(outside, filepath.Base(link))
		if path.Ext(link) == "" {
			if err := os.Mkdir(target, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.Symlink(target, name)); err != nil {
			t.Fatal(err)
		}
		if got := execute(t, nil, "vendor", dir); got.status != exitFailed || got.stdout != "" || !strings.Contains(got.stderr, dir) {
			t.Errorf("%s is a link: got %+v", link, got)
		}
		for _, left := range []string{target, filepath.Join(target, "v1", "authz.proto"), filepath.Join(target, "authz.proto")} {
			if info, err := os.Stat(left); err == nil && !info.IsDir() {
				t.Errorf("%s is a link: %s is written", link, left)
			}
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("%v, written: %v", err, entries)
	}
}

// writeIn writes a file below a folder.
func writeIn(t testing.TB, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
