//go:build race

package interceptor

func init() { racing = true }
