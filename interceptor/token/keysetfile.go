package token

import (
	"errors"
	"net/url"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
)

// hasKeySetFile reports whether the key set is a file.
func (i *Issuer) hasKeySetFile() bool { return strings.HasPrefix(i.KeySetURL, "file:") }

// keySetFile returns the name of the key set's file (RFC 8089).
func (i *Issuer) keySetFile() (string, error) {
	const write = ": write the absolute path of a file of this machine, such as file:///etc/keys/jwks.json"
	u, err := url.Parse(i.KeySetURL)
	switch {
	case strings.ContainsFunc(i.KeySetURL, unicode.IsSpace):
		return "", errors.New("it holds white space: write a space as %20, and remove a line break at its end")
	case strings.ContainsAny(i.KeySetURL, "?#"):
		return "", errors.New("it has a query or a fragment: write ? as %3F and # as %23 if the file's name has it")
	case err != nil:
		return "", errors.New("it cannot be parsed" + write)
	case !strings.HasPrefix(i.KeySetURL, "file:///") && !strings.HasPrefix(i.KeySetURL, "file://localhost/"):
		return "", errors.New("it is not the absolute path of a file, or is on another host" + write)
	case strings.HasSuffix(u.Path, "/"):
		return "", errors.New("it names no file" + write)
	}
	if name := filepath.FromSlash(u.Path[1:]); filepath.VolumeName(name) != "" { // of Windows: file:///C:/keys/jwks.json
		return name, nil
	}
	return filepath.FromSlash(u.Path), nil
}

// checkKeySetFile refuses fields that serve a fetch alone. CAFile may serve introspection.
func (c *compiler) checkKeySetFile() error {
	if _, err := c.keySetFile(); err != nil {
		return err
	}
	if c.KeySetTokenFile != "" || c.CAFile != "" && c.form == formJWT && c.IntrospectionURL == "" {
		return errors.New("it is a file, which needs no token and no certificate authority: leave KeySetTokenFile and CAFile empty")
	}
	return nil
}

// readKeySetFile returns the text of the key set's file, without a byte order mark.
func (i *Issuer) readKeySetFile() ([]byte, error) {
	name, _ := i.keySetFile() // checkKeySetFile has passed it
	data, err := readFile("KeySetURL", name, endpoint.MaxBody)
	if err != nil {
		return nil, err
	}
	return endpoint.TrimMark(data), nil
}
