package main

var memoryMutations = []mutation{
	{"memory: times are checked", "interceptor/token/memory.go", "if err := known.validity.check(now); err != nil {", "if err := known.validity.check(now); err != nil && false {"},
	{
		"memory: keys that cannot be used", "interceptor/token/memory.go",
		`	if err != nil {
		return nil, true, err
	}
	if !known.stands(keys) {`,
		`	if err == nil && !known.stands(keys) {`,
	},
	{"memory: key is in the key set", "interceptor/token/memory.go", "if !known.stands(keys) {", "if !known.stands(keys) && false {"},
	{"memory: another key with its kid", "interceptor/token/memory.go", "key == nil || !key.equal(t.key)", "key == nil"},
	{"memory: key is gone", "interceptor/token/memory.go", "key == nil || !key.equal(t.key)", "key != nil && !key.equal(t.key)"},
	{"memory: every key set is looked at", "interceptor/token/memory.go", "if t.generation.Load() == keys.generation {", "if t.generation.Load() <= keys.generation {"},
	{"memory: key sets are counted", "interceptor/token/source.go", "set.generation = before.generation + 1", "set.generation = before.generation"},
	{"memory: keys are compared", "interceptor/token/keyset.go", "return ok && public.Equal(other.public)", "return ok && public != nil"},
	{"memory: verified by another call, with another key", "interceptor/token/verifier.go", "known != nil && known.key == key {", "known != nil {"},
	{"memory: none", "interceptor/token/memory.go", "return func(o *options) { o.cache = 0 }", "return func(*options) {}"},
	{"memory: size", "interceptor/token/memory.go", "if size < 1 {", "if false {"},
	{"memory: what a token was a part of", "interceptor/token/verifier.go", "raw := strings.Clone(raw)", "raw := raw"},
	{"memory: what a claim was a part of", "interceptor/token/mapping.go", "*s = strings.Clone(*s)", "_ = s"},
	{"memory: calls under way look again", "interceptor/token/verifier.go", "known != nil && known.key == key {", "known != nil && known.key != key && false {"},
	{"cache: bound", "interceptor/internal/cache/cache.go", "if len(c.ring) < c.size {", "if true {"},
	{"cache: what is evicted goes", "interceptor/internal/cache/cache.go", "	c.entries.Delete(c.ring[c.hand].key)\n", ""},
	{"cache: second chance", "interceptor/internal/cache/cache.go", "for c.ring[c.hand].used.Swap(false) {", "for false {"},
	{"cache: use", "interceptor/internal/cache/cache.go", "e.used.Store(true)", "e.used.Store(false)"},
	{"cache: a new value", "interceptor/internal/cache/cache.go", "			e.value.Store(value)\n			return", "			_ = e\n			return"},
	{"limit: begin", "interceptor/token/limit.go", "	if err := l.begin(ctx); err != nil {\n		return err\n	}\n", "	l.turns <- struct{}{}\n"},
	{"limit: end", "interceptor/token/limit.go", "defer func() { l.end(rest) }()", "defer func() { l.end(rest + time.Hour) }()"},
	{"limit: rest", "interceptor/token/limit.go", "	if rest <= 0 {", "	if true {"},
	{"limit: no rest after success", "interceptor/token/limit.go", "	if err != nil {\n		rest = ", "	{\n		rest = "},
	{"limit: rest is bounded", "interceptor/token/limit.go", "min(restOver*time.Since(start), maxRest)", "restOver * time.Since(start)"},
	{"limit: number of turns", "interceptor/token/limit.go", "make(chan struct{}, n)", "make(chan struct{}, n+1)"},
	{"limit: default", "interceptor/token/verifier.go", "limit: defaultLimit()", "limit: 1000"},
	{"limit: option", "interceptor/token/verifier.go", "o.limit = n", "o.limit = max(o.limit, 2)"},
	{"limit: range", "interceptor/token/verifier.go", "if n < 1 {", "if n < 0 {"},
	{"limit: queue", "interceptor/token/limit.go", "if l.waiting.Add(1) > int64(maxQueue*cap(l.turns)) {", "if l.waiting.Add(1) < 0 {"},
	{"limit: place in the queue", "interceptor/token/limit.go", "defer l.waiting.Add(-1)", "defer l.waiting.Add(0)"},
	{"limit: wait", "interceptor/token/limit.go", "time.NewTimer(maxTurn)", "time.NewTimer(time.Hour)"},
	{"limit: calls that have ended", "interceptor/token/limit.go", "case <-ctx.Done():", "case <-context.Background().Done():"},
}
