//go:build race

package interceptor_test

func init() { slow = true }
