package tenant

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/devissuer"
)

// KeysFile returns the name of the file of the keys of a tenant, given the name of the tenant's file.
func KeysFile(config string) string {
	return strings.TrimSuffix(config, filepath.Ext(config)) + ".keys.json"
}

// ErrNoKeys is the error of [Tenant.Issuer] without a file of keys.
var ErrNoKeys = errors.New("there are no keys")

// Issuer returns the issuer with the kept keys. It changes no file.
func (t *Tenant) Issuer(file string) (*devissuer.Issuer, error) {
	keys, err := os.ReadFile(file) //nolint:gosec // the user names the file
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", file, ErrNoKeys)
	} else if err != nil {
		return nil, err
	}
	issuer, isKept, err := t.with(keys, file)
	if err == nil && !isKept {
		return nil, fmt.Errorf("%s: %w of algorithm %s", file, ErrNoKeys, t.SigningAlgorithm)
	}
	return issuer, err
}

// Open returns the issuer with the kept keys. Without a file of keys, Open makes the file. The notes say why the keys
// are not the kept ones, and who else could use the keys.
func (t *Tenant) Open(file string) (issuer *devissuer.Issuer, notes []string, err error) {
	keys, err := os.ReadFile(file) //nolint:gosec // the user names the file
	isNew := errors.Is(err, fs.ErrNotExist)
	if isNew {
		keys, isNew, err = t.create(file)
		if err != nil {
			issuer, newErr := devissuer.New(t.URL, t.Config)
			return issuer, []string{gone(file, "the keys", err)}, newErr
		}
	} else if err != nil {
		return nil, nil, fmt.Errorf("%w: let this user read the file, or name another with -keys", err)
	}
	issuer, isKept, err := t.with(keys, file)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case isNew:
		notes = append(notes, "the keys are new, in "+file+": do not commit the file")
	case !isKept:
		notes = append(notes, fmt.Sprintf("%s has keys of another algorithm than %s: a new key signs, and the old key still verifies", file, t.SigningAlgorithm))
		notes = append(notes, t.Keep(issuer, file)...)
	}
	if info, err := os.Stat(file); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		notes = append(notes, fmt.Sprintf("other users can read or write %s, and so make tokens: run chmod 600 %s", file, file))
	}
	return issuer, notes, nil
}

// Keep writes the keys of an issuer in place of the kept keys. The note says that they are not kept, and why.
func (t *Tenant) Keep(issuer *devissuer.Issuer, file string) (notes []string) {
	temporary, err := writeKeys(file, issuer.PrivateKeys())
	if err == nil {
		if err = os.Rename(temporary, file); err != nil {
			_ = os.Remove(temporary)
		}
	}
	if err != nil {
		return []string{gone(file, "the new key", err)}
	}
	return nil
}

func gone(file, what string, err error) string {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		err = path.Err // the path is temporary
	}
	return fmt.Sprintf("%s cannot be written (%v): %s will be gone when this process ends, and protoauthz token does not know it: name a file that can be written with -keys", file, err, what)
}

// with returns the issuer with some keys, unless they are of another algorithm.
func (t *Tenant) with(keys []byte, file string) (issuer *devissuer.Issuer, isKept bool, err error) {
	config := t.Config
	config.Keys = keys
	kept, err := devissuer.New(t.URL, devissuer.Config{Keys: keys})
	if err != nil {
		return nil, false, fmt.Errorf("%s: %w: remove the file, and protoauthz dev-issuer makes new keys", file, err)
	}
	issuer, err = devissuer.New(t.URL, config)
	return issuer, err == nil && bytes.Equal(kept.PrivateKeys(), issuer.PrivateKeys()), err
}

// create makes a file with a new key. If another process has made the file, its keys are returned.
func (t *Tenant) create(file string) (keys []byte, isNew bool, err error) {
	issuer, err := devissuer.New(t.URL, t.Config)
	if err != nil {
		return nil, false, err
	}
	temporary, err := writeKeys(file, issuer.PrivateKeys())
	if err != nil {
		return nil, false, err
	}
	err = os.Link(temporary, file) // in one step, and only if there is no such file
	isNew = err == nil
	if err != nil && !errors.Is(err, fs.ErrExist) {
		err = os.Rename(temporary, file) // the file system has no links
		isNew = err == nil
	}
	_ = os.Remove(temporary)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, false, err
	}
	keys, err = os.ReadFile(file) //nolint:gosec // the user names the file
	return keys, isNew, err
}

// writeKeys writes a JWK Set into a new file of this user alone, beside the file that it is for.
func writeKeys(file string, set []byte) (temporary string, err error) {
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*") // of mode 0600
	if err != nil {
		return "", err
	}
	_, err = f.Write(withComment(set))
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(f.Name())
	}
	return f.Name(), err
}

// withComment returns a JWK Set with one key on a line. A set may have further members (RFC 7517 section 5).
func withComment(set []byte) []byte {
	var keys struct {
		Comment string            `json:"$comment"`
		Keys    []json.RawMessage `json:"keys"`
	}
	_ = json.Unmarshal(set, &keys) // devissuer has written it
	keys.Comment = "private keys of protoauthz dev-issuer, for development alone: do not commit this file, list it in .gitignore"
	text, _ := json.MarshalIndent(keys, "", "  ") // texts have a JSON form
	return append(text, '\n')
}
