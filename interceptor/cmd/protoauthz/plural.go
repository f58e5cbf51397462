package main

import (
	"fmt"
	"strconv"
	"strings"
)

// count says how many there are of something.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// maxNames is how many names a note gives.
const maxNames = 5

// some names the first of many.
func some(names []string, separator string) string {
	if more := len(names) - maxNames; more > 0 {
		return fmt.Sprintf("%s%sand %d more", strings.Join(names[:maxNames], separator), separator, more)
	}
	return strings.Join(names, separator)
}
