// Package hook is where package token leaves its functions for package unverified, so that they
// are in no public API.
package hook

// Token and Claims are functions of package token, which sets them before main runs.
var Token, Claims any
