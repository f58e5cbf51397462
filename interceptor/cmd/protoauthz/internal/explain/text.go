package explain

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/visible"
)

const (
	red, green, yellow, dim, plain = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[2m", "\x1b[0m"
)

// marks are how the statuses are shown.
var marks = map[Status]struct{ text, color string }{
	StatusPassed:     {"ok", green},
	StatusRefused:    {"REFUSED", red},
	StatusNotReached: {"-", dim},
	StatusNotMade:    {"?", yellow},
	StatusNotNeeded:  {"", dim},
}

// WriteText writes the explanation for people, in colours or not.
func (e *Explanation) WriteText(w io.Writer, colours bool) error {
	paint := func(color, text string) string {
		if !colours || text == "" {
			return text
		}
		return color + text + plain
	}
	var out strings.Builder
	out.WriteString(visible.Text(e.Procedure) + ": ")
	switch e.Decision {
	case Refused:
		out.WriteString(paint(red, "refused") + ", " + e.Code + " " + string(e.Reason))
		if e.Message > 0 {
			_, _ = fmt.Fprintf(&out, ", at message %d", e.Message)
		}
	case Awaits:
		out.WriteString(paint(green, "let in") + " once its message names the organization " + visible.Text(e.Organization))
	case Allowed:
		out.WriteString(paint(green, "let in"))
	}
	out.WriteString("\n")
	if e.Rule != "" {
		out.WriteString("rule: " + visible.Text(e.Rule) + "\n")
	}
	public := e.status(CheckSignature) == StatusNotNeeded
	if e.keyless && !public && e.Token != nil {
		out.WriteString(paint(yellow, "THE SIGNATURE IS NOT VERIFIED: a server may refuse what is let in here. Give -issuer URL to verify it.") + "\n")
	}
	out.WriteString("\n")
	for _, step := range e.Steps {
		if public && step.Status == StatusNotNeeded {
			continue
		}
		mark := marks[step.Status]
		text := visible.Text(step.About)
		if step.Status == StatusNotReached {
			text = "not reached: " + text
		}
		// Colours take no room.
		padded := mark.text + strings.Repeat(" ", 9-len(mark.text))
		line := paint(mark.color, padded) + fmt.Sprintf("%-15s", step.Check) + text
		if mark.color == dim {
			line = paint(dim, padded+fmt.Sprintf("%-15s", step.Check)+text)
		}
		out.WriteString("  " + line + "\n")
		if step.Change != "" {
			out.WriteString(strings.Repeat(" ", 2+9+15) + "to change: " + visible.Text(step.Change) + "\n")
		}
	}
	if e.Token != nil {
		if err := e.Token.write(&out); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func (e *Explanation) status(check Check) Status {
	for _, step := range e.Steps {
		if step.Check == check {
			return step.Status
		}
	}
	return StatusNotReached
}

func (t *Token) write(out *strings.Builder) error {
	out.WriteString("\ntoken, without its signature:\n")
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(w, "  header\t%s\n  claims\t%s\n", visible.Text(string(t.Header)), visible.Text(string(t.Claims)))
	for _, at := range t.Times {
		_, _ = fmt.Fprintf(w, "  %s\t%s, %s\n", at.Claim, at.Time.Format(time.RFC3339), at.Note)
	}
	return w.Flush()
}
