package identify

import (
	"fmt"
	"go/format"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/terminal"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// goLiteral returns an issuer in Go, with remarks by the names of fields. A field without a value is a remark, too.
func goLiteral(issuer token.Issuer, remarks map[string]string) string {
	var out strings.Builder
	out.WriteString("issuer := token.Issuer{\n")
	for field, value := range reflect.ValueOf(issuer).Fields() {
		remark := remarks[field.Name]
		if !field.IsExported() || value.IsZero() && remark == "" {
			continue
		}
		for _, line := range terminal.Wrap(remark) {
			_, _ = fmt.Fprintf(&out, "\t// %s\n", line)
		}
		if value.IsZero() {
			_, _ = fmt.Fprintf(&out, "\t// %s: …\n", field.Name)
			continue
		}
		_, _ = fmt.Fprintf(&out, "\t%s: %s,\n", field.Name, goValue(value.Interface()))
	}
	out.WriteString("}\n")
	code, err := format.Source([]byte(out.String()))
	if err != nil {
		return out.String() // it compiles all the same
	}
	return string(code)
}

func goValue(value any) string {
	switch value := value.(type) {
	case []string:
		return "[]string" + goList(value)
	case map[string][]string:
		var entries []string
		for _, name := range slices.Sorted(maps.Keys(value)) {
			entries = append(entries, strconv.Quote(name)+": "+goList(value[name]))
		}
		return "map[string][]string{" + strings.Join(entries, ", ") + "}"
	default:
		return fmt.Sprintf("%#v", value)
	}
}

func goList(values []string) string {
	var texts []string
	for _, value := range values {
		text := strconv.Quote(value)
		if value == token.AnyValue {
			text = "token.AnyValue"
		}
		texts = append(texts, text)
	}
	return "{" + strings.Join(texts, ", ") + "}"
}
