package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

const nameUnlimited = nameOurs + ", no limit"

func refuseTitle(kind string) string { return "refuse ES384, " + kind + ", at the verifier" }

func refuseGroup(ctx context.Context, b *bench) error {
	bad := b.issuer.refusals("ES384")
	kinds := []string{expired, wrongIssuer, wrongType, garbage, forged}
	if err := refuseAtVerifier(ctx, b, kinds, bad); err != nil {
		return err
	}
	return refuseAtHandler(ctx, b, kinds, bad)
}

func refuseAtVerifier(ctx context.Context, b *bench, kinds []string, bad map[string]string) error {
	verifier, err := b.issuer.verifier()
	if err != nil {
		return err
	}
	if err := checkAccepted(ctx, ours(verifier), b.issuer.global("ES384")); err != nil { // so that there are keys
		return err
	}
	unlimited, err := b.issuer.verifier(token.WithSignatureLimit(1 << 20))
	if err != nil {
		return err
	}
	peers, err := newPeers(ctx, b.issuer)
	if err != nil {
		return err
	}
	for _, kind := range kinds {
		c := contest{
			title: refuseTitle(kind), reference: nameOurs,
			contenders: []contender{{nameOurs, refuses(ctx, ours(verifier), bad[kind])}},
		}
		if kind == forged {
			c.contenders = append(c.contenders, contender{nameUnlimited, refuses(ctx, ours(unlimited), bad[kind])})
			c.note = "For us that is mostly waiting: signatures that do not match get a part of the time only. See flood."
		}
		var blind []string
		for _, p := range peers {
			if kind == wrongType && p.anyType {
				blind = append(blind, p.name)
				continue
			}
			c.contenders = append(c.contenders, contender{p.name, refuses(ctx, p.verify, bad[kind])})
		}
		if len(blind) > 0 {
			c.note = "Accepted by " + strings.Join(blind, ", ") + "."
		}
		if err := b.compare(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// refuseAtHandler sends the same tokens to a handler, whose answer tells the reason.
func refuseAtHandler(ctx context.Context, b *bench, kinds []string, bad map[string]string) error {
	guard, err := b.issuer.guard()
	if err != nil {
		return err
	}
	keyfunc, err := newKeyfunc(ctx, b.issuer)
	if err != nil {
		return err
	}
	guarded := productsHandler(guard.HandlerOption())
	if err := newMemoryCall(ctx, guarded, listProducts, b.issuer.global("ES384"), http.StatusOK).check(); err != nil {
		return err
	}
	const missing = "no token"
	for _, kind := range append([]string{missing}, kinds...) {
		c := contest{title: "refuse ES384, " + kind + ", in a handler without a network", reference: nameOurs}
		for _, each := range []struct {
			name    string
			handler http.Handler
		}{{nameOurs, guarded}, {nameKeyfunc, productsHandler(keyfunc.handlerOption())}} {
			if kind == wrongType && each.name == nameKeyfunc {
				continue // it accepts that
			}
			call := newMemoryCall(ctx, each.handler, listProducts, bad[kind], http.StatusUnauthorized)
			if kind == missing {
				call.request.Header.Del("Authorization")
			}
			if err := call.check(); err != nil {
				return fmt.Errorf("%s: %s: %w", c.title, each.name, err)
			}
			c.contenders = append(c.contenders, contender{each.name, repeat(call.do)})
		}
		if err := b.compare(ctx, c); err != nil {
			return err
		}
	}
	return nil
}
