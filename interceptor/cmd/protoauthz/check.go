package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/bufyaml"
	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/sources"
)

const checkHelp = `Compares the files and servers that must agree, and prints each difference with its place.

   the deployment, authz.json     agrees with the options of buf-plugin-protoauthz in buf.yaml, names
                                  services that a module or a server has, and has subjectIssuer if it has
                                  several issuers and a rule of a module or a server has a subject or a client
   buf.yaml                       has buf run the plugin's rules, for all modules and services
   protoauthz/v1/authz.proto      agrees with the text of this command: see protoauthz vendor
   each running server            agrees with the deployment: all services have rules, which compile
   INPUT, an image of buf         agrees with the deployment and the servers: all is deployed

A server must have reflection. Reflection tells names and rules. This command calls reflection and
grpc.health.v1.Health alone. Whether a guard stands before a service, package guardtest proves in a test.
Several servers share a deployment: a name needs to be in one of them. A service in public that no module
declares need not stand in buf.yaml. Rules of a module in deps are read from a server or from INPUT alone. The plugin's conventions, such as the form of scopes, may be off. A
line with "note:" is not a difference. This command reads a deployment in YAML, too, but a server does not:
that is a difference.

Exit status: 0 if there is no difference; 1 if there are differences; 2 if something cannot be read.

Examples:
   protoauthz check
   protoauthz check -server http://127.0.0.1:8080
   buf build -o image.binpb && protoauthz check -authz prod/authz.json -server https://api.example.com image.binpb`

func checkCommand() *cli.Command {
	return &cli.Command{
		Name:        "check",
		Usage:       "print where the deployment, buf.yaml, the annotations and running servers differ",
		ArgsUsage:   "[INPUT]",
		Description: checkHelp,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "authz", Usage: "the `FILE` of the deployment, in JSON or YAML", Value: "authz.json"},
			&cli.StringFlag{Name: "buf", Usage: "the `FILE` of buf's configuration; with -server, it may be missing", Value: "buf.yaml"},
			&cli.StringSliceFlag{Name: "server", Usage: "the `URL` of a server with reflection; may be repeated"},
			&cli.StringSliceFlag{Name: "reflect-header", Usage: "'`NAME: VALUE`' to send to each server of -server, over https:// or on this machine; may be repeated"},
		},
		Action: check,
	}
}

func check(ctx context.Context, c *cli.Command) error {
	if err := checkArguments(c); err != nil {
		return err
	}
	d, content, err := readDeployment("authz", c.String("authz"))
	if err != nil {
		return err
	}
	f := &findings{document: d, file: c.String("authz"), folder: filepath.Dir(c.String("buf")), about: []string{c.String("authz")}}
	f.checkForm(content)
	f.checkDocument()
	b, bufErr := f.checkBuf(c)
	servers, serversErr := f.checkServers(ctx, c.StringSlice("server"), c.StringSlice("reflect-header"))
	input, inputErr := f.checkInput(c)
	f.checkSubjectIssuer(b, servers, input)
	if serversErr == nil { // else a server that was not read may have the names
		f.checkNames(b, servers, input)
	}
	if input != nil && serversErr == nil && len(servers) > 0 {
		f.checkDeployed(servers, input)
	}
	return f.conclude(c, errors.Join(bufErr, serversErr, inputErr))
}

func checkArguments(c *cli.Command) error {
	servers := c.StringSlice("server")
	switch {
	case c.NArg() > 1:
		return fmt.Errorf("%d arguments: give one INPUT: see %s -help", c.NArg(), c.FullName())
	case isURL(c.Args().First()):
		return errors.New("INPUT is a URL: give a server with -server")
	case len(c.StringSlice("reflect-header")) > 0 && len(servers) == 0:
		return errors.New("-reflect-header is for servers: give -server")
	case slices.ContainsFunc(servers, func(server string) bool { return !isURL(server) }):
		return errors.New("-server: give the URL of a server, http:// or https://")
	}
	return nil
}

// checkBuf checks buf.yaml and what its modules declare. It returns nil if buf.yaml is missing beside a server.
func (f *findings) checkBuf(c *cli.Command) (*bufFile, error) {
	name := c.String("buf")
	text, err := os.ReadFile(name) //nolint:gosec // the user names the file
	switch {
	case errors.Is(err, fs.ErrNotExist) && len(c.StringSlice("server")) > 0 && !c.IsSet("buf"):
		complain(c.Root().ErrWriter, "note: buf.yaml is missing: the check leaves its part out")
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("-buf: %w: run the command beside buf.yaml, or name the file", err)
	}
	b, err := parseBuf(name, text)
	if err != nil {
		return nil, fmt.Errorf("-buf: %w", err)
	}
	f.about = append(f.about, name)
	f.checkPlugin(b)
	f.checkRules(b)
	f.checkAnnotations(b)
	return b, nil
}

// parseBuf parses a buf.yaml, and reads the .proto files of its modules.
func parseBuf(name string, text []byte) (*bufFile, error) {
	file, err := bufyaml.Parse(name, text)
	if err != nil {
		return nil, err
	}
	files, err := sources.Read(filepath.Dir(name), file.Modules)
	if err != nil {
		return nil, fmt.Errorf("%s: modules: %w", name, err)
	}
	return &bufFile{file, name, files}, nil
}

// checkServers checks each server. With an error, it returns the servers that were read.
func (f *findings) checkServers(ctx context.Context, servers, headers []string) (sides []*side, err error) {
	var faults []error
	for _, server := range servers {
		s, err := f.checkServer(ctx, server, headers)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		sides = append(sides, s)
	}
	return sides, errors.Join(faults...)
}

// checkInput checks INPUT. It returns nil without one.
func (f *findings) checkInput(c *cli.Command) (*side, error) {
	if c.NArg() == 0 {
		return nil, nil
	}
	data, err := readAll(c, c.Args().First())
	if err != nil {
		return nil, err
	}
	s, err := f.inputSide(c.Args().First(), data)
	if err != nil {
		return nil, err
	}
	f.about = append(f.about, s.name)
	f.checkSide(s, "declares")
	return s, nil
}

// conclude prints the findings, and returns the error of the command.
func (f *findings) conclude(c *cli.Command, fault error) error {
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
	_, err = fmt.Fprintf(w, "no difference: %s\n", strings.Join(f.about, ", "))
	return err
}
