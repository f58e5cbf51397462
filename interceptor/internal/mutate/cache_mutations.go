package main

var cacheMutations = []mutation{
	{"cache: bound", "interceptor/internal/cache/cache.go", "if c.len() == c.size {", "if false {"},
	{"cache: what is evicted goes", "interceptor/internal/cache/cache.go", "		c.entries.Delete(e.key)\n", ""},
	{"cache: second chance", "interceptor/internal/cache/cache.go", "if e.used.Swap(false) && tries > 0 {", "if false {"},
	{"cache: one chance for one use", "interceptor/internal/cache/cache.go", "if e.used.Swap(false) && tries > 0 {", "if e.used.Load() && tries > 0 {"},
	{"cache: scans", "interceptor/internal/cache/cache.go", "if len(c.fresh) > c.size/10 {", "if len(c.old) == 0 {"},
	{"cache: lookups count as use", "interceptor/internal/cache/cache.go", "e.used.Store(true)", "e.used.Store(false)"},
	{"cache: a new value", "interceptor/internal/cache/cache.go", "		e.value.Store(value)\n		return", "		return"},
	{"limit: wait for a slot", "interceptor/token/limit.go", "	if err := l.acquire(ctx); err != nil {\n		return err\n	}\n", "	l.slots <- struct{}{}\n"},
	{"limit: slot is given back", "interceptor/token/limit.go", "defer func() { l.release(penalty) }()", "defer func() { l.release(penalty + time.Hour) }()"},
	{"limit: penalty after a refusal", "interceptor/token/limit.go", "	if penalty <= 0 {", "	if true {"},
	{"limit: no penalty after success", "interceptor/token/limit.go", "	if err != nil {\n		penalty = ", "	{\n		penalty = "},
	{"limit: largest penalty", "interceptor/token/limit.go", "min(penaltyFactor*time.Since(start), maxPenalty)", "penaltyFactor * time.Since(start)"},
	{"limit: number of slots", "interceptor/token/limit.go", "make(chan struct{}, n)", "make(chan struct{}, n+1)"},
	{"limit: default", "interceptor/token/verifier.go", "signatureLimit: defaultSignatureLimit()", "signatureLimit: 1000"},
	{"limit: WithSignatureLimit", "interceptor/token/limit.go", "o.signatureLimit = n", "o.signatureLimit = max(n, 2)"},
	{"limit: WithSignatureLimit range", "interceptor/token/limit.go", "if n < 1 {", "if n < 0 {"},
	{"limit: queue", "interceptor/token/limit.go", "if l.waiting.Add(1) > int64(maxQueue*cap(l.slots)) {", "if l.waiting.Add(1) < 0 {"},
	{"limit: place in the queue", "interceptor/token/limit.go", "defer l.waiting.Add(-1)", "defer l.waiting.Add(0)"},
	{"limit: wait", "interceptor/token/limit.go", "time.NewTimer(maxSlotWait)", "time.NewTimer(time.Hour)"},
	{"limit: calls that have ended", "interceptor/token/limit.go", "case <-ctx.Done():", "case <-context.Background().Done():"},
	{"cached: WithCache range", "interceptor/token/tokencache.go", "if size < 1 {", "if false {"},
	{"cached: WithoutCache", "interceptor/token/tokencache.go", "return func(o *options) { o.cacheSize = 0 }", "return func(*options) {}"},
	{"cached: times are checked", "interceptor/token/tokencache.go", "if err := token.validity.check(now); err != nil {", "if err := token.validity.check(now); err != nil && false {"},
	{
		"cached: keys that cannot be used", "interceptor/token/tokencache.go",
		`	if err != nil {
		return nil, true, err
	}
	if !token.signedBy(keys) {`,
		`	if err == nil && !token.signedBy(keys) {`,
	},
	{"cached: key is in the key set", "interceptor/token/tokencache.go", "if !token.signedBy(keys) {", "if !token.signedBy(keys) && false {"},
	{"cached: every key set is looked at", "interceptor/token/tokencache.go", "if t.keys.Load() == keys {", "if t.keys.Load() != nil {"},
	{"cached: another key with its kid", "interceptor/token/tokencache.go", "key == nil || !key.equal(t.key)", "key == nil"},
	{"cached: key is gone", "interceptor/token/tokencache.go", "key == nil || !key.equal(t.key)", "key != nil && !key.equal(t.key)"},
	{"cached: keys are compared", "interceptor/token/keyset.go", "return ok && public.Equal(other.public)", "return ok && public != nil"},
	{"cached: verified by another call, with another key", "interceptor/token/verifier.go", "known != nil && known.key == key {", "known != nil {"},
	{"cached: calls under way look again", "interceptor/token/verifier.go", "known != nil && known.key == key {", "known != nil && known.key != key && false {"},
	{"cached: what a token was a part of", "interceptor/token/verifier.go", "raw := strings.Clone(raw)", "raw := raw"},
	{"cached: what a claim was a part of", "interceptor/token/mapping.go", "*part = strings.Clone(*part)", "_ = part"},
}
