package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/internal/document"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// findMethod finds the rule of a method: "/pkg.Service/Method", "pkg.Service/Method" or
// "pkg.Service.Method".
func findMethod(a *compiled, name string) (*policy.Rule, string, error) {
	procedure := strings.TrimPrefix(name, "/")
	if dot := strings.LastIndexByte(procedure, '.'); dot > 0 && !strings.Contains(procedure, "/") {
		procedure = procedure[:dot] + "/" + procedure[dot+1:]
	}
	procedure = "/" + procedure
	if err := a.errOf(procedure); err != nil {
		return nil, "", err
	}
	service, method, _ := strings.Cut(procedure[1:], "/")
	for _, rule := range a.rules {
		anyMethod := rule.Method == nil && method != "" && !strings.Contains(method, "/") && rule.Procedure == "/"+service+"/*"
		if rule.Procedure == procedure || anyMethod {
			return rule, procedure, nil
		}
	}
	if choose, ok := a.in.left[service]; ok {
		return nil, "", fmt.Errorf("-method %q: the service %s is left out: %s", name, service, choose)
	}
	message := fmt.Sprintf("-method: there is no %q", name)
	if near := nearest(a.rules, procedure); len(near) > 0 {
		message += "; is it " + strings.Join(near, " or ") + "?"
	}
	return nil, "", errors.New(message)
}

const maxNear = 3

// nearest returns the procedures with the most similar names, if there are any.
func nearest(rules []*policy.Rule, procedure string) []string {
	type candidate struct {
		name     string
		distance int
	}
	var near []candidate
	method := procedure[strings.LastIndexByte(procedure, '/')+1:]
	for _, rule := range rules {
		_, name, _ := strings.Cut(rule.Procedure[1:], "/")
		whole := document.Distance(strings.ToLower(procedure), strings.ToLower(rule.Procedure))
		if d := min(whole, 1+document.Distance(strings.ToLower(method), strings.ToLower(name))); d <= max(2, len(method)/3) {
			near = append(near, candidate{rule.Procedure, d})
		}
	}
	slices.SortStableFunc(near, func(a, b candidate) int { return cmp.Compare(a.distance, b.distance) })
	var names []string
	for _, c := range near[:min(len(near), maxNear)] {
		names = append(names, c.name)
	}
	return names
}
