package main

import (
	"context"

	"connectrpc.com/grpchealth"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A healthChecker answers readiness probes. A server that cannot verify tokens is not ready for calls.
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
