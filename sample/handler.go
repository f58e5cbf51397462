package main

import (
	"errors"
	"log/slog"
	"net/http"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
	"connectrpc.com/grpcreflect"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/gen/sample/v1/samplev1connect"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/deployment"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/probe"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// maxMessageBytes is the largest request message, compressed or not: connect-go has no default limit.
const maxMessageBytes = 4 << 20

// wellKnown are services that everybody may call. Their .proto files belong to others, so no annotation makes them public.
var wellKnown = []string{grpchealth.HealthV1ServiceName, grpcreflect.ReflectV1ServiceName, grpcreflect.ReflectV1AlphaServiceName}

// newHandler puts the services behind a guard, and lets web pages of the origins call them. The server does not start if
// a method has no rule.
func newHandler(d deployment.Deployment, origins []string, logger *slog.Logger) (http.Handler, error) {
	verifier, verifierErr := d.NewVerifier(token.WithLogger(logger))
	table, tableErr := d.Compile(policy.Linked("sample"))
	if err := errors.Join(verifierErr, tableErr); err != nil {
		return nil, err
	}
	guard := interceptor.New(verifier, table, interceptor.WithLogger(logger))

	// Every handler gets the same options: a handler without the guard's option is open.
	options := connect.WithHandlerOptions(guard.HandlerOption(), connect.WithReadMaxBytes(maxMessageBytes))
	names := []string{
		samplev1connect.CatalogServiceName,
		samplev1connect.MemberServiceName,
		samplev1connect.DocumentServiceName,
		samplev1connect.AccountServiceName,
	}
	reflector := grpcreflect.NewStaticReflector(names...)
	organizations := seedOrganizations()
	mux := http.NewServeMux()
	mux.Handle(samplev1connect.NewCatalogServiceHandler(&catalogService{
		info:     &samplev1.GetInfoResponse{Name: "protoauthz sample", Issuer: d.Issuers[0].URL, Audience: d.Audience},
		products: seedProducts(),
	}, options))
	mux.Handle(samplev1connect.NewMemberServiceHandler(&memberService{organizations: organizations}, options))
	mux.Handle(samplev1connect.NewDocumentServiceHandler(&documentService{organizations: organizations}, options))
	mux.Handle(samplev1connect.NewAccountServiceHandler(&accountService{accounts: seedAccounts()}, options))
	mux.Handle(grpchealth.NewHandler(probe.Checker(verifier, probe.WithServices(names...)), options))
	mux.Handle(grpcreflect.NewHandlerV1(reflector, options))
	mux.Handle(grpcreflect.NewHandlerV1Alpha(reflector, options))
	return allowOrigins(origins, interceptor.DeadlineHandler(mux)), nil
}
