package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A report is written as it comes, in Markdown that can also be read as it is.
type report struct {
	out      io.Writer
	text     strings.Builder
	date     string
	machine  string
	contests map[string]*standings // by title, for the headline
}

// String returns all that was written.
func (r *report) String() string { return r.text.String() }

func (r *report) write(text string) error {
	r.text.WriteString(text)
	_, err := io.WriteString(r.out, text)
	return err
}

func (r *report) heading(ctx context.Context) error {
	machine, err := describeMachine(ctx)
	if err != nil {
		return err
	}
	r.date, r.machine, r.contests = time.Now().Format(time.DateOnly), machine, map[string]*standings{}
	return r.write("# Benchmarks\n\n" + r.date + ", " + r.machine + ".\n\nIn turns with " + describePeers() + ".\n")
}

func (r *report) section(name, question string) error {
	return r.write("\n## " + name + "\n\n" + question + "\n")
}

// A table has a title, a remark, columns and rows.
type table struct {
	title, note string
	columns     []string
	rows        [][]string
}

func (r *report) table(t table) error { return r.write("\n" + t.String()) }

// String aligns the columns: the first to the left, as it holds names.
func (t table) String() string {
	widths := make([]int, len(t.columns))
	for _, row := range append([][]string{t.columns}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell), 3)
		}
	}
	var b strings.Builder
	if t.title != "" {
		b.WriteString("**" + t.title + "**\n\n")
	}
	if t.note != "" {
		b.WriteString(t.note + "\n\n")
	}
	line := func(row []string) {
		for i, cell := range row {
			padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				b.WriteString("| " + cell + padding + " |")
			} else {
				b.WriteString(" " + padding + cell + " |")
			}
		}
		b.WriteString("\n")
	}
	line(t.columns)
	for i, width := range widths {
		if i == 0 {
			b.WriteString("|" + strings.Repeat("-", width+2) + "|")
		} else {
			b.WriteString(strings.Repeat("-", width+1) + ":|")
		}
	}
	b.WriteString("\n")
	for _, row := range t.rows {
		line(row)
	}
	return b.String()
}

// standings reports the outcome of a contest.
func (r *report) standings(s *standings) error {
	r.contests[s.title] = s
	t := table{title: s.title, note: s.note, columns: []string{"", "time", "spread", "allocs", "bytes", "ratio"}}
	if s.added {
		t.columns = append(t.columns, "added time", "added allocs", "added bytes")
	}
	for _, each := range s.all {
		row := []string{
			each.contender, duration(each.median.nanoseconds), percent(each.spread),
			count(each.median.allocations), count(each.median.bytes), ratio(each.ratio),
		}
		if s.added {
			row = append(row, duration(each.added.nanoseconds), count(each.added.allocations), count(each.added.bytes))
		}
		t.rows = append(t.rows, row)
	}
	return r.table(t)
}

// duration has three digits, as no more of them mean anything.
func duration(nanoseconds float64) string {
	value, unit := nanoseconds, "ns"
	for _, larger := range []string{"µs", "ms", "s"} {
		if math.Abs(value) < 999.5 {
			break
		}
		value, unit = value/1000, larger
	}
	return digits(value) + " " + unit
}

func ratio(value float64) string { return digits(value) }

func percent(part float64) string { return strconv.FormatFloat(part*100, 'f', 0, 64) + " %" }

// count is for what is whole but for the runtime's own share.
func count(value float64) string {
	switch {
	case math.Abs(value-math.Round(value)) < 0.02 || math.Abs(value) >= 100:
		return grouped(int64(math.Round(value)))
	default:
		return strconv.FormatFloat(value, 'f', 2, 64)
	}
}

// grouped has a comma for each three digits.
func grouped(n int64) string {
	if n < 0 {
		return "-" + grouped(-n)
	}
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func digits(value float64) string {
	switch size := math.Abs(value); {
	case math.IsNaN(value) || math.IsInf(value, 0):
		return "-"
	case size >= 99.95 || size == 0:
		return strconv.FormatFloat(value, 'f', 0, 64)
	case size >= 9.995:
		return strconv.FormatFloat(value, 'f', 1, 64)
	case size >= 0.1:
		return strconv.FormatFloat(value, 'f', 2, 64)
	default:
		return strconv.FormatFloat(value, 'g', 2, 64)
	}
}

// megabytes has one digit after the point.
func megabytes(bytes float64) string { return fmt.Sprintf("%.1f MB", bytes/1e6) }
