// Package compiling tells package guardtest what a deployment compiles, outside of the public API.
package compiling

// Observe is a function that has another function called with the arguments of each call of Deployment.Compile that
// returns a table. Package deployment sets it before main runs.
var Observe any
