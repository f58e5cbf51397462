// Package help leads from a line of the log to the section of docs/troubleshooting.md about the line.
package help

import "log/slog"

const page = "https://github.com/protoauthz/protoauthz/blob/main/interceptor/docs/troubleshooting.md#"

// The sections about lines without a reason. The section of a reason has the name of the reason, in small letters.
const (
	KeysUnavailable = "keys_unavailable"
	EveryCallLetIn  = "every-call-is-let-in"
	NoTokenCanMeet  = "no-token-can-meet-a-rule"
)

// Attr returns the attribute "help": the URL of a section, which is named by the anchor of its heading.
func Attr(section string) slog.Attr { return slog.String("help", page+section) }
