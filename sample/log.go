package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// logDecision logs one line for each decision, without claims: the log does not name the caller.
func logDecision(logger *slog.Logger) func(context.Context, interceptor.Event) {
	return func(ctx context.Context, event interceptor.Event) {
		attrs := []slog.Attr{slog.String("procedure", event.Procedure)}
		if event.Denial == nil {
			logger.LogAttrs(ctx, slog.LevelInfo, "allowed", attrs...)
			return
		}
		attrs = append(attrs, slog.String("reason", string(event.Denial.Reason())))
		if cause := errors.Unwrap(event.Denial); cause != nil {
			attrs = append(attrs, slog.String("cause", cause.Error()))
		}
		logger.LogAttrs(ctx, slog.LevelWarn, "refused", attrs...)
	}
}

// logKeySet logs the outcome of each fetch of an issuer's keys. A failure is a warning if there are old keys,
// and an error if there are none.
func logKeySet(logger *slog.Logger) func(token.KeySetEvent) {
	return func(event token.KeySetEvent) {
		attrs := []slog.Attr{slog.String("issuer", event.Issuer), slog.Int("keys", event.Keys)}
		if !event.Fetched.IsZero() {
			attrs = append(attrs, slog.Duration("age", time.Since(event.Fetched).Round(time.Second)))
		}
		for _, reason := range event.Skipped {
			attrs = append(attrs, slog.String("skipped", reason.Error()))
		}
		level, text := slog.LevelInfo, "issuer keys fetched"
		if event.Err != nil {
			attrs = append(attrs, slog.String("cause", event.Err.Error()))
			level, text = slog.LevelWarn, "issuer keys not refreshed"
			if event.Keys == 0 {
				level, text = slog.LevelError, "no issuer keys"
			}
		}
		logger.LogAttrs(context.Background(), level, text, attrs...)
	}
}
