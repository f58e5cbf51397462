//go:build race

package harness

func init() { Racing = true }
