package main

import (
	"bytes"
	"cmp"
	"regexp"
	"strings"
	"sync"
	"time"
)

// A failure is the output of tests. What one failing test has shown is enough: others that
// run beside it may hang.
type failure struct {
	bytes.Buffer
	first func()
	once  sync.Once
}

func (f *failure) Write(p []byte) (int, error) {
	n, err := f.Buffer.Write(p)
	if failedTest.Match(f.Bytes()) {
		f.once.Do(func() { time.AfterFunc(time.Second/2, f.first) }) // its subtests are told next
	}
	return n, err
}

const timedOut = "panic: test timed out"

var (
	failedTest = regexp.MustCompile(`(?m)^ *--- FAIL: (\S+)`)
	crash      = regexp.MustCompile(`(?m)^(panic|fatal error): .*$`)
)

// killer is the innermost of the tests that failed first, or else what is said instead.
func (f *failure) killer() (name string) {
	for _, match := range failedTest.FindAllStringSubmatch(f.String(), -1) {
		if name == "" || strings.HasPrefix(match[1], name+"/") {
			name = match[1]
		}
	}
	line, _, _ := strings.Cut(strings.TrimSpace(f.String()), "\n")
	return cmp.Or(name, crash.FindString(f.String()), line, "exit without a word")
}
