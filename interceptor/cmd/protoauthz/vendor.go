package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v3"

	annotations "github.com/protoauthz/protoauthz/proto"
)

const vendorHelp = `Writes DIR/protoauthz/v1/authz.proto, which your .proto files import. DIR is the folder of a module of
buf, or a folder that protoc gets with -I. The text belongs to the version of this command: install the
version that go.mod requires. A file that differs is replaced, so commit first. Nothing is fetched.

Examples:
   protoauthz vendor proto
   protoauthz vendor third_party/proto`

func vendorCommand() *cli.Command {
	return &cli.Command{
		Name:        "vendor",
		Usage:       "write the annotations, protoauthz/v1/authz.proto, into a folder",
		ArgsUsage:   "DIR",
		Description: vendorHelp,
		Action:      vendor,
	}
}

func vendor(_ context.Context, c *cli.Command) error {
	dir := c.Args().First()
	if c.NArg() != 1 || dir == "" {
		return fmt.Errorf("give the folder in which %s shall lie, as in %s proto: see %[2]s -help", annotations.AuthzPath, c.FullName())
	}
	if info, err := os.Stat(dir); err != nil {
		return fmt.Errorf("%w: make the folder first, or name another", err)
	} else if !info.IsDir() {
		return fmt.Errorf("%s is a file: name a folder", dir)
	}
	if above, ok := aboveCopy(dir); ok {
		return fmt.Errorf("%s is a part of %s: name the folder above, as in %s %s", dir, annotations.AuthzPath, c.FullName(), above)
	}
	name := filepath.Join(dir, filepath.FromSlash(annotations.AuthzPath))
	did, err := writeAnnotations(dir)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	_, err = fmt.Fprintf(c.Root().Writer, "%s: %s\n", name, did)
	return err
}

// aboveCopy returns the folder above a copy, given the folder protoauthz or protoauthz/v1 of the copy.
func aboveCopy(dir string) (above string, ok bool) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return "", false // the folder exists, and writing tells
	}
	// A folder protoauthz may be a clone of this project, or any project's.
	_, statErr := os.Stat(filepath.Join(dir, "v1", "authz.proto"))
	switch parent := filepath.Dir(absolute); {
	case filepath.Base(absolute) == "v1" && filepath.Base(parent) == "protoauthz":
		return filepath.Join(dir, "..", ".."), true
	case filepath.Base(absolute) == "protoauthz" && (filepath.Base(dir) == "protoauthz" || statErr == nil):
		return filepath.Join(dir, ".."), true
	}
	return "", false
}

// writeAnnotations writes the annotations, and tells what it did. Links do not lead it out of the folder.
func writeAnnotations(dir string) (did string, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", err //nolint:wrapcheck // the caller names the file
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	did = "replaced"
	switch info, err := root.Lstat(annotations.AuthzPath); {
	case errors.Is(err, fs.ErrNotExist):
		did = "new"
	case err != nil:
		return "", err //nolint:wrapcheck // the caller names the file
	case !info.Mode().IsRegular():
		return "", errors.New("it is a link, a folder or a device: remove it")
	default:
		old, err := root.ReadFile(annotations.AuthzPath)
		if err != nil {
			return "", err //nolint:wrapcheck // the caller names the file
		}
		if sameText(string(old), annotations.Authz) {
			return "same as before", nil
		}
	}
	if err := root.MkdirAll(path.Dir(annotations.AuthzPath), 0o755); err != nil {
		return "", err //nolint:wrapcheck // the caller names the file
	}
	return did, root.WriteFile(annotations.AuthzPath, []byte(annotations.Authz), 0o644)
}

// sameText compares two texts. Git may write the ends of lines of a checkout as CRLF.
func sameText(a, b string) bool {
	return strings.ReplaceAll(a, "\r\n", "\n") == strings.ReplaceAll(b, "\r\n", "\n")
}
