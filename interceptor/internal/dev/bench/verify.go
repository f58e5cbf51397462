package main

import (
	"context"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

const namePrimitive = "signature alone"

func verifyTitle(algorithm string) string { return "verify " + algorithm }

func verifyGroup(ctx context.Context, b *bench) error {
	peers, err := newPeers(ctx, b.issuer)
	if err != nil {
		return err
	}
	cached, err := b.issuer.verifier()
	if err != nil {
		return err
	}
	uncached, err := b.issuer.verifier(token.WithoutCache())
	if err != nil {
		return err
	}
	for _, algorithm := range algorithms {
		raw := b.issuer.global(algorithm)
		alone, err := primitive(b.issuer.keys[algorithm], raw)
		if err != nil {
			return err
		}
		c := contest{
			title:     verifyTitle(algorithm),
			note:      "A token of " + grouped(int64(len(raw))) + " bytes, the keys in memory.",
			reference: namePrimitive,
			contenders: []contender{
				{namePrimitive, alone},
				{nameOurs, accepts(ctx, ours(cached), raw)},
				{nameUncached, accepts(ctx, ours(uncached), raw)},
			},
		}
		for _, p := range peers {
			c.contenders = append(c.contenders, contender{p.name, accepts(ctx, p.verify, raw)})
		}
		if err := b.compare(ctx, c); err != nil {
			return err
		}
	}
	return nil
}
