package main

import "context"

func verifyTitle(algorithm string) string { return "verify " + algorithm }

func verifyGroup(ctx context.Context, b *bench) error {
	peers, err := newPeers(ctx, b.issuer)
	if err != nil {
		return err
	}
	for _, algorithm := range algorithms {
		raw := b.issuer.token(algorithm)
		c := contest{title: verifyTitle(algorithm), note: "A token of " + grouped(float64(len(raw))) + " bytes, the keys in memory."}
		for _, p := range peers {
			if p.name != nameUnlimited { // for bad tokens only
				c.contenders = append(c.contenders, contender{p.name, accepts(ctx, p.verify, raw)})
			}
		}
		if err := b.compare(ctx, c); err != nil {
			return err
		}
	}
	return nil
}
