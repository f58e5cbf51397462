package telemetry_test

import (
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/documents"
)

// A row is a row of the guide's table of orders: the framework, what a call passes, outermost first, and what
// becomes of each call.
type row struct {
	framework string
	order     []string
	cells     map[string]string // by column
}

// rows reads the guide's table of orders.
func rows(t *testing.T) (rows []row) {
	t.Helper()
	const page, first = "interceptor/docs/observability.md", "| framework |"
	all, err := documents.Load("../../../../..")
	if err != nil {
		t.Fatal(err)
	}
	guide := slices.IndexFunc(all, func(d documents.Document) bool { return d.Path == page })
	var columns []string
	for line := range strings.Lines(all[guide].Text) {
		cells := strings.Split(strings.Trim(line, "|\n"), "|")
		for n := range cells {
			cells[n] = strings.Trim(cells[n], " `")
		}
		switch {
		case strings.HasPrefix(line, first):
			columns = cells
		case columns == nil || strings.HasPrefix(line, "|--"):
		case !strings.HasPrefix(line, "|"):
			columns = nil
		default:
			r := row{cells[0], strings.Split(cells[1], ", "), map[string]string{}}
			for n, cell := range cells[2:] {
				r.cells[columns[n+2]] = cell
			}
			rows = append(rows, r)
		}
	}
	if len(rows) < 9 {
		t.Fatalf("%s has %d rows below %q", page, len(rows), first)
	}
	return rows
}

// make makes a call over each protocol of the row's framework.
func (r *row) make(t *testing.T, c *call, guarded func(*testing.T, *backend) *interceptor.Guard, check func(t *testing.T, b *backend, over string)) {
	t.Helper()
	b := newBackend(t)
	switch guard := guarded(t, b); r.framework {
	case "connect-go":
		c.overHTTP(t, b.handler1(t, r.order, guard))
		check(t, b, "Connect")
		b = newBackend(t)
		c.overHTTP(t, b.handler1(t, r.order, guarded(t, b)), connect.WithGRPC())
		check(t, b, "gRPC")
	case "connect v2":
		c.overHTTP(t, b.handler2(t, r.order, guard))
		check(t, b, "Connect")
		b = newBackend(t)
		c.overHTTP(t, b.handler2(t, r.order, guarded(t, b)), connect.WithGRPC())
		check(t, b, "gRPC")
	case "grpc-go":
		c.overGRPC(t, b.serverGRPC(t, r.order, guard))
		check(t, b, "gRPC")
	default:
		t.Errorf("there is no %s", r.framework)
	}
}

// TestOrders makes sure that the guide's table tells what becomes of each call in each order.
func TestOrders(t *testing.T) {
	t.Parallel()
	for _, r := range rows(t) {
		t.Run(r.framework+"/"+strings.Join(r.order, "+"), func(t *testing.T) {
			t.Parallel()
			told := map[string]bool{}
			for n := range calls {
				c := &calls[n]
				told[c.column] = true
				r.make(t, c, func(t *testing.T, b *backend) *interceptor.Guard { t.Helper(); return b.guard(t) }, func(t *testing.T, b *backend, over string) {
					t.Helper()
					got, counted := b.spans(t), b.refusals(t)
					switch {
					case c.reason != "" && len(counted) == 0:
						got += ", not counted"
					case c.reason == "" && len(counted) > 0, len(counted) > 1, len(counted) == 1 && counted[0] != string(c.reason):
						t.Errorf("%s %s over %s: the counter has %q", c.column, c.procedure, over, counted)
					}
					if want := r.cells[c.column]; got != want {
						t.Errorf("%s %s over %s: %s, and the guide has %q", c.column, c.procedure, over, got, want)
					}
				})
			}
			if len(told) != len(r.cells) {
				t.Errorf("the guide has the columns %v", r.cells)
			}
		})
	}
}
