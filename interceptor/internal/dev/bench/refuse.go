package main

import (
	"context"
	"net/http"
	"strings"
)

func refuseTitle(kind string) string { return "refuse " + usual + ", " + kind }

func refuseGroup(ctx context.Context, b *bench) error {
	peers, err := newPeers(ctx, b.issuer)
	if err != nil {
		return err
	}
	bad := b.issuer.refusals(usual)
	kinds := []string{expired, wrongIssuer, wrongType, garbage, forged}
	for _, kind := range kinds {
		if err := b.compare(ctx, refuseAtVerifier(ctx, peers, kind, bad[kind])); err != nil {
			return err
		}
	}
	for _, kind := range append([]string{"no token"}, kinds...) {
		c := contest{title: refuseTitle(kind) + ", in a handler without a network"}
		for _, w := range b.ways() {
			if w.name == nameOpen || kind == wrongType && w.name != nameOurs { // both accept
				continue
			}
			if err := newMemoryCall(ctx, w.handler, b.issuer.token(usual), http.StatusOK).do(); err != nil { // so that there are keys
				return err
			}
			c.contenders = append(c.contenders, contender{w.name, newMemoryCall(ctx, w.handler, bad[kind], http.StatusUnauthorized).op()})
		}
		if err := b.compare(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func refuseAtVerifier(ctx context.Context, peers []peer, kind, raw string) contest {
	c := contest{title: refuseTitle(kind)}
	if kind == forged {
		c.note = "Our default limit makes forged tokens wait. See flood."
	}
	var accepting []string
	for _, p := range peers {
		switch {
		case p.name == nameUncached || p.name == nameUnlimited && kind != forged: // as by default
		case p.anyType && kind == wrongType:
			accepting = append(accepting, p.name)
		default:
			c.contenders = append(c.contenders, contender{p.name, refuses(ctx, p.verify, raw)})
		}
	}
	if len(accepting) > 0 {
		c.note = "Accepted by " + strings.Join(accepting, ", ") + "."
	}
	return c
}
