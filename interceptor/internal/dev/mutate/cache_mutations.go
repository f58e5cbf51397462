package main

var cacheMutations = []mutation{
	{"cache: bound", "interceptor/internal/cache/cache.go", "if len(c.fresh)+len(c.old) == c.size {", "if false {"},
	{"cache: what is evicted goes", "interceptor/internal/cache/cache.go", "		c.entries.Delete(e.key)\n", ""},
	{"cache: second chance", "interceptor/internal/cache/cache.go", "if e.used.Swap(false) && tries > 0 {", "if false {"},
	{"cache: one chance for one use", "interceptor/internal/cache/cache.go", "if e.used.Swap(false) && tries > 0 {", "if e.used.Load() && tries > 0 {"},
	{"cache: scans", "interceptor/internal/cache/cache.go", "if len(c.fresh) > c.size/10 {", "if len(c.old) == 0 {"},
	{"cache: the search ends", "interceptor/internal/cache/cache.go", "tries > 0 {", "tries > -1_000_000 {"},
	{"cache: lookups count as use", "interceptor/internal/cache/cache.go", "e.used.Store(true)", "e.used.Store(false)"},
	{"cache: a new value", "interceptor/internal/cache/cache.go", "		e.value.Store(value)\n		return", "		return"},
	{"limit: wait for a slot", "interceptor/token/verify.go", `if err := v.limit.acquire(ctx); err != nil {
		return nil, err
	}
`, "v.limit.slots <- struct{}{}\n"},
	{"limit: slot is given back", "interceptor/token/verify.go", "defer func() { v.limit.release(cost, err) }()", "defer func() { _ = cost }()"},
	{"limit: rest after a forged token", "interceptor/token/limit.go", "	if err == nil || rest <= 0 || ", "	if true || "},
	{"limit: rest adds up", "interceptor/token/limit.go", "l.due.Add(int64(rest)) < int64(minRest)", "int64(rest) < int64(minRest)"},
	{"limit: rest once", "interceptor/token/limit.go", "l.due.Swap(0)", "l.due.Load()"},
	{"limit: no rest after a good token", "interceptor/token/limit.go", "if err == nil || rest", "if rest"},
	{"limit: longest rest", "interceptor/token/limit.go", "min(restFactor*cost, maxRest)", "restFactor * cost"},
	{"limit: bad signatures tell no cost", "interceptor/token/keyset.go", "if !good || k.fastest", "if k.fastest"},
	{"limit: cost outlives a refresh", "interceptor/token/keyset.go", "if old.Algorithm == key.Algorithm && old.equal(key) {", "if false {"},
	{"limit: keys too old while it waited", "interceptor/token/source.go", "return s.stillGood(s.current.Load(), time.Now())", "return s.stillGood(s.current.Load(), now)"},
	{"limit: expired while it waited", "interceptor/token/verify.go", `	now, source := time.Now(), token.issuer.keys
	if err := token.validity.check(now, v.leeway, false); err != nil {
		return nil, err
	}
`, "\tnow, source := time.Now(), token.issuer.keys\n"},
	{
		"limit: keys too old for a slot", "interceptor/token/verify.go",
		`	if err != nil {
		return nil, err
	}
	if token.tried = keys.find`,
		`	if err != nil {
		keys = source.current.Load()
	}
	if token.tried = keys.find`,
	},
	{"limit: key that went while it waited", "interceptor/token/verify.go", "if token.tried = keys.find(token.key); len(token.tried) == 0 {", `if token.tried = keys.find(token.key); token.tried == nil {
		token.tried = keys.keys
	}
	if len(token.tried) == 0 {`},
	{"limit: cost of a verification", "interceptor/token/keyset.go", "if fastest > 0 && time.Duration(fastest) <= took {", "if false {"},
	{"limit: number of slots", "interceptor/token/limit.go", "make(chan struct{}, n)", "make(chan struct{}, n+1)"},
	{"limit: default", "interceptor/token/verifier.go", "signatureLimit: runtime.GOMAXPROCS(0)", "signatureLimit: 999 + runtime.GOMAXPROCS(0)"},
	{"limit: forged tokens get a tenth", "interceptor/token/limit.go", "restFactor  = 9 ", "restFactor  = 8 "},
	{"limit: cost of all candidates", "interceptor/token/verify.go", "cost += key.cost(", "cost = key.cost("},
	{"limit: WithSignatureLimit", "interceptor/token/limit.go", "o.signatureLimit = n", "o.signatureLimit = max(n, 2)"},
	{"limit: WithSignatureLimit range", "interceptor/token/limit.go", "if n < 1 {", "if n < 0 {"},
	{"limit: queue", "interceptor/token/limit.go", "if l.waiting.Add(1) > int64(maxQueue*cap(l.slots)) {", "if l.waiting.Add(1) < 0 {"},
	{"limit: place in the queue", "interceptor/token/limit.go", "defer l.waiting.Add(-1)", "defer l.waiting.Add(0)"},
	{"limit: wait", "interceptor/token/limit.go", "time.NewTimer(maxSlotWait)", "time.NewTimer(time.Hour)"},
	{"limit: calls that have ended", "interceptor/token/limit.go", "case <-ctx.Done():", "case <-context.Background().Done():"},
	{"cached: WithCache range", "interceptor/token/tokencache.go", "if size < 1 {", "if false {"},
	{"cached: WithoutCache", "interceptor/token/tokencache.go", "return func(o *options) { o.cacheSize = 0 }", "return func(*options) {}"},
	{"cached: times are checked", "interceptor/token/tokencache.go", "if err := token.validity.check(now, v.leeway, true); err != nil {", "if err := token.validity.check(now, v.leeway, true); err != nil && false {"},
	{
		"cached: keys that cannot be used", "interceptor/token/tokencache.go",
		`		if keys, err = source.usable(ctx, now, token.keyName()); err != nil {
			return nil, true, err
		}`,
		`		if fresh, err := source.usable(ctx, now, token.keyName()); err == nil {
			keys = fresh
		}`,
	},
	{"cached: expired while it waited", "interceptor/token/tokencache.go", "if err := token.validity.check(time.Now(), v.leeway, true); err != nil { // it may have waited", "if false {"},
	{"cached: key sets are counted", "interceptor/token/source.go", "	s.flights++\n", "	s.flights = 1\n"},
	{"cached: key is in the key set", "interceptor/token/tokencache.go", "if !token.signedBy(keys) {", "if !token.signedBy(keys) && false {"},
	{"cached: every key set is looked at", "interceptor/token/tokencache.go", "if t.flight.Load() == keys.flight {", "if t.flight.Load() > 0 {"},
	{"cached: another key with its kid", "interceptor/token/tokencache.go", "!slices.ContainsFunc(keys.find(t.keyName()), t.key.equal)", "len(keys.find(t.keyName())) == 0"},
	{"cached: key is gone", "interceptor/token/tokencache.go", "!slices.ContainsFunc(keys.find(t.keyName()), t.key.equal)", "found := keys.find(t.keyName()); found != nil && !slices.ContainsFunc(found, t.key.equal)"},
	{"cached: keys are compared", "interceptor/token/keyset.go", "return ok && public.Equal(other.Public)", "return ok && public != nil"},
	{"cached: verified by another call, with another key", "interceptor/token/verify.go", "known != nil && known.signedBy(keys) {", "known != nil {"},
	{"cached: calls under way look again", "interceptor/token/verify.go", "known != nil && known.signedBy(keys) {", "known != nil && false {"},
	{"cached: what a token was a part of", "interceptor/token/verify.go", "raw := strings.Clone(token.raw)", "raw := token.raw"},
	{"cached: what a claim was a part of", "interceptor/token/payload.go", "*part = strings.Clone(*part)", "_ = part"},
}
