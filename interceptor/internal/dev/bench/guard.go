package main

import (
	"context"
	"errors"
	"net/http"

	"connectrpc.com/connect"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
)

const (
	namePrototype    = "prototype, cached"
	nameKeyfuncRS256 = nameKeyfunc + ", RS256"
	nameKeyfuncES384 = nameKeyfunc + ", ES384"

	guardTitle       = "interceptor alone, no organization"
	guardTitleMember = "interceptor alone, an organization in the message"
)

// A directRequest is a request to an interceptor that no handler calls.
type directRequest struct {
	connect.AnyRequest
	spec   connect.Spec
	header http.Header
}

// Spec implements [connect.AnyRequest].
func (r *directRequest) Spec() connect.Spec { return r.spec }

// Header implements [connect.AnyRequest].
func (r *directRequest) Header() http.Header { return r.header }

func newDirectRequest(procedure, raw string) *directRequest {
	request := &directRequest{
		spec:   connect.Spec{Procedure: procedure, StreamType: connect.StreamTypeUnary},
		header: http.Header{"Authorization": {"Bearer " + raw}, "Content-Type": {"application/proto"}},
	}
	if procedure == listDocuments {
		request.AnyRequest = connect.NewRequest(&samplev1.ListDocumentsRequest{OrganizationId: organization})
	} else {
		request.AnyRequest = connect.NewRequest(&samplev1.ListProductsRequest{})
	}
	return request
}

// through makes an operation of an interceptor around a handler that does nothing.
func through(ctx context.Context, interceptor connect.Interceptor, request *directRequest) operation {
	return throughEach(ctx, interceptor, request, 1, func(int) {})
}

// throughEach is through for n requests in turn. They are one request that is set to be
// each of them: as many requests would be too many for the processor's cache, where one
// that has just been read is.
func throughEach(ctx context.Context, interceptor connect.Interceptor, request *directRequest, n int, set func(k int)) operation {
	reply := connect.NewResponse(documents())
	call := interceptor.WrapUnary(func(context.Context, connect.AnyRequest) (connect.AnyResponse, error) { return reply, nil })
	next := 0
	return repeat(func() error {
		set(next)
		response, err := call(ctx, request)
		if err != nil {
			return err
		}
		if response != connect.AnyResponse(reply) {
			return errors.New("another response")
		}
		if next++; next == n {
			next = 0
		}
		return nil
	})
}

func guardGroup(ctx context.Context, b *bench) error {
	guard, err := b.issuer.guard()
	if err != nil {
		return err
	}
	keyfunc, err := newKeyfunc(ctx, b.issuer)
	if err != nil {
		return err
	}
	// The token is the same for all but keyfunc's RS256: a cached token has no algorithm.
	for _, each := range []struct {
		title, procedure, note string
		mint                   func(string, ...any) string
	}{
		{guardTitle, listProducts, "The gate, which no interceptor alone has, is part of the added time in a handler below.", b.issuer.global},
		{guardTitleMember, listDocuments, "keyfunc's interceptor does not look at the organization.", b.issuer.member},
	} {
		rs256, es384 := newDirectRequest(each.procedure, each.mint("RS256")), newDirectRequest(each.procedure, each.mint("ES384"))
		err := b.compare(ctx, contest{
			title: each.title, note: each.note, reference: namePrototype,
			contenders: []contender{
				{namePrototype, through(ctx, (&prototype{verifier: keyfunc}).interceptor(), es384)},
				{nameOurs, through(ctx, guard.Interceptor(), es384)},
				{nameKeyfuncRS256, through(ctx, keyfunc.interceptor(), rs256)},
				{nameKeyfuncES384, through(ctx, keyfunc.interceptor(), es384)},
			},
		})
		if err != nil {
			return err
		}
	}
	return nil
}
