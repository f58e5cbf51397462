package token_test

import (
	"errors"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// BenchmarkRefuse measures the largest and the most expensive inputs.
func BenchmarkRefuse(b *testing.B) {
	verifier := newVerifier(b, newIDP(jwksOf(all...)...))
	for name, raw := range map[string]string{
		"1,000,000 dots": strings.Repeat(".", 1_000_000),
		"1 MiB":          scene.Token(es384, "exp", never, "pad", strings.Repeat("x", 1<<20*3/4)),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := verifier.Verify(b.Context(), raw); !errors.Is(err, token.ErrMalformed) {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+" in Authorization", func(b *testing.B) {
			values := []string{"Bearer " + raw}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := token.Bearer(values); !errors.Is(err, token.ErrMalformed) {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFlood sends tokens with made-up kids from 100 goroutines, and a good token after
// every hundred. The metrics are percentiles: one call in a hundred takes longer.
func BenchmarkFlood(b *testing.B) {
	idp := newIDP(jwksOf(all...)...)
	verifier := newVerifier(b, idp)
	good := scene.Token(eddsa, "exp", never)
	if _, err := verifier.Verify(b.Context(), good); err != nil {
		b.Fatal(err)
	}
	_, signature := tokens.CutSignature(good)
	body := "." + encode([]byte(payload("exp", never))) + "." + signature
	var made [10_000]string
	for n := range made {
		made[n] = encode([]byte(eddsa.Header("kid", "made up "+strconv.Itoa(n)))) + body
	}
	var mu sync.Mutex
	var refusals, successes []time.Duration
	var next atomic.Int64
	before := idp.Count(keySetURL)
	procs := runtime.GOMAXPROCS(0)
	b.SetParallelism((100 + procs - 1) / procs) // about 100 goroutines on any machine
	b.RunParallel(func(pb *testing.PB) {
		var refused, succeeded []time.Duration
		for pb.Next() {
			n := next.Add(1)
			start := time.Now()
			if n%100 == 0 {
				if _, err := verifier.Verify(b.Context(), good); err != nil {
					b.Error(err)
				}
				succeeded = append(succeeded, time.Since(start))
				continue
			}
			if _, err := verifier.Verify(b.Context(), made[n%10_000]); !errors.Is(err, token.ErrInvalid) {
				b.Error(err)
			}
			refused = append(refused, time.Since(start))
		}
		mu.Lock()
		defer mu.Unlock()
		refusals, successes = append(refusals, refused...), append(successes, succeeded...)
	})
	b.ReportMetric(float64(p99(refusals).Microseconds()), "refusal-p99-µs")
	b.ReportMetric(float64(p99(successes).Microseconds()), "good-p99-µs")
	b.ReportMetric(float64(idp.Count(keySetURL)-before), "fetches")
}

func p99(durations []time.Duration) time.Duration {
	slices.Sort(durations)
	if len(durations) == 0 {
		return 0
	}
	return durations[len(durations)*99/100]
}
