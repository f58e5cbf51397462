package main

import (
	"fmt"
	"strconv"
	"strings"
)

// count returns a number with its noun, as in "2 rules".
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// maxNames is how many names a message holds.
const maxNames = 5

// some returns the first names, and how many more there are.
func some(names []string, separator string) string {
	if more := len(names) - maxNames; more > 0 {
		return fmt.Sprintf("%s%sand %d more", strings.Join(names[:maxNames], separator), separator, more)
	}
	return strings.Join(names, separator)
}
