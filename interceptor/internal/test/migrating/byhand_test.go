package migrating_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"connectrpc.com/connect"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"github.com/protoauthz/protoauthz/gen/sample/v1/samplev1connect"
)

// byHand is the interceptor that a program has before protoauthz, with the faults that such interceptors have.
type byHand struct{ keys keyfunc.Keyfunc }

// newByHand fetches the keys once.
func newByHand(ctx context.Context, keySet string) (*byHand, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, keySet, nil)
	if err != nil {
		return nil, err
	}
	response, err := new(http.Client).Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	keys, err := keyfunc.NewJWKSetJSON(json.RawMessage(text))
	return &byHand{keys}, err
}

// A caller is what handlers know of a call.
type caller struct {
	jwt.RegisteredClaims
	Scope        string `json:"scope"`
	Organization string `json:"organization_id"`
}

type callerKey struct{}

var (
	errToken  = connect.NewError(connect.CodeUnauthenticated, errors.New("invalid token"))
	errCaller = connect.NewError(connect.CodePermissionDenied, errors.New("not allowed"))
)

// scopeOf returns the scope that a procedure needs.
func scopeOf(procedure string) string {
	switch procedure {
	case samplev1connect.CatalogServiceListProductsProcedure:
		return "read:products"
	case samplev1connect.CatalogServiceCreateOrderProcedure:
		return "write:orders"
	case samplev1connect.DocumentServiceListDocumentsProcedure, samplev1connect.DocumentServiceGetDocumentProcedure:
		return "read:data"
	}
	return ""
}

// authenticate checks the header of a call.
func (b *byHand) authenticate(procedure string, header http.Header) (*caller, error) {
	if procedure == samplev1connect.CatalogServiceGetInfoProcedure {
		return nil, nil // everybody may call it
	}
	c := new(caller)
	raw := strings.TrimPrefix(header.Get("Authorization"), "Bearer ")
	if _, err := jwt.ParseWithClaims(raw, c, b.keys.Keyfunc); err != nil {
		return nil, errToken
	}
	if scope := scopeOf(procedure); scope != "" && !slices.Contains(strings.Fields(c.Scope), scope) {
		return nil, errCaller
	}
	return c, nil
}

// WrapUnary compares the organization of the message with the organization of the token.
func (b *byHand) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
		c, err := b.authenticate(request.Spec().Procedure, request.Header())
		if err != nil {
			return nil, err
		}
		message, ok := request.Any().(interface{ GetOrganizationId() string })
		if ok && message.GetOrganizationId() != c.Organization {
			return nil, errCaller
		}
		return next(context.WithValue(ctx, callerKey{}, c), request)
	}
}

// WrapStreamingHandler checks no message.
func (b *byHand) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		c, err := b.authenticate(conn.Spec().Procedure, conn.RequestHeader())
		if err != nil {
			return err
		}
		return next(context.WithValue(ctx, callerKey{}, c), conn)
	}
}

// WrapStreamingClient does nothing.
func (*byHand) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// callerFrom is what handlers call.
func callerFrom(ctx context.Context) *caller {
	c, _ := ctx.Value(callerKey{}).(*caller)
	return c
}
