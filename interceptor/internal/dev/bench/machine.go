package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
)

// describeMachine says on what, and of what, the figures are.
func describeMachine(ctx context.Context) (string, error) {
	commit, err := describeCommit(ctx)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s, %d cores, %s, commit %s", processor(), runtime.GOMAXPROCS(0), runtime.Version(), commit), nil
}

// processor is what Linux calls it, or its architecture.
func processor() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(info)) {
		if name, model, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(model)
		}
	}
	return runtime.GOARCH
}

// describePeers lists the modules that we are compared with, or that they need for it.
func describePeers() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "modules of unknown versions"
	}
	var peers []string
	for _, module := range info.Deps {
		for _, path := range []string{
			"connectrpc.com/", "github.com/MicahParks/", "github.com/auth0/", "github.com/coreos/", "github.com/golang-jwt/",
			"github.com/grpc-ecosystem/", "github.com/hashicorp/", "github.com/lestrrat-go/jwx", "github.com/maypok86/", "google.golang.org/grpc",
		} {
			if strings.HasPrefix(module.Path, path) {
				peers = append(peers, module.Path+" "+module.Version)
			}
		}
	}
	return strings.Join(peers, ", ")
}

func describeCommit(ctx context.Context) (string, error) {
	commit, err := exec.CommandContext(ctx, "git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return "", fmt.Errorf("git rev-parse: %w", err)
	}
	changes, err := exec.CommandContext(ctx, "git", "status", "--porcelain").Output()
	if err != nil {
		return "", fmt.Errorf("git status: %w", err)
	}
	name := strings.TrimSpace(string(commit))
	if len(changes) > 0 {
		name += " + changes"
	}
	return name, nil
}
