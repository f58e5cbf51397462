package token

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
	"github.com/protoauthz/protoauthz/interceptor/internal/help"
)

// WithLogger logs failed fetches of key sets, as warnings: the URL of the issuer, the cause with its remedy, and, as
// help, the URL of the documentation. The first success after a failure is a line too, and so are keys that are not
// used, whenever their list changes. A failing issuer has at most one line in a second. A line holds nothing of a token
// or a key. No call waits for the logger, and the panics of the logger are dropped.
//
// Given twice, the last logger counts. A nil logger is a fault. The default is [WithDefaultLog], and no log with
// [WithKeySetObserver].
func WithLogger(logger *slog.Logger) Option {
	return func(o *options) {
		if logger == nil {
			o.faults = append(o.faults, errors.New("token: WithLogger: logger is nil: for slog.Default use WithDefaultLog"))
		}
		o.logger = logger
	}
}

// WithDefaultLog logs to [slog.Default], as it is when a line is written, also beside an observer of key sets. The
// lines are the lines of [WithLogger], which takes the place of the default log.
func WithDefaultLog() Option {
	return func(o *options) { o.logsAnyway = true }
}

// log returns the function that finds the logger, or nil if nothing is logged.
func (o *options) log() func() *slog.Logger {
	logger := o.logger
	switch {
	case logger != nil:
		return func() *slog.Logger { return logger }
	case o.logsAnyway || len(o.observers) == 0:
		return slog.Default
	default:
		return nil
	}
}

// linePause is the shortest time between two warnings about one issuer.
const linePause = time.Second

// A keyLog turns the outcomes of fetches into lines. It is guarded by the mutex of its source, so that the lines
// have the order of the fetches.
type keyLog struct {
	failing  bool // as far as the log has told
	failedAt time.Time
	skipped  string
}

// A keyLine is a line of a log.
type keyLine struct {
	level   slog.Level
	message string
	attrs   []slog.Attr
}

// lines returns what a log tells about the outcome of a fetch. The cause is nil for a success.
func (l *keyLog) lines(event KeySetEvent, cause error, now time.Time) (lines []keyLine) {
	issuer := slog.String("issuer", endpoint.DisplayURL(event.Issuer))
	if cause != nil {
		if now.Sub(l.failedAt) < linePause {
			return nil
		}
		l.failing, l.failedAt = true, now
		return []keyLine{{slog.LevelWarn, "protoauthz: the keys of an issuer cannot be fetched", []slog.Attr{issuer, slog.String("cause", cause.Error()), help.Attr(help.KeysUnavailable)}}}
	}
	if l.failing {
		l.failing = false
		lines = append(lines, keyLine{slog.LevelInfo, "protoauthz: the keys of an issuer are fetched again", []slog.Attr{issuer}})
	}
	skipped := skippedText(event.Skipped)
	if skipped != l.skipped && skipped != "" {
		lines = append(lines, keyLine{slog.LevelInfo, "protoauthz: some keys of an issuer are not used", []slog.Attr{issuer, slog.String("cause", skipped), help.Attr(help.KeysUnavailable)}})
	}
	l.skipped = skipped
	return lines
}

// skippedText tells why keys are not used. It names a few of them.
func skippedText(skipped []error) string {
	var texts []string
	for _, err := range skipped[:min(len(skipped), maxNames)] {
		texts = append(texts, err.Error())
	}
	text := strings.Join(texts, "; ")
	if more := len(skipped) - maxNames; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}

// write writes lines to the log. The log decides nothing, so write drops its panics.
func (s *source) write(lines []keyLine) {
	defer func() { _ = recover() }()
	for _, line := range lines {
		s.logger().LogAttrs(context.Background(), line.level, line.message, line.attrs...)
	}
}
