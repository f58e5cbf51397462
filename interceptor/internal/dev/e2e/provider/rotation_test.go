package provider_test

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/dev/e2e"
)

// TestRotation rotates the keys under load, in the orders that an issuer may choose. No call with a
// published key is lost.
//
//nolint:paralleltest // it takes all processors, and calls of other tests would wait too long
func TestRotation(t *testing.T) {
	e2e.NodeModules(t, ".")
	for _, order := range []struct {
		name  string
		steps [][]int // the generations of keys that are published; the first one signs
	}{
		{"published first", [][]int{{0, 1}, {1, 0}, {1}}},
		{"signing at once", [][]int{{1, 0}}},
		{"without the old key", [][]int{{1}}},
	} {
		for _, home := range tenants {
			t.Run(order.name+"/"+home.algorithm, func(t *testing.T) {
				i := startIDP(t)
				s := startSample(t, i, home.audience)
				raw := i.obtain(t, models[2].grant(home).with("read:data write:data"))
				stream := s.syncDocuments(t, raw)
				defer stream.close()
				check(t, "stream, before", stream.exchange(home.organization), accepted)

				// The new key is fetched at its first use. A key that the set lacked then is refused from then
				// on. A key that leaves the set later is good until the next refresh.
				after := accepted
				if !slices.Contains(order.steps[0], 0) {
					after = invalid
				}
				l := &load{idp: i, sample: s, home: home, steps: order.steps, oldKey: keyID(raw), after: after}
				l.run(t)
				t.Log(l)
				last := l.accepted[len(order.steps)]
				if l.accepted[0].new > 0 || last.new < stocked || last.old < stocked && after == accepted {
					t.Error("the rotation was not called through")
				}
				// One fetch at first, and one for the new key. A key that left the set draws a few.
				fetches, most := i.fetches(t), 2
				if after != accepted {
					most = 7
				}
				if fetches < 2 || fetches > most {
					t.Errorf("the key set was fetched %d times, want 2 to %d", fetches, most)
				}
				check(t, "stream, after", stream.exchange(home.organization), accepted)
				for n, m := range models {
					for what, token := range map[string]string{"cached": l.first[n], "never used": l.unused[n][0]} {
						check(t, m.name+", old key, "+what, m.call(t.Context(), s, protocols[1], token, home.organization), after)
					}
				}
			})
		}
	}
}

// TestSecondRotation makes sure that a new key is accepted at once, also if an unknown key, even a made-up
// key, has drawn a fetch just before.
func TestSecondRotation(t *testing.T) {
	t.Parallel()
	e2e.NodeModules(t, ".")
	home, m := tenants[0], models[0]
	for _, before := range []struct {
		name  string
		token func(t *testing.T, i *idp, valid string) string // of an unknown key
		want  answer
	}{
		{"after a rotation", func(t *testing.T, i *idp, _ string) string {
			if err := i.rotate(t.Context(), 1, 0); err != nil {
				t.Fatal(err)
			}
			return i.obtain(t, m.grant(home))
		}, accepted},
		{"after a made-up key", func(t *testing.T, _ *idp, valid string) string {
			encoded, rest, _ := strings.Cut(valid, ".")
			header, err := base64.RawURLEncoding.DecodeString(encoded)
			if err != nil {
				t.Fatal(err)
			}
			header = bytes.ReplaceAll(header, []byte(keyID(valid)), []byte("made up"))
			return base64.RawURLEncoding.EncodeToString(header) + "." + rest
		}, invalid},
	} {
		t.Run(before.name, func(t *testing.T) {
			t.Parallel()
			i := startIDP(t)
			s := startSample(t, i, home.audience)
			call := func(token string) error {
				_, _, err := insist(func() error { return m.call(t.Context(), s, protocols[1], token, "") })
				return err
			}
			old := i.obtain(t, m.grant(home))
			check(t, "old key", call(old), accepted)

			check(t, "unknown key", call(before.token(t, i, old)), before.want)
			if err := i.rotate(t.Context(), 2, 1, 0); err != nil {
				t.Fatal(err)
			}
			newest := i.obtain(t, m.grant(home))
			check(t, "newest key, at once", call(newest), accepted)
			check(t, "old key", call(old), accepted)
			if fetches := i.fetches(t); fetches != 3 {
				t.Errorf("the key set was fetched %d times, want one for each unknown key", fetches)
			}
		})
	}
}
