package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/urfave/cli/v3"

	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/tenant"
)

const (
	configFlagName = "config"
	tenantFile     = "tenant.json"
)

// tenantFlags are the flags of the commands that read a tenant.
func tenantFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: configFlagName, Usage: "the `FILE` that describes the tenant, in JSON or YAML", Value: tenantFile},
		&cli.StringFlag{Name: "keys", Usage: "the `FILE` that keeps the keys (default: beside the tenant, such as tenant.keys.json)"},
	}
}

// readTenant reads the tenant of -config, and returns the file of the keys.
func readTenant(c *cli.Command) (t *tenant.Tenant, keys string, err error) {
	if c.NArg() > 0 { // the argument is not in the error, since it may be a token
		quote := ""
		if c.Name == "token" {
			quote = "write several scopes in quotes, as -scope 'read:a write:a', and "
		}
		return nil, "", fmt.Errorf("%s takes no argument: %sname the tenant with -config", c.Name, quote)
	}
	name := c.String(configFlagName)
	text, err := readDocument(name)
	switch {
	case name == "":
		return nil, "", errors.New("-config is empty: name the file of a tenant, such as tenant.json; if a variable should supply the name, set the variable")
	case errors.Is(err, fs.ErrNotExist):
		return nil, "", missingTenant(name)
	case errors.Is(err, fs.ErrPermission):
		return nil, "", fmt.Errorf("-config: %w: let this user read the file", err)
	case errors.Is(err, syscall.EISDIR):
		return nil, "", fmt.Errorf("-config: %w: name the file of a tenant in it, such as %s", err, filepath.Join(name, tenantFile))
	case err != nil:
		return nil, "", err
	}
	if keys = c.String("keys"); keys == "" {
		keys = tenant.KeysFile(name)
	} else if isSameFile(keys, name) {
		return nil, "", errors.New("-keys names the tenant: leave -keys out, and the keys are kept beside the tenant")
	}
	t, err = tenant.Parse(name, text)
	return t, keys, err
}

// missingTenant returns the error of a tenant that does not exist: the folder, and another tenant or an example.
func missingTenant(name string) error {
	where := name
	if absolute, err := filepath.Abs(name); err == nil {
		where = absolute
	}
	for _, extension := range []string{".yaml", ".yml", ".json"} {
		other := strings.TrimSuffix(name, filepath.Ext(name)) + extension
		if _, err := os.Stat(other); err == nil {
			return fmt.Errorf("%s does not exist, and %s does: give -config %s", where, other, other)
		}
	}
	return fmt.Errorf("%s does not exist: name a tenant with -config, or write into %s\n%s", where, name, tenant.Example)
}

func isSameFile(one, other string) bool {
	first, err := os.Stat(one)
	second, otherErr := os.Stat(other)
	return err == nil && otherErr == nil && os.SameFile(first, second)
}
