package terminal

// A Style is a colour or a weight that terminals have, bright or dark.
type Style string

// The styles.
const (
	Plain  Style = ""
	Bold   Style = "1"
	Faint  Style = "2"
	Red    Style = "31"
	Green  Style = "32"
	Yellow Style = "33"
)

// A Painter gives text a style, if it is true.
type Painter bool

// Paint returns the text as a terminal shows it in the style. The text is not escaped.
func (p Painter) Paint(style Style, text string) string {
	if !p || style == Plain || text == "" {
		return text
	}
	return "\x1b[" + string(style) + "m" + text + "\x1b[0m"
}
