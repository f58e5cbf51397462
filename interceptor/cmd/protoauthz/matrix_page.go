package main

import (
	"crypto/sha256"
	_ "embed" // the page
	"encoding/base64"
	"html/template"
	"io"
	"maps"
	"slices"

	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/terminal"
)

var (
	//go:embed matrix_page.html
	pageHTML string
	//go:embed matrix_page.css
	pageStyle string
	//go:embed matrix_page.js
	pageScript string

	page = template.Must(template.New("page").Parse(pageHTML))
)

// matrixHTML writes one page that needs no network. The page's Content Security Policy forbids the
// network, and every script and style but the page's own.
func matrixHTML(w io.Writer, all []*group, missing []string) error {
	type line struct {
		*wayRow
		Title, Where, Aud, Names, Place string
		Further                         bool // a further way in of the method above
	}
	type service struct {
		Name string
		Rows []line
	}
	var services []service
	total := 0
	notEnforced, refused := notEnforcedIn(all), false
	models, callers := map[string]bool{}, map[string]bool{}
	for _, g := range all {
		one := service{Name: g.Service}
		for _, r := range g.Rows {
			total++
			refused = refused || r.Access == accessRefused
			for n, way := range r.ways() {
				one.Rows = append(one.Rows, line{way, r.title(n), way.where(), way.aud(), way.names(), terminal.Escape(r.Place), n > 0})
				if way.Model != "" {
					models[way.Model], callers[way.Caller] = true, true
				}
			}
		}
		services = append(services, one)
	}
	return page.Execute(w, map[string]any{
		"Policy": "default-src 'none'; style-src '" + hash(pageStyle) + "'; script-src '" + hash(pageScript) +
			"'; base-uri 'none'; form-action 'none'",
		"Style":            template.CSS(pageStyle), //nolint:gosec // our own
		"Script":           template.JS(pageScript), //nolint:gosec // our own
		"Services":         services,
		"Named":            slices.ContainsFunc(all, (*group).names),
		"Total":            total,
		"NotEnforced":      notEnforced,
		"NotEnforcedCount": count(len(notEnforced), "method", "methods"),
		"Refused":          refused,
		"Missing":          missing,
		"Lacks":            count(len(missing), "method", "methods"),
		"Models":           slices.Sorted(maps.Keys(models)),
		"Callers":          slices.Sorted(maps.Keys(callers)),
	})
}

// hash returns the hash of a script or style for Content Security Policy.
func hash(code string) string {
	sum := sha256.Sum256([]byte(code))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
