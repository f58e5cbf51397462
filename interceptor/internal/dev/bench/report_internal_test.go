package main

import "testing"

func TestFigures(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{
		"0.00 ns":   duration(0),
		"4.12 ns":   duration(4.123),
		"999 ns":    duration(999.4),
		"1.00 µs":   duration(999.6),
		"53.1 µs":   duration(53_100),
		"681 µs":    duration(681_234),
		"12.0 s":    duration(12e9),
		"100 ms":    duration(99.96e6),
		"0.00171":   digits(0.001712),
		"0.500":     digits(0.5),
		"2886":      digits(2886.4),
		"1":         count(1.004),
		"62.25":     count(62.25),
		"5,482":     count(5481.6),
		"255,164":   count(255_163.6),
		"1,000,000": grouped(1_000_000),
		"999":       grouped(999),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	got := table{title: "title", note: "note.", columns: []string{"", "time"}, rows: [][]string{{"ours", "1 µs"}, {"a peer", "12 µs"}}}.String()
	const want = `title

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
