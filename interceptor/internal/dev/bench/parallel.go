package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
)

// parallelGroup has tokens verified that are cached already. Time is the wall's,
// divided by all calls: a ratio of one half on two processors is perfect, if there are two
// for us alone, which those tell who share nothing.
func parallelGroup(ctx context.Context, b *bench) error {
	verifier, err := b.issuer.verifier()
	if err != nil {
		return err
	}
	keyfunc, err := newKeyfunc(ctx, b.issuer)
	if err != nil {
		return err
	}
	handmade := &prototype{verifier: keyfunc}
	for _, tokens := range []int{1, 1000} {
		raws := make([]string, tokens)
		for n := range raws {
			raws[n] = b.issuer.global("EdDSA", "jti", strconv.Itoa(n))
		}
		for _, v := range []struct {
			name   string
			verify verifyFunc
		}{
			{nameControl, hashAlone},
			{nameOurs, ours(verifier)},
			{namePrototype, handmade.verify},
		} {
			if err := verifyAll(ctx, v.verify, raws); err != nil {
				return err
			}
			const alone = "1 goroutine"
			c := contest{
				title: fmt.Sprintf("%s, %s in parallel", v.name, plural(tokens, "cached token")), reference: alone,
				contenders: []contender{{alone, anyOf(ctx, v.verify, raws)}},
			}
			for _, perCore := range []int{1, 2, 4, 8} {
				goroutines := perCore * runtime.GOMAXPROCS(0)
				c.contenders = append(c.contenders, contender{
					plural(goroutines, "goroutine"), spread(goroutines, anyOf(ctx, v.verify, raws)),
				})
			}
			if err := b.compare(ctx, c); err != nil {
				return err
			}
		}
	}
	return nil
}

const nameControl = "a hash, which shares nothing"

func hashAlone(_ context.Context, raw string) (string, error) {
	var data [1024]byte
	if sum := sha256.Sum256(data[:copy(data[:], raw)]); sum == [sha256.Size]byte{} {
		return "", errors.New("no hash")
	}
	return subject, nil
}

// anyOf makes an operation that verifies tokens, each goroutine beginning elsewhere.
func anyOf(ctx context.Context, verify verifyFunc, raws []string) operation {
	return func(n int) error {
		next := rand.IntN(len(raws)) //nolint:gosec // it hides nothing
		for range n {
			if err := checkAccepted(ctx, verify, raws[next]); err != nil {
				return err
			}
			if next++; next == len(raws) {
				next = 0
			}
		}
		return nil
	}
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return grouped(int64(n)) + " " + noun + "s"
}
