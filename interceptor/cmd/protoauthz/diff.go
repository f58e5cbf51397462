package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/terminal"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/policydiff"
)

const diffHelp = `Prints the changes between two versions of the rules. A change is looser if it may let in a call that
was refused before. A change that lets in some calls and refuses others is looser too. New and deleted
methods are not looser. The exit status is 1 if a change is looser.

Methods of NEW that have a fault are not compared, and the exit status is 2. OLD may have faults, as long
as its rules can be read. Methods of OLD are compared if their rules have no fault, or only lack an
audience or share a scope. All other methods count as new. The faults of OLD are printed on standard
error. If a package has rules in OLD, NEW includes its services even if they are imported.

Rules in shadow are compared as if they were enforced: a looser one is looser, though every call is let in
as long as the rule is in shadow. That a rule is not enforced any more, or is enforced now, is a change of
its own.

` + inputHelp + `
OLD and NEW are each an INPUT. One of them may be -. The flags are for both. A service of -shadow,
-unannotated-refused or -unannotated-open is a fault only if neither version needs the flag.

With -old-authz, -authz is the deployment of NEW alone. What NEW's deployment opens has its place there.
Standard error tells which issuers and shared scopes differ: they are not rules, and never looser. It tells
where the documents name another subjectIssuer, which the changes of subjects and clients tell, too. If one
document alone names it, the only issuer of the other document counts as its subjectIssuer.

Formats:
   text       for reading
   markdown   for a comment on a pull request

Examples:
   buf build '.git#branch=main' -o main.binpb && buf build -o - | protoauthz diff main.binpb -
   protoauthz diff -format markdown main.binpb image.binpb > comment.md
   protoauthz diff https://api.example.com image.binpb
   git show main:authz.json > old.json && protoauthz diff -old-authz old.json -authz authz.json main.binpb image.binpb`

func diffCommand() *cli.Command {
	return &cli.Command{
		Name:        "diff",
		Usage:       "print the changes between two versions of the rules, and fail if a change is looser",
		ArgsUsage:   "OLD NEW",
		Description: diffHelp,
		Flags:       append([]cli.Flag{newFormatFlag("text", "markdown"), newOldAuthzFlag()}, policyFlags()...),
		Action:      diff,
	}
}

func diff(ctx context.Context, c *cli.Command) error {
	if c.NArg() != 2 {
		return fmt.Errorf("%d arguments: give OLD and NEW: see %s -help", c.NArg(), c.FullName())
	}
	before, after := c.Args().Get(0), c.Args().Get(1)
	if before == "-" && after == "-" {
		return errors.New("both OLD and NEW are -: name a file for one of them")
	}
	switch headers := len(c.StringSlice("reflect-header")) > 0; {
	case headers && !isURL(before) && !isURL(after):
		return errors.New("-reflect-header is for servers, but neither OLD nor NEW is a URL")
	case headers && isURL(before) && isURL(after) && serverOf(before) != serverOf(after):
		// The header may be a secret of one of the servers.
		return errors.New("-reflect-header: OLD and NEW are different servers, and both would get the header: name an image for one of them")
	}
	v, err := newVersions(c)
	if err != nil {
		return err
	}
	v.note(c.Root().ErrWriter)
	old, oldErr := read(ctx, c, before, v.old)
	if oldErr != nil && !errors.Is(oldErr, errNoServices) {
		return oldErr
	}
	v.new.ruled = old.ruled // without its rules, a package in NEW would count as imported
	in, err := read(ctx, c, after, v.new)
	if err != nil && !errors.Is(err, errNoServices) {
		return err
	}
	// A name in -only or -skip may be in one version only.
	if err := cmp.Or(v.new.unmet(), err); err != nil {
		return err
	}
	var oldRules []*policy.Rule
	if oldErr != nil {
		complain(c.Root().ErrWriter, "warning: "+oldErr.Error()+": everything is new")
	} else if oldRules, err = v.readable(c, old); err != nil {
		return err
	}
	a, err := v.compileNew(in, oldRules)
	if err != nil {
		return err
	}
	// A method with a fault has not been deleted.
	oldRules = slices.DeleteFunc(oldRules, a.isFaulty)
	found := sortChanges(compareRules(oldRules, a.rules))
	w := bufio.NewWriter(c.Root().Writer)
	if c.String(formatFlagName) == "markdown" {
		diffMarkdown(w, found, len(a.missing()), v.place)
	} else {
		diffText(w, found, len(a.missing()), v.place)
	}
	if err := cmp.Or(w.Flush(), a.err()); err != nil {
		return err
	}
	if len(found[looser].changes) > 0 {
		return errNo
	}
	return nil
}

// compareRules compares the rules as if all were enforced, and tells apart from that which rules are enforced: a looser
// rule in shadow lets in more calls once it is enforced.
func compareRules(before, after []*policy.Rule) []*policydiff.Change {
	index := func(rules []*policy.Rule) map[string]*policy.Rule {
		all := map[string]*policy.Rule{}
		for _, rule := range rules {
			all[rule.Procedure] = rule
		}
		return all
	}
	olds, news, told := index(before), index(after), map[string]bool{}
	changes := policydiff.Compare(asEnforced(before), asEnforced(after))
	for _, change := range changes {
		told[change.Procedure()] = true
		if change.Old != nil {
			change.Old = olds[change.Old.Procedure]
		}
		if change.New != nil {
			change.New = news[change.New.Procedure]
		}
		if rule := news[change.Procedure()]; rule != nil && rule.Shadow {
			change.Detail += "; the rule is in shadow"
		}
	}
	for _, change := range policydiff.Compare(before, after) {
		enforcement := change.Kind == policydiff.ChangeEnforcementDropped || change.Kind == policydiff.ChangeEnforcementAdded
		// A method without annotation that is refused counts as no method, but not in shadow.
		if enforcement || !told[change.Procedure()] {
			changes = append(changes, change)
		}
	}
	slices.SortStableFunc(changes, func(a, b *policydiff.Change) int { return strings.Compare(a.Procedure(), b.Procedure()) })
	return changes
}

// asEnforced returns the rules without shadow, since policydiff finds no change between two rules in shadow.
func asEnforced(rules []*policy.Rule) []*policy.Rule {
	enforced := make([]*policy.Rule, len(rules))
	for n, rule := range rules {
		one := *rule
		one.Shadow, enforced[n] = false, &one
	}
	return enforced
}

// The groups of changes, in the order of the output.
const (
	looser = iota
	tighter
	added
	removed
)

type changes struct {
	name    string
	changes []*policydiff.Change
}

func sortChanges(all []*policydiff.Change) []*changes {
	found := []*changes{looser: {name: "looser"}, tighter: {name: "tighter"}, added: {name: "new"}, removed: {name: "gone"}}
	for _, change := range all {
		kind := tighter
		switch {
		case change.Kind.Looser():
			kind = looser
		case change.Old == nil:
			kind = added
		case change.New == nil:
			kind = removed
		}
		found[kind].changes = append(found[kind].changes, change)
	}
	return found
}

// verdict returns the answer in one line.
func verdict(found []*changes, faulty int) string {
	var parts []string
	for _, sort := range found {
		if n := len(sort.changes); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, sort.name))
		}
	}
	switch {
	case faulty == 0 && len(parts) == 0:
		return "nothing has changed"
	case len(parts) == 0:
		parts = []string{"nothing else has changed"}
	}
	if faulty > 0 {
		parts = append([]string{strconv.Itoa(faulty) + " with faults, not compared"}, parts...)
	}
	return strings.Join(parts, ", ")
}

func diffText(w io.Writer, found []*changes, faulty int, placeOf func(*policydiff.Change) string) {
	_, _ = fmt.Fprintln(w, "Rules: "+verdict(found, faulty))
	for _, sort := range found {
		if len(sort.changes) == 0 {
			continue
		}
		_, _ = fmt.Fprintf(w, "\n%s:\n", sort.name)
		for _, change := range sort.changes {
			_, _ = fmt.Fprintf(w, "  %s: %s", change.Procedure(), terminal.Escape(change.Detail))
			if place := placeOf(change); place != "" {
				_, _ = fmt.Fprintf(w, " (%s)", terminal.Escape(place))
			}
			_, _ = fmt.Fprintln(w)
		}
	}
}

func diffMarkdown(w io.Writer, found []*changes, faulty int, placeOf func(*policydiff.Change) string) {
	_, _ = fmt.Fprintf(w, "### Rules: %s\n", verdict(found, faulty))
	header := "\n| | Procedure | Change | Old → new | Place |\n|---|---|---|---|---|\n"
	for _, sort := range found {
		for _, change := range sort.changes {
			name := sort.name
			if sort == found[looser] {
				name = "**" + name + "**"
			}
			_, _ = fmt.Fprintf(w, "%s| %s | %s | %s | %s → %s | %s |\n", header, name, code(change.Procedure()),
				code(change.Detail), summary(change.Old), summary(change.New), code(placeOf(change)))
			header = ""
		}
	}
}

// summary returns a rule in Markdown, or a dash for nil.
func summary(rule *policy.Rule) string {
	if rule == nil {
		return "–"
	}
	ways := newRow(rule).ways()
	all := make([]string, len(ways))
	for n, way := range ways {
		all[n] = way.summary()
	}
	return strings.Join(all, " **or** ")
}

// summary returns a way in Markdown.
func (r *wayRow) summary() string {
	parts := []string{markdownNeeds(r)}
	if r.Model != "" {
		parts = append(parts, r.Model)
	}
	if r.Audience != "" {
		parts = append(parts, code(r.Audience))
	}
	if r.Organization != nil {
		parts = append(parts, code(r.where()))
	}
	if r.Caller == "user" || r.Caller == "client" {
		parts = append(parts, r.Caller+"s only")
	}
	if names := r.names(); names != "" {
		parts = append(parts, code(names))
	}
	return strings.Join(parts, ", ")
}
