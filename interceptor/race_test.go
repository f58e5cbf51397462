//go:build race

package interceptor_test

func init() { racing = true }
