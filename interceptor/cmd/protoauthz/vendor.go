package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
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
	name := filepath.Join(dir, filepath.FromSlash(annotations.AuthzPath))
	did := "replaced"
	switch old, err := os.ReadFile(name); { //nolint:gosec // the user names the folder
	case errors.Is(err, fs.ErrNotExist):
		did = "new"
	case err != nil:
		return err
	case sameText(string(old), annotations.Authz):
		return said(c, name, "same as before")
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil { //nolint:gosec // a source folder
		return err
	}
	if err := os.WriteFile(name, []byte(annotations.Authz), 0o644); err != nil { //nolint:gosec // a source file
		return err
	}
	return said(c, name, did)
}

// said prints what was done to a file.
func said(c *cli.Command, name, did string) error {
	_, err := fmt.Fprintf(c.Root().Writer, "%s: %s\n", name, did)
	return err
}

// sameText compares two texts. Git may write the ends of lines of a checkout as CRLF.
func sameText(a, b string) bool {
	return strings.ReplaceAll(a, "\r\n", "\n") == strings.ReplaceAll(b, "\r\n", "\n")
}
