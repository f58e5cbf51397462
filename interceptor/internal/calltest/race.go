//go:build race

package calltest

func init() { Racing = true }
