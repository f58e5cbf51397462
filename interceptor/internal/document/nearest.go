package document

import "strings"

// nearest returns the name that another name is probably meant to be, or "".
func nearest(name string, names []string) (near string) {
	least := 1 + min(2, len(name)/3) // longer names may have more mistakes
	for _, other := range names {
		if edits := Distance(strings.ToLower(name), strings.ToLower(other)); edits < least {
			near, least = other, edits
		}
	}
	return near
}

// Distance returns how many bytes are inserted, removed or replaced between two texts (the Levenshtein distance).
func Distance(a, b string) int {
	row := make([]int, len(b)+1) // the distances between what is read of a and the beginnings of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			edits := diagonal
			if a[i] != b[j] {
				edits = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], edits
		}
	}
	return row[len(b)]
}
