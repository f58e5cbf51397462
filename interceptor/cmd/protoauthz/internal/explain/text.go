package explain

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/terminal"
)

// marks are the texts and styles of the statuses.
var marks = map[Status]struct {
	text  string
	style terminal.Style
}{
	StatusPassed:     {"ok", terminal.Green},
	StatusRefused:    {"REFUSED", terminal.Red},
	StatusNotReached: {"-", terminal.Faint},
	StatusNotMade:    {"?", terminal.Yellow},
	StatusNotNeeded:  {"", terminal.Faint},
}

// WriteText writes the explanation for people.
func (e *Explanation) WriteText(w io.Writer, painter terminal.Painter) error {
	var out strings.Builder
	out.WriteString(terminal.Escape(e.Procedure) + ": ")
	switch e.Decision {
	case Refused:
		if !e.Enforced {
			out.WriteString("would be ")
		}
		out.WriteString(painter.Paint(terminal.Red, "refused") + ", " + e.Code + " " + string(e.Reason))
		if e.Message > 0 {
			_, _ = fmt.Fprintf(&out, ", at message %d", e.Message)
		}
	case Awaits:
		out.WriteString(painter.Paint(terminal.Green, "let in") + " once its message names " + terminal.Escape(e.awaited))
	case Allowed:
		out.WriteString(painter.Paint(terminal.Green, "let in"))
	}
	if !e.Enforced {
		out.WriteString("; " + painter.Paint(terminal.Yellow, "the rule is not enforced"))
	}
	out.WriteString("\n")
	if len(e.Ways) > 0 {
		e.writeWays(&out, painter)
	} else if e.Rule != "" {
		out.WriteString("rule: " + terminal.Escape(e.Rule) + "\n")
	}
	public := e.status(CheckSignature) == StatusNotNeeded
	if e.keyless && !public && e.Token != nil {
		out.WriteString(painter.Paint(terminal.Yellow, "THE SIGNATURE IS NOT VERIFIED: a server may refuse what is let in here. Give -issuer-file FILE, or -issuer URL for Logto, Auth0 and AuthAction, to verify it.") + "\n")
	}
	out.WriteString("\n")
	if len(e.Ways) > 0 && e.Ways[0].Status != StatusNotReached {
		_, _ = fmt.Fprintf(&out, "way %d, which %s:\n", e.Way, map[Decision]string{Refused: "came furthest", Allowed: "lets the call in", Awaits: "awaits the message"}[e.Decision])
	}
	for _, step := range e.Steps {
		if public && step.Status == StatusNotNeeded {
			continue
		}
		mark := marks[step.Status]
		text := terminal.Escape(step.About)
		if step.Status == StatusNotReached {
			text = "not reached: " + text
		}
		// Padded before it is painted: escape sequences have no width.
		padded := mark.text + strings.Repeat(" ", 9-len(mark.text))
		line := painter.Paint(mark.style, padded) + fmt.Sprintf("%-15s", step.Check) + text
		if mark.style == terminal.Faint {
			line = painter.Paint(terminal.Faint, padded+fmt.Sprintf("%-15s", step.Check)+text)
		}
		out.WriteString("  " + line + "\n")
		if step.Change != "" {
			out.WriteString(strings.Repeat(" ", 2+9+15) + "to change: " + terminal.Escape(step.Change) + "\n")
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

// writeWays writes the ways in, with the check that each does not pass.
func (e *Explanation) writeWays(out *strings.Builder, painter terminal.Painter) {
	_, _ = fmt.Fprintf(out, "rule: %d ways in\n", len(e.Ways))
	for _, way := range e.Ways {
		mark := marks[way.Status]
		_, _ = fmt.Fprintf(out, "  %2d  %s%s\n", way.Number, painter.Paint(mark.style, mark.text+strings.Repeat(" ", 9-len(mark.text))), terminal.Escape(way.Rule))
		if way.Status != StatusRefused {
			continue
		}
		at := ""
		if way.Message > 0 {
			at = fmt.Sprintf(" at message %d", way.Message)
		}
		_, _ = fmt.Fprintf(out, "%sby the check of the %s%s; to change: %s\n", strings.Repeat(" ", 2+2+2+9), way.Check, at, terminal.Escape(way.Change))
	}
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
	_, _ = fmt.Fprintf(w, "  header\t%s\n  claims\t%s\n", terminal.Escape(string(t.Header)), terminal.Escape(string(t.Claims)))
	for _, at := range t.Times {
		_, _ = fmt.Fprintf(w, "  %s\t%s, %s\n", at.Claim, at.Time.Format(time.RFC3339), at.Note)
	}
	return w.Flush()
}
