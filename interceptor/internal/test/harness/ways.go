package harness

import (
	"slices"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
)

// checkWays makes sure that the events of a call have the ways of its case, and that the handler is told the ways.
func checkWays(t *testing.T, where string, c *catalogue.Case, record *Record, want expectation) {
	t.Helper()
	decisions := map[interceptor.Shadow]int{}
	organization := ""
	for _, event := range record.Events() {
		n := decisions[event.Shadow]
		decisions[event.Shadow]++
		var ways []int
		if !event.Public && n < len(c.Ways) {
			ways = c.Ways[n]
		}
		if !slices.Equal(event.Ways, ways) {
			t.Errorf("%s: event %d of %q has the ways %v, want %v", where, n, event.Shadow, event.Ways, ways)
		}
		if event.Denial == nil {
			organization = event.Organization
		}
	}
	for n, told := range record.Told() {
		var way Told
		if !want.open {
			way = Told{interceptor.Way{Organization: organization}, true}
			if n < len(c.Told) {
				way.Number = c.Told[n]
			}
		}
		if told != way {
			t.Errorf("%s: with message %d, the handler is told the way %+v, want %+v", where, n+1, told, way)
		}
	}
}
