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

	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/bufyaml"
	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/sources"
)

const checkHelp = `Holds what stands in several places against each other, and prints each difference with its place:

   the deployment, authz.json     against the options of buf-plugin-protoauthz in buf.yaml
   buf.yaml                       buf runs the plugin's rules, for all modules and services
   protoauthz/v1/authz.proto      against the text of this command: see protoauthz vendor
   each running server            against the deployment: services without rules, rules that do not compile
   INPUT, an image of buf         against the deployment, and against the servers: what is not deployed

A server must have reflection, which tells names and rules, and not whether a guard stands before a
service: package guardtest proves that in a test. Several servers share a deployment: a name needs to be
in one of them. A service in public that no module declares need not stand in buf.yaml. The plugin's
conventions, such as the form of scopes, may be off: a line with "note:" tells what is no difference.

Exit status: 0 if there is no difference; 1 if there are differences; 2 if something cannot be read.

Examples:
   protoauthz check
   protoauthz check -server http://127.0.0.1:8080
   buf build -o image.binpb && protoauthz check -config prod/authz.json -server https://api.example.com image.binpb`

func checkCommand() *cli.Command {
	return &cli.Command{
		Name:        "check",
		Usage:       "print where the deployment, buf.yaml, the annotations and running servers differ",
		ArgsUsage:   "[INPUT]",
		Description: checkHelp,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "config", Usage: "the `FILE` of the deployment, in JSON or YAML", Value: "authz.json"},
			&cli.StringFlag{Name: "buf", Usage: "the `FILE` of buf's configuration; with -server, it may be missing", Value: "buf.yaml"},
			&cli.StringSliceFlag{Name: "server", Usage: "the `URL` of a server with reflection; may be repeated"},
			&cli.StringSliceFlag{Name: "reflect-header", Usage: "'`NAME: VALUE`' to send to each server of -server, over https:// or on this machine; may be repeated"},
		},
		Action: check,
	}
}

func check(ctx context.Context, c *cli.Command) error {
	servers, headers := c.StringSlice("server"), c.StringSlice("reflect-header")
	switch {
	case c.NArg() > 1:
		return fmt.Errorf("%d arguments: give one INPUT: see %s -help", c.NArg(), c.FullName())
	case isURL(c.Args().First()):
		return errors.New("INPUT is a URL: give a server with -server")
	case len(headers) > 0 && len(servers) == 0:
		return errors.New("-reflect-header is for servers: give -server")
	}
	for _, server := range servers {
		if !isURL(server) {
			return errors.New("-server: give the URL of a server, http:// or https://")
		}
	}
	d, err := readConfig(c.String("config"))
	if err != nil {
		return fmt.Errorf("-config: %w", err)
	}
	f := &findings{folder: filepath.Dir(c.String("buf"))}
	f.document(d)
	about := []string{d.name}
	var faults []error
	b, err := readBuf(c.String("buf"))
	switch {
	case err == nil:
		about = append(about, b.name)
		f.plugin(b, d)
		f.checks(b, d)
		f.annotations(b.File, b.files)
	case errors.Is(err, fs.ErrNotExist) && b == nil && len(servers) > 0 && !c.IsSet("buf"):
		complain(c.Root().ErrWriter, "note: there is no buf.yaml: its part of the check is left out")
	default:
		faults = append(faults, fmt.Errorf("-buf: %w", err))
	}
	var sides []*side
	for _, server := range servers {
		r, err := reflect(ctx, server, headers)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", inputName(server), err))
			continue
		}
		about = append(about, inputName(server))
		s, err := d.serverSide(server, r)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		sides = append(sides, s)
		s.open = f.reflection(server, headers, d)
		f.rules(s, d, "lists")
	}
	if len(sides) > 0 && len(sides) == len(servers) { // else a server that was not read may have the names
		f.served(sides, d)
	}
	if c.NArg() == 1 {
		input, err := readSide(c, d)
		if err == nil {
			about = append(about, input.name)
			if f.rules(input, d, "declares"); len(sides) > 0 && len(sides) == len(servers) {
				f.deployed(sides, input, d)
			}
		}
		faults = append(faults, err)
	}
	return f.conclude(c, about, errors.Join(faults...))
}

// conclude prints the findings, and returns the error of the command.
func (f *findings) conclude(c *cli.Command, about []string, fault error) error {
	w := c.Root().Writer
	differences, err := f.print(w)
	if err = errors.Join(err, fault); err != nil {
		return err
	}
	if differences > 0 {
		if _, err := fmt.Fprintln(w, count(differences, "difference", "differences")); err != nil {
			return err
		}
		return errNo
	}
	_, err = fmt.Fprintf(w, "no difference: %s\n", strings.Join(about, ", "))
	return err
}

// readSide reads INPUT.
func readSide(c *cli.Command, d *config) (*side, error) {
	data, err := readAll(c, c.Args().First())
	if err != nil {
		return nil, err
	}
	return d.inputSide(c.Args().First(), data)
}

// readBuf reads a buf.yaml and the .proto files of its modules.
func readBuf(name string) (*bufFile, error) {
	text, err := os.ReadFile(name) //nolint:gosec // the user names the file
	if err != nil {
		return nil, fmt.Errorf("%w: run the command beside buf.yaml, or name the file", err)
	}
	file, err := bufyaml.Parse(text)
	if err != nil {
		return new(bufFile), fmt.Errorf("%s: %w", name, err)
	}
	files, err := sources.Read(filepath.Dir(name), file.Modules)
	if err != nil {
		return new(bufFile), fmt.Errorf("%s: modules: %w", name, err)
	}
	return &bufFile{file, name, files}, nil
}
