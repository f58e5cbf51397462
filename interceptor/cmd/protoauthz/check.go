package main

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/terminal"
)

// findings are the differences and notes of a check.
type findings struct {
	folder string // of buf.yaml
	all    []finding
}

// A finding is a difference, or a note that is none.
type finding struct {
	file   string // or the URL of a server
	line   int    // 0 for a server
	text   string
	isNote bool
}

func (f *findings) add(file string, line int, format string, args ...any) {
	f.all = append(f.all, finding{file, line, fmt.Sprintf(format, args...), false})
}

func (f *findings) note(file string, line int, format string, args ...any) {
	f.all = append(f.all, finding{file, line, fmt.Sprintf(format, args...), true})
}

// beside returns the name of a file that buf.yaml names.
func (f *findings) beside(name string) string {
	return filepath.ToSlash(filepath.Join(f.folder, filepath.FromSlash(name)))
}

// print prints the findings by file and line, servers last, and returns the number of differences.
func (f *findings) print(w io.Writer) (differences int, err error) {
	slices.SortStableFunc(f.all, func(a, b finding) int {
		server := func(f finding) int {
			if isURL(f.file) {
				return 1
			}
			return 0
		}
		return cmp.Or(server(a)-server(b), cmp.Compare(a.file, b.file), a.line-b.line, cmp.Compare(a.text, b.text))
	})
	f.all = slices.Compact(f.all)
	for _, one := range f.all {
		place, mark := one.file, "note: "
		if one.line > 0 {
			place = fmt.Sprintf("%s:%d", one.file, one.line)
		}
		if !one.isNote {
			mark = ""
			differences++
		}
		if _, err := fmt.Fprintln(w, terminal.Escape(place+": "+mark+one.text)); err != nil {
			return differences, err
		}
	}
	return differences, nil
}
