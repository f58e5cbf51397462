package jose_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// grown are names and strings with escapes, surrogate pairs and the lengths around which names are hashed another way.
var grown = []string{"a", "b", "", "a/b", "~", "*", "1234567", "12345678", "\"", "\\", "\n", "\x00", "é", "😀", "\U0010ffff", "a b", "acme", strings.Repeat("x", 65)}

// object makes a text of an object, and reads it by encoding/json.
func object(t *testing.T, data []byte) (text string, tree tokens.Tree, g *tokens.Grower) {
	t.Helper()
	g = &tokens.Grower{Data: data, Names: grown, Texts: grown}
	made := tokens.Tree{Kind: '{'}
	g.Fill(&made, 5)
	text = g.Write(made)
	if _, ok := tokens.ReadObject([]byte(text)); !ok {
		t.Fatalf("%q is not a sound object", text)
	}
	tree, err := tokens.ReadTree(text)
	if err != nil || !tree.Equal(made) {
		t.Fatalf("%q is read as %+v, %v, want %+v", text, tree, err, made)
	}
	return text, tree, g
}

// checkValue fails unless a text is the JSON text of a value.
func checkValue(t *testing.T, text string, want tokens.Tree) {
	t.Helper()
	if got, err := tokens.ReadTree(text); err != nil || !got.Equal(want) || text != strings.TrimSpace(text) {
		t.Errorf("the value is %q, %v, want %+v", text, err, want)
	}
}

// growths are inputs of all lengths, so that each kind of value stands somewhere.
func growths() (seeds [][]byte) {
	for seed := range byte(60) {
		data := make([]byte, 3*int(seed))
		for n := range data {
			data[n] = byte(n*n)*seed + seed
		}
		seeds = append(seeds, data)
	}
	return seeds
}

// FuzzIndex compares what an Index finds at every path of an object with encoding/json, and what Text, Texts and
// Elements read there. A member that is there twice is refused before.
func FuzzIndex(f *testing.F) {
	for _, seed := range growths() {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		text, tree, g := object(t, data)
		index, err := jose.NewIndex(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		defer index.Release()
		checkFind(t, index, nil, tree)
		if t.Failed() {
			t.Logf("%q", text)
		}
		inner, _ := g.Place(&tree)
		if len(inner.Nodes) > 0 {
			again := g.Value(0)
			again.Name = inner.Nodes[g.Pick(len(inner.Nodes))].Name
			inner.Nodes = append(inner.Nodes, again)
			if twice := g.Write(tree); acceptedIndex(twice) {
				t.Errorf("%q is accepted, with %q twice", twice, again.Name)
			}
		}
	})
}

func acceptedIndex(text string) bool {
	index, err := jose.NewIndex(text)
	if err == nil {
		index.Release()
	}
	return err == nil
}

// TestGrowths makes sure that the seeds have values of all kinds.
func TestGrowths(t *testing.T) {
	t.Parallel()
	text := ""
	for _, seed := range growths() {
		grown, _, _ := object(t, seed)
		text += grown
	}
	for _, part := range []string{"{\"", "{}", "[{", "[]", "[\"", "true", "false", "null", "1E400", `\u`, " ", "\n", "\t\r ", "😀", `\ud83d\ude00`, `:""`} {
		if !strings.Contains(text, part) {
			t.Errorf("no seed has %q", part)
		}
	}
}

// checkFind compares the members of the value at a path, and those inside.
func checkFind(t *testing.T, index jose.Index, path []string, tree tokens.Tree) {
	t.Helper()
	find := func(name string, want string) {
		if value := index.Find(append(path[:len(path):len(path)], name)); value != want {
			t.Errorf("%q in %q is %q, want %q", name, path, value, want)
		}
	}
	if tree.Kind != '{' {
		for _, name := range []string{"a", "", "0", "-"} { // digits are a name, also in an array
			find(name, jose.Blocked)
		}
		return
	}
	for _, name := range append(grown, "absent", "0") {
		if tree.Member(name) == nil {
			find(name, "")
		}
	}
	for _, member := range tree.Nodes {
		path := append(path[:len(path):len(path)], member.Name)
		value := index.Find(path)
		checkValue(t, value, member)
		checkReading(t, value, member)
		checkFind(t, index, path, member)
	}
}

// checkReading compares Text, Texts and Elements.
func checkReading(t *testing.T, value string, tree tokens.Tree) {
	t.Helper()
	isText := tree.Kind == '"'
	if text, ok := jose.Text(value); ok != isText || isText && text != tree.Text {
		t.Errorf("the text of %q is %q, %t", value, text, ok)
	}
	var want []string
	allTexts := isText || tree.Kind == '['
	if isText {
		want = []string{tree.Text}
	} else if tree.Kind == '[' {
		for _, element := range tree.Nodes {
			want, allTexts = append(want, element.Text), allTexts && element.Kind == '"'
		}
	}
	if texts, array, ok := jose.Texts(value); ok != allTexts || ok && (!slices.Equal(texts, want) || array == isText) {
		t.Errorf("the texts of %q are %q, %t, %t, want %q, %t", value, texts, array, ok, want, allTexts)
	}
	var inner []tokens.Tree
	if tree.Kind == '{' || tree.Kind == '[' {
		inner = tree.Nodes
	}
	n := 0
	for name, element := range jose.Elements(value) {
		if n == len(inner) || name != inner[n].Name {
			t.Fatalf("%q has the element %d %q: %q", value, n, name, element)
		}
		checkValue(t, element, inner[n])
		n++
	}
	if n != len(inner) {
		t.Errorf("%q has %d elements, want %d", value, n, len(inner))
	}
}

// TestFind has the edges of Find.
func TestFind(t *testing.T) {
	t.Parallel()
	const text = ` { "a" : {"b":{"c":"d"},"":0,"\u0062c":[{"b":1}]} , "\ud83d\ude00":{"x":-1.5E+3}, "n":null, "s":"{\"b\":1}", "e":{ }, "a\/b":true, "!":"!", "12345678":{"12345678":{"\u00312345678":7}}}` + "\n"
	index, err := jose.NewIndex(text)
	if err != nil {
		t.Fatal(err)
	}
	defer index.Release()
	for path, want := range map[string]string{
		"a": `{"b":{"c":"d"},"":0,"\u0062c":[{"b":1}]}`, "a b": `{"c":"d"}`, "a b c": `"d"`, "a ": "0", "a bc": `[{"b":1}]`, "😀 x": "-1.5E+3", "a/b": "true", "!": `"!"`, "n": "null", "e": "{ }",
		"12345678 12345678 12345678": "7", "": "", "b": "", "a c": "", "a b d": "", "e x": "", "😀 a": "", "12345678 1234567": "", "A": "",
		"a b c d": jose.Blocked, "a bc b": jose.Blocked, "a bc 0": jose.Blocked, "a bc ": jose.Blocked, "n x": jose.Blocked, "s b": jose.Blocked, "a/b x": jose.Blocked, "! x": jose.Blocked,
		"n x y": jose.Blocked, "b x": "", "e x y": "",
	} {
		if got := index.Find(strings.Split(path, " ")); got != want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
}

// TestBlocked makes sure that nothing reads what Find returns behind a value that is not an object.
func TestBlocked(t *testing.T) {
	t.Parallel()
	if text, ok := jose.Text(jose.Blocked); ok {
		t.Errorf("the text is %q", text)
	}
	if texts, _, ok := jose.Texts(jose.Blocked); ok {
		t.Errorf("the texts are %q", texts)
	}
	for name, element := range jose.Elements(jose.Blocked) {
		t.Errorf("the element %q is %q", name, element)
	}
	for _, step := range []jose.Step{{}, {Members: true}, {Name: "a"}} {
		if err := jose.Walk(jose.Blocked, []jose.Step{step}, nil); !errors.Is(err, jose.ErrStep) {
			t.Errorf("%+v: %v", step, err)
		}
	}
}

// A visit is a call by which Walk shows a value.
type visit struct {
	names  []string
	value  tokens.Tree
	absent bool
}

// walk is an oracle: it returns the visits, and false if a step leads into a value of another type.
func walk(tree tokens.Tree, steps []jose.Step, names ...string) (visits []visit, ok bool) {
	if len(steps) == 0 {
		return []visit{{names: names, value: tree}}, true
	}
	step := steps[0]
	switch {
	case tree.Kind == '[' && step.Name == "" && !step.Members, tree.Kind == '{' && step.Name == "":
		for _, node := range tree.Nodes {
			inner, ok := walk(node, steps[1:], append(slices.Clone(names), node.Name)...)
			if visits = append(visits, inner...); !ok {
				return visits, false
			}
		}
		return visits, true
	case tree.Kind != '{':
		return nil, false
	}
	if member := tree.Member(step.Name); member != nil {
		return walk(*member, steps[1:], names...)
	}
	return []visit{{names: names, absent: true}}, true
}

// FuzzWalk compares Walk with an oracle: the values, their order, the names on the way, absent members, and the end
// at a value of another type.
func FuzzWalk(f *testing.F) {
	for _, seed := range growths() {
		f.Add(seed, []byte{0, 1, 2})
		f.Add(seed, []byte{0, 0})
		f.Add(seed, []byte{1, 0})
		f.Add(seed, []byte{2})
	}
	f.Fuzz(func(t *testing.T, data, chosen []byte) {
		text, tree, _ := object(t, data)
		var steps []jose.Step
		for _, c := range chosen[:min(len(chosen), 6)] {
			step := jose.Step{Members: c%2 == 1}
			if c%3 > 1 {
				step.Name = grown[int(c/3)%len(grown)]
			}
			steps = append(steps, step)
		}
		if len(steps) == 0 {
			return
		}
		want, ok := walk(tree, steps)
		n := 0
		err := jose.Walk(text, steps, func(names []string, value string) error {
			if n == len(want) {
				t.Fatalf("%q %+v: %q, %q is visited", text, steps, names, value)
			}
			if !slices.Equal(names, want[n].names) || (value == "") != want[n].absent {
				t.Errorf("%q %+v: the visit %d is %q, %q, want %+v", text, steps, n, names, value, want[n])
			}
			if value != "" {
				checkValue(t, value, want[n].value)
			}
			n++
			return nil
		})
		if ok != (err == nil) || !ok && !errors.Is(err, jose.ErrStep) || n != len(want) {
			t.Errorf("%q %+v: %d visits, %v, want %+v, %t", text, steps, n, err, want, ok)
		}
	})
}

// TestWalkEnds makes sure that Walk ends with the first error of a visit, and has shown nothing else.
func TestWalkEnds(t *testing.T) {
	t.Parallel()
	stop := errors.New("stop")
	for text, steps := range map[string][]jose.Step{
		`[0,1,2]`: {{}}, `{"a":0,"b":1}`: {{Members: true}}, `[{"a":0},null]`: {{}, {Name: "a"}}, `[{},{"a":1}]`: {{}, {Name: "a"}}, `{"a":[0],"b":1}`: {{Members: true}, {}},
	} {
		visits := 0
		err := jose.Walk(text, steps, func([]string, string) error {
			visits++
			return stop
		})
		if !errors.Is(err, stop) || visits != 1 {
			t.Errorf("%s: %d visits, %v", text, visits, err)
		}
	}
}
