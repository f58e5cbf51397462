package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A report is written while groups run, as Markdown.
type report struct {
	out      io.Writer
	text     strings.Builder
	origin   string
	contests map[string][]standing // by title, for the headline
}

func newReport(out io.Writer) *report { return &report{out: out, contests: map[string][]standing{}} }

func (r *report) write(text string) error {
	r.text.WriteString(text)
	_, err := io.WriteString(r.out, text)
	return err
}

// heading names date, processor, toolchain and commit.
func (r *report) heading(ctx context.Context) error {
	commit, err := exec.CommandContext(ctx, "git", "describe", "--always", "--exclude=*", "--dirty= + changes").Output()
	if err != nil {
		return fmt.Errorf("git describe: %w", err)
	}
	r.origin = fmt.Sprintf("%s, %s, %d cores, %s, commit %s.", time.Now().Format(time.DateOnly),
		processor(), runtime.GOMAXPROCS(0), runtime.Version(), strings.TrimSpace(string(commit)))
	return r.write(r.origin + "\n")
}

// processor is the name by Linux, or the architecture.
func processor() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, model, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(model)
		}
	}
	return runtime.GOARCH
}

// A table has a title, a remark, columns and rows.
type table struct {
	title, note string
	columns     []string
	rows        [][]string
}

func (r *report) table(t table) error { return r.write("\n" + t.String()) }

// String aligns the first column, of names, to the left, and all others to the right.
func (t table) String() string {
	var b strings.Builder
	for _, text := range []string{t.title, t.note} {
		if text != "" {
			b.WriteString(text + "\n\n")
		}
	}
	rows := append([][]string{t.columns}, t.rows...)
	widths := make([]int, len(t.columns))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell), 3)
		}
	}
	widths[0] = -widths[0]
	for n, row := range rows {
		for i, cell := range row {
			fmt.Fprintf(&b, "| %*s ", widths[i], cell)
		}
		b.WriteString("|\n")
		if n == 0 {
			b.WriteString("|" + strings.Repeat("-", 2-widths[0]))
			for _, width := range widths[1:] {
				b.WriteString("|" + strings.Repeat("-", width+1) + ":")
			}
			b.WriteString("|\n")
		}
	}
	return b.String()
}

// standings reports the outcome of a contest.
func (r *report) standings(c contest, all []standing) error {
	r.contests[c.title] = all
	t := table{title: "**" + c.title + "**", note: c.note, columns: []string{"", "time", "spread", "allocs", "bytes", "ratio"}}
	for _, s := range all {
		t.rows = append(t.rows, []string{
			s.name, duration(s.median.nanoseconds), fmt.Sprintf("%.0f %%", 100*s.spread),
			count(s.median.allocations), count(s.median.bytes), digits(s.ratio),
		})
	}
	return r.table(t)
}

func duration(nanoseconds float64) string {
	value, unit := nanoseconds, "ns"
	for _, larger := range []string{"µs", "ms", "s"} {
		if value < 999.5 {
			break
		}
		value, unit = value/1000, larger
	}
	return digits(value) + " " + unit
}

// digits writes three digits: further ones mean nothing.
func digits(value float64) string {
	if value >= 100 {
		return strconv.FormatFloat(value, 'f', 0, 64)
	}
	return strings.TrimSuffix(fmt.Sprintf("%#.3g", value), ".")
}

// count writes a whole number, unless the value is clearly between two.
func count(value float64) string {
	if math.Abs(value-math.Round(value)) < 0.02 || value >= 100 {
		return grouped(value)
	}
	return strconv.FormatFloat(value, 'f', 2, 64)
}

// grouped writes a whole number with a comma for each three digits.
func grouped(value float64) string {
	text := strconv.FormatFloat(value, 'f', 0, 64)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
