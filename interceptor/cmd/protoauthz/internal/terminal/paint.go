package terminal

// A Style is a colour or a weight that is legible on light and dark terminals.
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

// A Painter gives styles to text. The Painter false gives none.
type Painter bool

// Paint returns the text in a style. It does not escape the text.
func (p Painter) Paint(style Style, text string) string {
	if !p || style == Plain || text == "" {
		return text
	}
	return "\x1b[" + string(style) + "m" + text + "\x1b[0m"
}
