package main

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/terminal"
	"github.com/protoauthz/protoauthz/interceptor/deployment"
)

// findings are the differences and notes of a check.
type findings struct {
	document *deployment.Deployment
	file     string // of the document
	folder   string // of buf.yaml
	about    []string
	all      []finding
}

// A finding is a difference, or a note that is none.
type finding struct {
	place  string // a file with a line, as in authz.json:3, a file, or the URL of a server
	text   string
	isNote bool
}

func (f *findings) add(place, format string, args ...any) {
	f.all = append(f.all, finding{place, fmt.Sprintf(format, args...), false})
}

func (f *findings) note(place, format string, args ...any) {
	f.all = append(f.all, finding{place, fmt.Sprintf(format, args...), true})
}

// beside returns the name of a file that buf.yaml names.
func (f *findings) beside(name string) string {
	return filepath.ToSlash(filepath.Join(f.folder, filepath.FromSlash(name)))
}

// lineOf returns the place of a line.
func lineOf(file string, line int) string { return fmt.Sprintf("%s:%d", file, line) }

// compare sorts findings by file and line, servers last.
func (f finding) compare(other finding) int {
	server := func(f finding) int {
		if isURL(f.place) {
			return 1
		}
		return 0
	}
	split := func(f finding) (file, line string) {
		if at := strings.LastIndexByte(f.place, ':'); at >= 0 {
			return f.place[:at], f.place[at:]
		}
		return f.place, ""
	}
	file, line := split(f)
	otherFile, otherLine := split(other)
	return cmp.Or(server(f)-server(other), cmp.Compare(file, otherFile), len(line)-len(otherLine), cmp.Compare(line, otherLine), cmp.Compare(f.text, other.text))
}

// print prints the findings, each once, and returns the number of differences.
func (f *findings) print(w io.Writer) (differences int, err error) {
	slices.SortStableFunc(f.all, finding.compare)
	f.all = slices.Compact(f.all)
	for _, one := range f.all {
		mark := "note: "
		if !one.isNote {
			mark = ""
			differences++
		}
		if _, err := fmt.Fprintln(w, terminal.Escape(one.place+": "+mark+one.text)); err != nil {
			return differences, err
		}
	}
	return differences, nil
}
