package main

import (
	"context"
	"net/http"

	"connectrpc.com/connect"
)

const (
	nameOpen       = "no auth"
	nameAuthnES384 = nameAuthn + ", ES384"

	handlerTitle = "handler without a network"
)

// A way is a handler with one kind of protection, and a token for it.
type way struct {
	name, raw string
	handler   http.Handler
}

// ways are all that protect a connect handler. The handlers do the same.
func ways(ctx context.Context, i *issuer) ([]way, error) {
	guard, err := i.guard()
	if err != nil {
		return nil, err
	}
	keyfunc, err := newKeyfunc(ctx, i)
	if err != nil {
		return nil, err
	}
	rs256, es384 := i.member("RS256"), i.member("ES384")
	return []way{
		{nameOpen, es384, documentsHandler()},
		{namePrototype, es384, documentsHandler(connect.WithInterceptors((&prototype{verifier: keyfunc}).interceptor()))},
		{nameOurs, es384, documentsHandler(guard.HandlerOption())},
		{nameKeyfuncRS256, rs256, documentsHandler(keyfunc.handlerOption())},
		{nameKeyfuncES384, es384, documentsHandler(keyfunc.handlerOption())},
		{nameAuthnES384, es384, authnMiddleware(keyfunc, documentsHandler())},
	}, nil
}

func handlerGroup(ctx context.Context, b *bench) error {
	all, err := ways(ctx, b.issuer)
	if err != nil {
		return err
	}
	c := contest{
		title: handlerTitle, note: "Unary, proto, an organization in the message. For us: gate and interceptor.",
		reference: nameOpen, added: true,
	}
	for _, w := range all {
		call := newMemoryCall(ctx, w.handler, listDocuments, w.raw, http.StatusOK)
		if err := call.check(); err != nil {
			return err
		}
		c.contenders = append(c.contenders, contender{w.name, repeat(call.do)})
	}
	return b.compare(ctx, c)
}
