package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

func growthGroup(ctx context.Context, b *bench) error {
	for _, grow := range []func(context.Context, *bench) error{
		growTokens, growKeys, growIssuers, growProcedures, growScopes, reportEntry, reportDistinct,
	} {
		if err := grow(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// distinct mints tokens that differ, on all processors.
func (i *issuer) distinct(n int) []string {
	mint := i.serial()
	raws := make([]string, n)
	inParallel(n, func(k int) { raws[k] = mint(k) })
	return raws
}

// serial mints tokens that differ, by the fastest algorithm and without making their JSON
// anew.
func (i *issuer) serial() func(k int) string {
	const number = "serial number"
	key := i.keys["EdDSA"]
	header, text := key.Header(), i.payload("jti", number)
	return func(k int) string { return key.Mint(header, strings.Replace(text, number, strconv.Itoa(k), 1)) }
}

// inParallel calls a function for each number below n.
func inParallel(n int, call func(k int)) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for k := int(next.Add(1)) - 1; k < n; k = int(next.Add(1)) - 1 {
				call(k)
			}
		})
	}
	all.Wait()
}

// growTokens asks for tokens in an order that no processor's cache can guess.
func growTokens(ctx context.Context, b *bench) error {
	sizes := []int{1, 100, 10_000}
	if b.long {
		sizes = append(sizes, 1_000_000)
	}
	table, err := rules()
	if err != nil {
		return err
	}
	keyfunc, err := newKeyfunc(ctx, b.issuer)
	if err != nil {
		return err
	}
	handmade := &prototype{verifier: keyfunc}
	c := contest{
		title: "interceptor alone, by tokens that are cached", reference: nameOurs + ", 1 token",
		note:  "Most of what is more is the memory's: the tokens and what is kept of them fit into no processor's cache.",
		hoard: b.long,
	}
	for _, size := range sizes {
		verifier, err := b.issuer.verifier(token.WithCache(size), token.WithSignatureLimit(runtime.GOMAXPROCS(0)))
		if err != nil {
			return err
		}
		raws := b.issuer.distinct(size)
		if err := verifyAll(ctx, ours(verifier), raws); err != nil {
			return err
		}
		shuffle(raws)
		of := ", " + plural(size, "token")
		c.contenders = append(c.contenders, contender{nameOurs + of, throughTokens(ctx, interceptor.New(verifier, table).Interceptor(), raws)})
		if size <= 10_000 { // more take minutes, and tell the same
			if err := verifyAll(ctx, handmade.verify, raws); err != nil {
				return err
			}
			c.contenders = append(c.contenders, contender{namePrototype + of, throughTokens(ctx, handmade.interceptor(), raws)})
		}
		if stats := verifier.Stats(); stats.Entries != size {
			return fmt.Errorf("%d tokens are cached, not %d", stats.Entries, size)
		}
	}
	return b.compare(ctx, c)
}

func shuffle(all []string) {
	rand.Shuffle(len(all), func(k, l int) { all[k], all[l] = all[l], all[k] }) //nolint:gosec // it hides nothing
}

// throughTokens is through with a token for each call.
func throughTokens(ctx context.Context, guard connect.Interceptor, raws []string) operation {
	authorizations := make([]string, len(raws))
	for k, raw := range raws {
		authorizations[k] = "Bearer " + raw
	}
	request := newDirectRequest(listProducts, "")
	values := request.header["Authorization"]
	return throughEach(ctx, guard, request, len(raws), func(k int) { values[0] = authorizations[k] })
}

// verifyAll verifies tokens, on all processors.
func verifyAll(ctx context.Context, verify verifyFunc, raws []string) error {
	errs := make([]error, len(raws))
	inParallel(len(raws), func(k int) { errs[k] = checkAccepted(ctx, verify, raws[k]) })
	return errors.Join(errs...)
}

// elsewhere is the issuer of these keys, without a network.
func elsewhere(keys []*tokens.Key) (token.Issuer, *tokens.IDP) {
	issuer := token.Logto(tokens.I1.URL)
	issuer.Algorithms = []string{"EdDSA"}
	return issuer, tokens.NewIDP(tokens.JWKs(keys...)...)
}

func growKeys(ctx context.Context, b *bench) error {
	table, err := rules()
	if err != nil {
		return err
	}
	known := contest{title: "interceptor alone, by keys of the issuer", reference: "1 key"}
	anew := contest{title: "verify EdDSA uncached, by keys of the issuer", reference: "1 key"}
	for _, size := range []int{1, 10, 50} {
		var keys []*tokens.Key
		for n := range size {
			keys = append(keys, tokens.NewEd25519("key "+strconv.Itoa(n)))
		}
		issuer, idp := elsewhere(keys)
		cached, err := token.NewVerifier(issuer, token.WithTransport(idp))
		if err != nil {
			return err
		}
		uncached, err := token.NewVerifier(issuer, token.WithTransport(idp), token.WithoutCache())
		if err != nil {
			return err
		}
		last := keys[size-1]
		raw := last.Mint(last.Header(), payload(last.Issuer, b.issuer.lifetime))
		name := plural(size, "key")
		known.contenders = append(known.contenders,
			contender{name, through(ctx, interceptor.New(cached, table).Interceptor(), newDirectRequest(listProducts, raw))})
		anew.contenders = append(anew.contenders, contender{name, accepts(ctx, ours(uncached), raw)})
	}
	if err := b.compare(ctx, known); err != nil {
		return err
	}
	return b.compare(ctx, anew)
}

func growIssuers(ctx context.Context, b *bench) error {
	table, err := rules()
	if err != nil {
		return err
	}
	c := contest{title: "interceptor alone, by issuers", note: "Each call bears the token of another issuer.", reference: "1 issuer"}
	for _, size := range []int{1, 5, 10} {
		idp := tokens.NewIDP()
		var issuers []token.Issuer
		var raws []string
		for n := range size {
			key := tokens.NewEd25519("key")
			key.Issuer = fmt.Sprintf("https://idp%d.test/oidc", n)
			idp.ServeIssuer(&tokens.Issuer{URL: key.Issuer}, key.JWK())
			issuer := token.Logto(key.Issuer)
			issuer.Algorithms = []string{"EdDSA"}
			issuers = append(issuers, issuer)
			raws = append(raws, key.Mint(key.Header(), payload(key.Issuer, b.issuer.lifetime)))
		}
		options := []token.Option{token.WithTransport(idp)}
		for _, issuer := range issuers[1:] {
			options = append(options, token.WithIssuer(issuer))
		}
		verifier, err := token.NewVerifier(issuers[0], options...)
		if err != nil {
			return err
		}
		c.contenders = append(c.contenders, contender{plural(size, "issuer"), throughTokens(ctx, interceptor.New(verifier, table).Interceptor(), raws)})
	}
	return b.compare(ctx, c)
}

func growProcedures(ctx context.Context, b *bench) error {
	verifier, err := b.issuer.verifier()
	if err != nil {
		return err
	}
	raw := b.issuer.global("ES384")
	c := contest{title: "interceptor alone, by procedures", note: "Each call is of another procedure.", reference: "1 procedure"}
	for _, size := range []int{1, 100, 5000} {
		table, procedures, err := tableOf(size, &authzv1.MethodRule{
			Model: authzv1.Model_MODEL_GLOBAL_RESOURCE, Scopes: requiredScopes[listProducts],
		})
		if err != nil {
			return err
		}
		shuffle(procedures)
		request := newDirectRequest(listProducts, raw)
		c.contenders = append(c.contenders, contender{
			plural(size, "procedure"),
			throughEach(ctx, interceptor.New(verifier, table).Interceptor(), request, size, func(k int) { request.spec.Procedure = procedures[k] }),
		})
	}
	return b.compare(ctx, c)
}

func growScopes(ctx context.Context, b *bench) error {
	verifier, err := b.issuer.verifier()
	if err != nil {
		return err
	}
	one := contest{title: "interceptor alone, by scopes of the token, of which the last is required", reference: "1 scope"}
	all := contest{title: "interceptor alone, by scopes of the token, of which all are required", reference: "1 scope"}
	for _, size := range []int{1, 20, 200} {
		scopes := make([]string, size)
		text := ""
		for n := range scopes {
			scopes[n] = "read:thing" + strconv.Itoa(n)
			text += " " + scopes[n]
		}
		raw := b.issuer.global("ES384", "scope", text[1:])
		for c, required := range map[*contest][]string{&one: scopes[size-1:], &all: scopes} {
			table, procedures, err := tableOf(1, &authzv1.MethodRule{Model: authzv1.Model_MODEL_GLOBAL_RESOURCE, Scopes: required})
			if err != nil {
				return err
			}
			c.contenders = append(c.contenders, contender{
				plural(size, "scope"), through(ctx, interceptor.New(verifier, table).Interceptor(), newDirectRequest(procedures[0], raw)),
			})
		}
	}
	if err := b.compare(ctx, one); err != nil {
		return err
	}
	return b.compare(ctx, all)
}

// reportEntry tells what a cached token takes. The tokens are there before, so what
// grows is what the verifier keeps.
func reportEntry(ctx context.Context, b *bench) error {
	const size = 10_000
	raws := b.issuer.distinct(size + 1)
	verifier, err := b.issuer.verifier(token.WithCache(size))
	if err != nil {
		return err
	}
	if err := verifyAll(ctx, ours(verifier), raws[size:]); err != nil { // so that there are keys
		return err
	}
	before := heap()
	if err := verifyAll(ctx, ours(verifier), raws[:size]); err != nil {
		return err
	}
	growth := heap() - before
	if entries := verifier.Stats().Entries; entries != size {
		return fmt.Errorf("%d tokens are cached, not %d", entries, size)
	}
	runtime.KeepAlive(raws)
	return b.report.table(table{
		title:   "memory of " + grouped(size) + " cached tokens",
		columns: []string{"", "size of a token", "heap of an entry, token included", "heap of all"},
		rows:    [][]string{{nameOurs, grouped(int64(len(raws[0]))) + " B", grouped(int64(growth/size)) + " B", megabytes(growth)}},
	})
}

// reportDistinct tells whether made-up traffic can fill the memory.
func reportDistinct(ctx context.Context, b *bench) error {
	size := b.distinct
	verifier, err := b.issuer.verifier()
	if err != nil {
		return err
	}
	if err := verifyAll(ctx, ours(verifier), b.issuer.distinct(1)); err != nil {
		return err
	}
	mint := b.issuer.serial()
	before, start := heap(), time.Now()
	var failed atomic.Pointer[error]
	inParallel(size, func(k int) {
		if _, err := verifier.Verify(ctx, mint(k)); err != nil {
			failed.Store(&err)
		}
	})
	if err := failed.Load(); err != nil {
		return *err
	}
	took := time.Since(start)
	growth := heap() - before
	stats := verifier.Stats()
	return b.report.table(table{
		title:   "memory after " + grouped(int64(size)) + " distinct tokens, default settings",
		note:    "Minting and verifying took " + took.Round(time.Second).String() + ".",
		columns: []string{"", "heap growth", "hits", "misses", "evictions", "busy", "entries"},
		rows: [][]string{{
			nameOurs, megabytes(growth), strconv.FormatUint(stats.Hits, 10), strconv.FormatUint(stats.Misses, 10),
			strconv.FormatUint(stats.Evictions, 10), strconv.FormatUint(stats.Busy, 10), strconv.Itoa(stats.Entries),
		}},
	})
}
