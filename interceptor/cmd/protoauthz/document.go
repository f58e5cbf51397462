package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/protoauthz/protoauthz/interceptor/deployment"
	"github.com/protoauthz/protoauthz/interceptor/internal/document"
)

// readDocument returns a document of configuration in JSON, from a file in JSON or YAML: JSON begins with a brace. Each
// value has the line that it has in the file. The error names the file.
func readDocument(name string) ([]byte, error) {
	text, err := os.ReadFile(name) //nolint:gosec // the user names the file
	if err != nil {
		return nil, err //nolint:wrapcheck // the error names the file
	}
	return toJSON(name, text)
}

// toJSON returns the content of a file as a document in JSON.
func toJSON(name string, text []byte) ([]byte, error) {
	text, err := utf8Of(text)
	if err == nil && !isJSON(text) {
		text, err = yamlToJSON(text)
	}
	if err != nil {
		return nil, inFile(name, err)
	}
	return text, nil
}

func isJSON(text []byte) bool {
	return bytes.HasPrefix(bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\ufeff"))), []byte("{"))
}

// inFile returns an error with the name of the file whose faults it joins.
func inFile(name string, err error) error {
	faults := document.SplitFaults(err)
	for n, err := range faults {
		if fault, ok := errors.AsType[*document.Fault](err); ok {
			fault.File, faults[n] = name, fault
		} else {
			faults[n] = fmt.Errorf("%s: %w", name, err)
		}
	}
	return errors.Join(faults...)
}

// readDeployment reads the deployment of a flag, in JSON or YAML, and returns the content of the file, too.
func readDeployment(flag, name string) (d *deployment.Deployment, content []byte, err error) {
	if name == "" {
		return nil, nil, fmt.Errorf("-%s is empty: name the file of a deployment, such as authz.json; if a variable should supply the name, set the variable", flag)
	}
	if content, err = os.ReadFile(name); err != nil { //nolint:gosec // the user names the file
		return nil, nil, fmt.Errorf("-%s: %w", flag, unreadable(name, err))
	}
	text, err := toJSON(name, content)
	if err == nil {
		d, err = deployment.Parse(name, text)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("-%s: %w", flag, err)
	}
	return d, content, nil
}

// unreadable returns why the file of a deployment cannot be read, and what to do.
func unreadable(name string, err error) error {
	if info, statErr := os.Stat(name); statErr == nil && info.IsDir() {
		return fmt.Errorf("%s is a folder: name the file of the deployment, such as %s", name, filepath.Join(name, "authz.json"))
	}
	switch folder, folderErr := os.Getwd(); {
	case errors.Is(err, fs.ErrNotExist) && filepath.Base(name) == name && folderErr == nil:
		return fmt.Errorf("%s does not exist in %s: name the file of the deployment", name, folder)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: name the file of the deployment", err)
	default:
		return err
	}
}

// yamlToJSON returns a YAML document as JSON with the same lines, for a strict parser. The error names every value that
// YAML could read in another way than its author.
func yamlToJSON(text []byte) ([]byte, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var root yaml.Node
	if err := decoder.Decode(&root); errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty: write the document in JSON or YAML")
	} else if err != nil {
		return nil, syntaxFault(text, err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("it has more than one YAML document: write one document in a file")
	}
	w := yamlWriter{line: 1}
	w.write(root.Content[0])
	return w.out.Bytes(), errors.Join(w.faults...)
}

// syntaxError matches an error of the parser.
var syntaxError = regexp.MustCompile(`^yaml: (?:line ([0-9]+): )?(.*)$`)

// syntaxFault returns what is wrong with the syntax of YAML. An error about an anchor repeats a value of the file.
func syntaxFault(text []byte, err error) error {
	fault, cause := &document.Fault{Line: 1}, ""
	if match := syntaxError.FindStringSubmatch(err.Error()); match != nil && !strings.Contains(match[2], "anchor") {
		if line, err := strconv.Atoi(match[1]); err == nil {
			fault.Line = line
		}
		cause = match[2] + ": "
	}
	advice := "a text that begins with *, ! or { needs quotes"
	if tabs.Match(text) {
		advice = "indent with spaces, not with tabs"
	}
	fault.Text = "it is neither a JSON object nor YAML: " + cause + advice
	return fault
}

// tabs matches a tab with which a line is indented.
var tabs = regexp.MustCompile(`(?m)^ *\t`)

// A yamlWriter writes YAML as JSON.
type yamlWriter struct {
	out    bytes.Buffer
	line   int    // that out has reached
	path   string // of the value
	faults []error
}

func (w *yamlWriter) fault(node *yaml.Node, text string) {
	w.faults = append(w.faults, &document.Fault{Line: node.Line, Path: w.path, Text: text})
}

// writeAt writes a member, given its path.
func (w *yamlWriter) writeAt(path string, node *yaml.Node) {
	outer := w.path
	w.path = path
	w.write(node)
	w.path = outer
}

func (w *yamlWriter) write(node *yaml.Node) {
	for ; w.line < node.Line; w.line++ {
		w.out.WriteByte('\n')
	}
	switch {
	case node.Kind == yaml.AliasNode || node.Anchor != "":
		w.fault(node, "is an anchor or alias of YAML: write the value itself, and a text that begins with * or & in quotes")
		return
	case node.Style&yaml.TaggedStyle != 0:
		w.fault(node, "has a tag of YAML: write the value without it, and a text that begins with ! in quotes")
		return
	}
	switch node.Kind {
	case yaml.MappingNode:
		w.out.WriteByte('{')
		for n := 0; n < len(node.Content); n += 2 {
			if n > 0 {
				w.out.WriteByte(',')
			}
			name := node.Content[n]
			if name.Kind == yaml.ScalarNode && isText(name) {
				w.write(name)
			} else {
				w.fault(name, "has a name that is not a text: write the name in quotes")
			}
			w.out.WriteByte(':')
			w.writeAt(document.Below(w.path, name.Value), node.Content[n+1])
		}
		w.out.WriteByte('}')
	case yaml.SequenceNode:
		w.out.WriteByte('[')
		for n, child := range node.Content {
			if n > 0 {
				w.out.WriteByte(',')
			}
			w.writeAt(fmt.Sprintf("%s[%d]", w.path, n), child)
		}
		w.out.WriteByte(']')
	default:
		w.writeScalar(node)
	}
}

func (w *yamlWriter) writeScalar(node *yaml.Node) {
	switch {
	case isText(node):
		text, _ := json.Marshal(node.Value) // a string has no error
		w.out.Write(text)
	case node.Value == "true", node.Value == "false", node.Value == "null", integer.MatchString(node.Value): // the parser knows where these may stand
		w.out.WriteString(node.Value)
	case node.Value == "":
		w.fault(node, "has no value: write one, or remove the name")
	default:
		w.fault(node, `may be a number, a date, a boolean or null in YAML: write a text in quotes, as "1" and "yes", and a boolean as true or false`)
	}
}

// integer matches what every version of YAML reads as the same number.
var integer = regexp.MustCompile(`^(0|-?[1-9][0-9]*)$`)

// isText reports whether every version of YAML reads a scalar as a text.
func isText(node *yaml.Node) bool {
	const quoted = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	if node.Style&quoted != 0 {
		return true
	}
	booleans := []string{"y", "n", "yes", "no", "on", "off"}
	return node.Tag == "!!str" && !slices.Contains(booleans, strings.ToLower(node.Value)) && !looksNumeric(node.Value)
}

// looksNumeric reports whether a text is made of what numbers and dates are made of, such as 12:30, a number of base
// 60 in YAML 1.1.
func looksNumeric(text string) bool {
	return strings.ContainsAny(text, "0123456789") && strings.Trim(text, "0123456789:._+-TtZz ") == ""
}
