// Package hook passes functions from package token to package unverified, outside of the public API.
package hook

var (
	// Token is the function behind unverified.Token. Package token sets it before main runs.
	Token any
	// Claims is the function behind unverified.Claims. Package token sets it before main runs.
	Claims any
)
