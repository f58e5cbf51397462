package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/urfave/cli/v3"

	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/terminal"
)

const matrixHelp = `Prints what the callers of each procedure need, sorted by procedure.

` + inputHelp + `

Formats:
   table     for reading: columns, a block for each service
   markdown  for review: commit the output, and a change of the rules shows in the diff
   json      for programs: {"procedures": [...], "missing": [...]}: each of procedures with procedure,
             access (public, authenticated, scopes, or refused without annotation), enforced, unannotated
             (true for the methods of -unannotated-refused and -unannotated-open), model (global_resource, organization,
             organization_resource), audience, scopes (all are needed), anyScopes (one is needed, unless
             empty), caller (any, user, client), organization (null, or location, name and pattern), subject
             and client (null, or name, pattern and issuer), place, alternatives and organizationOptional.
             An alternative is a further way in, and has the members from access to client. A value that does
             not apply is "". Missing are the procedures that have faults. Names and values are stable; fields
             may be added.
   html      for searching: one page that needs no network

Examples:
   buf build -o - | protoauthz matrix -audience https://api.example.com
   buf build -o - | protoauthz matrix -format html > policy.html
   protoc --include_imports --include_source_info -o image.binpb order.proto && protoauthz matrix image.binpb
   protoauthz matrix -reflect-header 'Authorization: Bearer ...' https://api.example.com`

func matrixCommand() *cli.Command {
	return &cli.Command{
		Name:        "matrix",
		Usage:       "print who may call what",
		ArgsUsage:   "[INPUT]",
		Description: matrixHelp,
		Flags:       append([]cli.Flag{newFormatFlag("table", "markdown", "json", "html")}, policyFlags()...),
		Action:      matrix,
	}
}

func matrix(ctx context.Context, c *cli.Command) error {
	a, err := readRules(ctx, c)
	if err != nil {
		return err
	}
	all, missing := groups(a.rules), a.missing()
	w := bufio.NewWriter(c.Root().Writer)
	switch c.String(formatFlagName) {
	case "markdown":
		matrixMarkdown(w, all, missing)
	case "json":
		err = matrixJSON(w, all, missing)
	case "html":
		err = matrixHTML(w, all, missing)
	default:
		matrixText(w, all, missing, painterOf(c.Root().Writer))
	}
	if err = cmp.Or(err, w.Flush()); err != nil {
		return err
	}
	return a.err()
}

func matrixText(w io.Writer, all []*group, missing []string, painter terminal.Painter) {
	if n := len(missing); n > 0 {
		_, _ = fmt.Fprintf(w, "%s the answer lacks %s with faults: %s\n", painter.Paint(terminal.Red, "INCOMPLETE:"), count(n, "method", "methods"), some(missing, ", "))
	}
	if notEnforced := notEnforcedIn(all); len(notEnforced) > 0 {
		_, _ = fmt.Fprintf(w, "%s the rules of %s: %s\n", painter.Paint(terminal.Red, "NOT ENFORCED:"), count(len(notEnforced), "method", "methods"), some(notEnforced, ", "))
	}
	header := []string{"METHOD", "NEEDS", "MODEL", "ORGANIZATION", "CALLER", "AUDIENCE"}
	named := slices.ContainsFunc(all, (*group).names)
	if named {
		header = append(header, "SUBJECT, CLIENT")
	}
	lines := func(r *row) (lines [][]string) {
		for n, way := range r.ways() {
			line := []string{r.title(n), way.needs + way.Notes, way.Model, way.where(), way.Caller, way.aud()}
			if named {
				line = append(line, way.names())
			}
			if n > 0 {
				line[0] = "  " + line[0]
			}
			lines = append(lines, line)
		}
		return lines
	}
	widths := make([]int, len(header))
	widen := func(line []string) {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	widen(header)
	for _, g := range all {
		for _, r := range g.Rows {
			for _, line := range lines(r) {
				widen(line)
			}
		}
	}
	printRow := func(line []string, styles ...terminal.Style) {
		for len(line) > 0 && line[len(line)-1] == "" {
			line = line[:len(line)-1]
		}
		for i, cell := range line {
			style, space := terminal.Plain, ""
			if i < len(styles) {
				style = styles[i]
			}
			if i < len(line)-1 {
				space = strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			}
			_, _ = fmt.Fprint(w, "  ", painter.Paint(style, cell), space)
		}
		_, _ = fmt.Fprintln(w)
	}
	printRow(header, slices.Repeat([]terminal.Style{terminal.Faint}, len(header))...)
	for _, g := range all {
		_, _ = fmt.Fprintf(w, "%s\n", painter.Paint(terminal.Bold, g.Service))
		for _, r := range g.Rows {
			ways := r.ways()
			for n, line := range lines(r) {
				style := terminal.Plain
				switch access := ways[n].Access; {
				case !r.Enforced:
					style = terminal.Red
				case access == accessPublic, access == accessAuthenticated: // no scope is needed
					style = terminal.Yellow
				}
				printRow(line, terminal.Plain, style)
			}
		}
	}
}

func matrixMarkdown(w io.Writer, all []*group, missing []string) {
	_, _ = fmt.Fprint(w, "# Who may call what\n")
	if n := len(missing); n > 0 {
		_, _ = fmt.Fprintf(w, "\n**Incomplete**: the answer lacks %s with faults: %s\n", count(n, "method", "methods"), codes(missing))
	}
	if notEnforced := notEnforcedIn(all); len(notEnforced) > 0 {
		_, _ = fmt.Fprintf(w, "\n**Not enforced**: the rules of %s: %s\n", count(len(notEnforced), "method", "methods"), codes(notEnforced))
	}
	for _, g := range all {
		_, _ = fmt.Fprintf(w, "\n## %s\n\n", code(g.Service))
		header, named := []string{"Method", "Needs", "Model", "Organization", "Caller", "Audience"}, g.names()
		if named {
			header = append(header, "Subject, client")
		}
		_, _ = fmt.Fprintf(w, "| %s |\n%s|\n", strings.Join(header, " | "), strings.Repeat("|---", len(header)))
		for _, r := range g.Rows {
			for n, way := range r.ways() {
				title, audience := "or", code(way.Audience)
				if n == 0 {
					title = code(r.title(n))
				}
				if audience == "" {
					audience = way.aud()
				}
				line := []string{title, markdownNeeds(way), way.Model, code(way.where()), way.Caller, audience}
				if named {
					line = append(line, code(way.names()))
				}
				_, _ = fmt.Fprintf(w, "| %s |\n", strings.Join(line, " | "))
			}
		}
	}
}

func markdownNeeds(r *wayRow) string {
	var needs []string
	if len(r.Scopes) > 0 {
		needs = append(needs, "all of "+codes(r.Scopes))
	}
	if len(r.AnyScopes) > 0 {
		needs = append(needs, "any of "+codes(r.AnyScopes))
	}
	if len(needs) == 0 {
		needs = []string{"**" + r.Access + "**"}
	}
	return strings.Join(needs, ", ") + r.Notes
}

// notEnforcedIn returns the procedures whose rules are not enforced.
func notEnforcedIn(all []*group) (procedures []string) {
	for _, g := range all {
		for _, r := range g.Rows {
			if !r.Enforced {
				procedures = append(procedures, r.Procedure)
			}
		}
	}
	return procedures
}

func matrixJSON(w io.Writer, all []*group, missing []string) error {
	rows := []*row{}
	for _, g := range all {
		rows = append(rows, g.Rows...)
	}
	return terminal.WriteJSON(w, map[string]any{"procedures": rows, "missing": missing})
}
