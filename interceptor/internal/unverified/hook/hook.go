// Package hook is where package token leaves its functions for package unverified, so that they
// are in no public API.
package hook

var (
	// Token is the function behind unverified.Token. Package token sets it before main runs.
	Token any
	// Claims is the function behind unverified.Claims. Package token sets it before main runs.
	Claims any
)
