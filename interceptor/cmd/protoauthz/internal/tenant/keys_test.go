package tenant_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/tenant"
	"github.com/protoauthz/protoauthz/interceptor/devissuer"
)

func ids(t testing.TB, issuer *devissuer.Issuer) (ids []string) {
	t.Helper()
	var set struct {
		Keys []struct{ Kid, Alg string }
	}
	if err := json.Unmarshal(issuer.PrivateKeys(), &set); err != nil {
		t.Fatal(err)
	}
	for _, key := range set.Keys {
		ids = append(ids, key.Alg+" "+key.Kid)
	}
	return ids
}

func open(t testing.TB, of *tenant.Tenant, file string) (*devissuer.Issuer, string) {
	t.Helper()
	issuer, notes, err := of.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	return issuer, strings.Join(notes, "\n")
}

func TestKeysAreKept(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "tenant.keys.json")
	of := parse(t, `{}`)
	if _, _, err := of.Issuer(file); err == nil || !strings.HasPrefix(err.Error(), file+" does not exist: start protoauthz dev-issuer with the same -config") {
		t.Errorf("without a file: %v", err)
	}
	first, note := open(t, of, file)
	if note != "the keys are new, in "+file+": do not commit the file" {
		t.Errorf("first start: %q", note)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	text, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(text), "do not commit this file") {
		t.Errorf("%s, %v", text, err)
	}

	second, note := open(t, of, file)
	third, _, err := of.Issuer(file)
	if err != nil || note != "" || !slices.Equal(ids(t, first), ids(t, second)) || !slices.Equal(ids(t, first), ids(t, third)) {
		t.Errorf("second start: %q, %v: %q, then %q and %q", note, err, ids(t, first), ids(t, second), ids(t, third))
	}

	for _, test := range []struct {
		issuer *devissuer.Issuer
		want   string
	}{
		{second, ""},
		{second, ""},
		{first, file + " has changed since this process used it, and this process writes its own keys over it: give each issuer that rotates a file of its own with -keys"},
		{second, file + " has changed since this process used it, and this process writes its own keys over it: give each issuer that rotates a file of its own with -keys"},
	} {
		if notes, err := of.Rotate(test.issuer, file); err != nil || strings.Join(notes, "\n") != test.want {
			t.Errorf("%v, %q, want %q", err, notes, test.want)
		}
	}
	if fourth, note := open(t, of, file); note != "" || len(ids(t, fourth)) != 2 || !slices.Equal(ids(t, second), ids(t, fourth)) {
		t.Errorf("after rotation: %q: %q, then %q", note, ids(t, second), ids(t, fourth))
	}
	left, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(left) != 1 {
		t.Errorf("files are left: %v, %v", left, err)
	}
}

// TestKeysOfAnotherAlgorithm makes sure that the kept keys stay, and that the error names the member to change.
func TestKeysOfAnotherAlgorithm(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "k.json")
	first, _ := open(t, parse(t, `{"signingAlgorithm": "ES256"}`), file)
	of := parse(t, "{\n\"signingAlgorithm\": \"ES384\"}")
	_, _, openErr := of.Open(file)
	_, _, readErr := of.Issuer(file)
	for _, err := range []error{openErr, readErr} {
		want := "tenant.json:2: signingAlgorithm: the first key is of ES256: write that algorithm, or remove the keys (the file " + file + ")"
		if err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if second, note := open(t, parse(t, `{}`), file); note != "" || !slices.Equal(ids(t, first), ids(t, second)) {
		t.Errorf("%q: %q, then %q", note, ids(t, first), ids(t, second))
	}
}

func TestBrokenKeys(t *testing.T) {
	t.Parallel()
	of := parse(t, `{}`)
	const (
		none   = " holds no keys of protoauthz dev-issuer: name another file with -keys or, if nothing else needs the file, remove it, and protoauthz dev-issuer makes new keys"
		broken = ": keys[0]: the private key is missing, broken, or does not fit the public key: remove the file, and protoauthz dev-issuer makes new keys"
	)
	for text, want := range map[string]string{"": none, "s3cret": none, `{"keys": []}`: none, `{"audience": "s3cret"}`: none, `{"keys": [{"kty": "EC", "crv": "P-384", "d": "s3cret"}]}`: broken} {
		file := filepath.Join(t.TempDir(), "k.json")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, openErr := of.Open(file)
		_, _, readErr := of.Issuer(file)
		for _, err := range []error{openErr, readErr} {
			if err == nil || err.Error() != file+want {
				t.Errorf("%q: %v, want %s", text, err, want)
			}
		}
		if kept, err := os.ReadFile(file); string(kept) != text || err != nil {
			t.Errorf("%q has become %q, %v", text, kept, err)
		}
	}
}

// TestKeysCannotBeWritten makes sure that an issuer runs on without a file, as on a read-only file system.
func TestKeysCannotBeWritten(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "missing", "k.json")
	of := parse(t, `{}`)
	issuer, note := open(t, of, file)
	const why = " cannot be written (no such file or directory): "
	const what = "the new key will be gone when this process ends, and protoauthz token does not know the key: name another file with -keys"
	if want := file + why + what; note != want {
		t.Errorf("%q, want %q", note, want)
	}
	if len(ids(t, issuer)) != 1 {
		t.Error("there is no key")
	}
	if notes, err := of.Rotate(issuer, file); err != nil || strings.Join(notes, "\n") != file+why+what {
		t.Errorf("%v, %q, want %q", err, notes, file+why+what)
	}
}

func TestKeysCannotBeRead(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	of := parse(t, `{}`)
	if _, _, err := of.Open(folder); err == nil || !strings.Contains(err.Error(), folder) || !strings.Contains(err.Error(), "-keys") {
		t.Errorf("%v", err)
	}
	if _, _, err := of.Issuer(folder); err == nil || !strings.Contains(err.Error(), folder) || !strings.Contains(err.Error(), "-keys") {
		t.Errorf("%v", err)
	}
}

func TestOthersCanReadKeys(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "k.json")
	of := parse(t, `{}`)
	open(t, of, file)
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		_, note := open(t, of, file)
		_, notes, err := of.Issuer(file)
		for _, got := range []string{note, strings.Join(notes, "\n")} {
			if err != nil || got != "other users can read or write "+file+", and so make tokens: run chmod 600 "+file {
				t.Errorf("%o: %q, %v", mode, got, err)
			}
		}
	}
}

// TestStartsAgree makes sure that issuers that start at the same time have the same key, and that one of them says
// that it is new.
func TestStartsAgree(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "k.json")
	of := parse(t, `{"signingAlgorithm": "ES256"}`)
	const starts = 16
	keys, notes := make([]string, starts), make([]string, starts)
	var group sync.WaitGroup
	for n := range starts {
		group.Go(func() {
			issuer, note, err := of.Open(file)
			if err != nil {
				t.Error(err)
				return
			}
			keys[n], notes[n] = string(issuer.PrivateKeys()), strings.Join(note, "\n")
		})
	}
	group.Wait()
	slices.Sort(notes)
	if len(slices.Compact(keys)) != 1 || len(slices.Compact(notes)) != 2 || notes[1] == "" {
		t.Errorf("%d keys, notes %q", len(slices.Compact(keys)), notes)
	}
}
