package main

import "testing"

func TestFigures(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{
		"0 ns":       duration(0),
		"4.12 ns":    duration(4.123),
		"999 ns":     duration(999.4),
		"1.00 µs":    duration(999.6),
		"53.1 µs":    duration(53_100),
		"681 µs":     duration(681_234),
		"-1.40 µs":   duration(-1400),
		"12.0 s":     duration(12e9),
		"0.0017":     ratio(0.00171),
		"0.50":       ratio(0.5),
		"122":        ratio(121.6),
		"12 %":       percent(0.123),
		"1":          count(1.004),
		"62.25":      count(62.25),
		"5,482":      count(5481.6),
		"-255,164":   count(-255_164),
		"1,000,000":  grouped(1_000_000),
		"999":        grouped(999),
		"19.2 MB":    megabytes(19.17e6),
		"1 token":    plural(1, "token"),
		"10 tokens":  plural(10, "token"),
		"2 a, 1 b":   tally(map[string]int{"b": 1, "a": 2}),
		"33.3 %":     part(1, 3),
		"-":          tally(nil),
		"8,000 keys": plural(8000, "key"),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	got := table{title: "title", note: "note.", columns: []string{"", "time"}, rows: [][]string{{"ours", "1 µs"}, {"a peer", "12 µs"}}}.String()
	const want = `**title**

note.

|        |  time |
|--------|------:|
| ours   |  1 µs |
| a peer | 12 µs |
`
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
