package main_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"buf.build/go/bufplugin/check"
	"buf.build/go/bufplugin/check/checktest"

	plugin "github.com/protoauthz/protoauthz/interceptor/cmd/buf-plugin-protoauthz"
	"github.com/protoauthz/protoauthz/interceptor/policydiff"
)

func TestSpec(t *testing.T) {
	t.Parallel()
	spec := plugin.Spec()
	checktest.SpecTest(t, spec)
	type class struct {
		category  string
		kind      check.RuleType
		isDefault bool
	}
	classes := []class{
		{"PROTOAUTHZ", check.RuleTypeLint, true},
		{"PROTOAUTHZ_LOOSER", check.RuleTypeBreaking, true},
		{"PROTOAUTHZ_TIGHTER", check.RuleTypeBreaking, false},
	}
	for _, rule := range spec.Rules {
		if rule.ID == "PROTOAUTHZ_UNANNOTATED" && len(rule.CategoryIDs) == 0 && rule.Type == check.RuleTypeLint && !rule.Default {
			continue // a list of what is left to do is not for every run
		}
		if len(rule.CategoryIDs) != 1 || !slices.Contains(classes, class{rule.CategoryIDs[0], rule.Type, rule.Default}) {
			t.Errorf("%s: categories %v, type %v, default %t", rule.ID, rule.CategoryIDs, rule.Type, rule.Default)
		}
	}
}

// TestFaultKinds finds a rule for each kind of fault.
func TestFaultKinds(t *testing.T) {
	t.Parallel()
	rules := ids("PROTOAUTHZ")
	for _, kind := range kinds(t, "../../policy/*.go", "FaultKind") {
		if !slices.Contains(rules, "PROTOAUTHZ_"+kind) {
			t.Errorf("no rule in PROTOAUTHZ for the fault %s", kind)
		}
	}
}

// TestChangeKinds finds a rule for each kind of change.
func TestChangeKinds(t *testing.T) {
	t.Parallel()
	without := map[policydiff.ChangeKind]string{
		policydiff.ChangeMethodAdded:   "what had no rule cannot lose one",
		policydiff.ChangeMethodRemoved: "buf has RPC_NO_DELETE; what is still there is PROTOAUTHZ_RULE_LOST",

		policydiff.ChangeEnforcementDropped: "shadow is a fact of a deployment, and does not stand in buf.yaml",
		policydiff.ChangeEnforcementAdded:   "shadow is a fact of a deployment, and does not stand in buf.yaml",
	}
	looser, tighter := ids("PROTOAUTHZ_LOOSER"), ids("PROTOAUTHZ_TIGHTER")
	for _, kind := range kinds(t, "../../policydiff/*.go", "ChangeKind") {
		rules, others := tighter, looser
		if policydiff.ChangeKind(kind).Looser() {
			rules, others = looser, tighter
		}
		_, excepted := without[policydiff.ChangeKind(kind)]
		if slices.Contains(rules, "PROTOAUTHZ_"+kind) == excepted || slices.Contains(others, "PROTOAUTHZ_"+kind) {
			t.Errorf("the change %s: looser %t, excepted %t: it needs a rule in that category, or a reason to have none",
				kind, policydiff.ChangeKind(kind).Looser(), excepted)
		}
	}
}

// kinds reads the constants of a type out of a package's files.
func kinds(t *testing.T, pattern, typeName string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			spec, ok := node.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if name, ok := spec.Type.(*ast.Ident); !ok || name.Name != typeName {
				return true
			}
			for _, value := range spec.Values {
				literal, ok := value.(*ast.BasicLit)
				if !ok {
					t.Errorf("%s: a constant of %s is no literal", path, typeName)
					continue
				}
				kind, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Error(err)
				}
				kinds = append(kinds, kind)
			}
			return true
		})
	}
	if len(kinds) < 10 {
		t.Fatalf("found only %d constants of type %s", len(kinds), typeName)
	}
	return kinds
}

// TestDoc compares the package's documentation with the rules and options.
func TestDoc(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "main.go", nil, parser.ParseComments|parser.PackageClauseOnly)
	if err != nil {
		t.Fatal(err)
	}
	doc := file.Doc.Text()
	for _, category := range []string{"PROTOAUTHZ", "PROTOAUTHZ_LOOSER", "PROTOAUTHZ_TIGHTER"} {
		var table strings.Builder
		for _, rule := range plugin.Spec().Rules {
			if slices.Contains(rule.CategoryIDs, category) {
				fmt.Fprintf(&table, "\t%-34s  %s\n", rule.ID, rule.Purpose)
			}
		}
		if !strings.Contains(doc, "\n\n"+table.String()+"\n") {
			t.Errorf("the package's documentation lacks this table of %s:\n%s", category, table.String())
		}
	}
}
