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

// Issuer returns the issuer with the kept keys. It changes no file. The notes say who else could use the keys.
func (t *Tenant) Issuer(file string) (issuer *devissuer.Issuer, notes []string, err error) {
	keys, err := os.ReadFile(file) //nolint:gosec // the user names the file
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("%s does not exist: start protoauthz dev-issuer with the same -config and -keys, or start it again: at its start it writes the file", file)
	} else if err != nil {
		return nil, nil, unreadable(err)
	}
	issuer, err = t.issuer(keys, file)
	return issuer, noteOthers(file), err
}

// noteOthers notes that other users could use the keys of a file.
func noteOthers(file string) (notes []string) {
	if info, err := os.Stat(file); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		notes = append(notes, fmt.Sprintf("other users can read or write %s, and so make tokens: run chmod 600 %s", file, file))
	}
	return notes
}

func unreadable(err error) error {
	return fmt.Errorf("%w: let this user read the file, or name another with -keys", err)
}

// Open returns the issuer with the kept keys. Without a file of keys, Open makes the file. The notes say that the keys
// are new, or are not kept, and who else could use the keys.
func (t *Tenant) Open(file string) (issuer *devissuer.Issuer, notes []string, err error) {
	keys, err := os.ReadFile(file) //nolint:gosec // the user names the file
	isNew := errors.Is(err, fs.ErrNotExist)
	if isNew {
		keys, isNew, err = t.create(file)
		if err != nil {
			issuer, newErr := devissuer.New(t.URL, t.Config)
			return issuer, []string{notKept(file, err)}, newErr
		}
	} else if err != nil {
		return nil, nil, unreadable(err)
	}
	issuer, err = t.issuer(keys, file)
	if err != nil {
		return nil, nil, err
	}
	if isNew {
		notes = append(notes, "the keys are new, in "+file+": do not commit the file")
	}
	return issuer, append(notes, noteOthers(file)...), nil
}

// Rotate rotates the keys of an issuer, and writes the keys in place of the kept keys. The notes say that the kept keys
// were not the issuer's, and why the keys are not kept.
func (t *Tenant) Rotate(issuer *devissuer.Issuer, file string) (notes []string, err error) {
	if keys, err := os.ReadFile(file); err == nil { //nolint:gosec // the user names the file
		kept, err := t.issuer(keys, file)
		if err != nil || !bytes.Equal(kept.PrivateKeys(), issuer.PrivateKeys()) {
			notes = append(notes, fmt.Sprintf("%s has changed since this process used it, and this process writes its own keys over it: give each issuer that rotates a file of its own with -keys", file))
		}
	}
	if err := issuer.Rotate(); err != nil {
		return notes, fmt.Errorf("the keys are not rotated: %w", err)
	}
	return append(notes, keep(issuer, file)...), nil
}

func keep(issuer *devissuer.Issuer, file string) (notes []string) {
	temporary, err := writeKeys(file, issuer.PrivateKeys())
	if err == nil {
		if err = os.Rename(temporary, file); err != nil {
			_ = os.Remove(temporary)
		}
	}
	if err != nil {
		return []string{notKept(file, err)}
	}
	return nil
}

func notKept(file string, err error) string {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		err = path.Err // the path is temporary
	}
	return fmt.Sprintf("%s cannot be written (%v): the new key will be gone when this process ends, and protoauthz token does not know the key: name another file with -keys", file, err)
}

// issuer returns the issuer with the keys of a file. A fault is of the keys, or of the algorithm that they need.
func (t *Tenant) issuer(keys []byte, file string) (*devissuer.Issuer, error) {
	config := t.Config
	config.Keys = keys
	issuer, err := devissuer.New(t.URL, config)
	if f, ok := errors.AsType[*devissuer.Fault](err); ok && f.Field == "SigningAlgorithm" {
		return nil, fmt.Errorf("%s: signingAlgorithm: %s (the file %s)", t.Where("signingAlgorithm"), f.Detail, file)
	}
	faults := faultsOf(err)
	if len(faults) == 0 {
		return issuer, err
	}
	if faults[0].Field == "Keys" {
		return nil, fmt.Errorf("%s holds no keys of protoauthz dev-issuer: name another file with -keys or, if nothing else needs the file, remove it, and protoauthz dev-issuer makes new keys", file)
	}
	texts := make([]string, len(faults))
	for n, f := range faults {
		texts[n] = fmt.Sprintf("%s: %s: %s", file, memberPath(f.Field), f.Detail)
	}
	return nil, errors.New(strings.Join(texts, "\n") + ": remove the file, and protoauthz dev-issuer makes new keys")
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
