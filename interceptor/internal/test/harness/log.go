package harness

import (
	"bytes"
	"log"
	"log/slog"
	"testing"
)

// Logged replaces the logger of the process until the test ends, and returns its text. The test must not be
// parallel.
func Logged(t *testing.T) *bytes.Buffer {
	t.Helper()
	text, before, writer, flags := new(bytes.Buffer), slog.Default(), log.Writer(), log.Flags()
	slog.SetDefault(slog.New(slog.NewTextHandler(text, nil)))
	t.Cleanup(func() {
		slog.SetDefault(before)
		log.SetOutput(writer) // which slog.SetDefault has changed
		log.SetFlags(flags)
	})
	return text
}
