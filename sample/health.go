package main

import (
	"context"
	"log/slog"
	"time"

	"connectrpc.com/grpchealth"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A healthChecker answers readiness probes: a server that cannot verify tokens should get
// no calls.
type healthChecker struct {
	services *grpchealth.StaticChecker
	verifier *token.Verifier
}

// Check implements [grpchealth.Checker].
func (h *healthChecker) Check(ctx context.Context, request *grpchealth.CheckRequest) (*grpchealth.CheckResponse, error) {
	response, err := h.services.Check(ctx, request)
	if err == nil && h.verifier.Ready(ctx) != nil {
		response.Status = grpchealth.StatusNotServing
	}
	return response, err
}

// logKeySet logs how each fetch of the issuer's keys went.
func logKeySet(logger *slog.Logger) func(token.KeySetEvent) {
	return func(event token.KeySetEvent) {
		attrs := []any{slog.String("issuer", event.Issuer), slog.Int("keys", event.Keys)}
		if !event.Fetched.IsZero() {
			attrs = append(attrs, slog.Duration("age", time.Since(event.Fetched).Round(time.Second)))
		}
		for _, reason := range event.Skipped {
			attrs = append(attrs, slog.String("skipped", reason.Error()))
		}
		if event.Err != nil {
			logger.Error("issuer keys unavailable", append(attrs, slog.String("cause", event.Err.Error()))...)
			return
		}
		logger.Info("issuer keys fetched", attrs...)
	}
}
