package main

import "github.com/urfave/cli/v3"

func matrixCommand() *cli.Command  { return &cli.Command{Name: "matrix", Flags: policyFlags()} }
func scopesCommand() *cli.Command  { return &cli.Command{Name: "scopes", Flags: policyFlags()} }
func diffCommand() *cli.Command    { return &cli.Command{Name: "diff", Flags: policyFlags()} }
