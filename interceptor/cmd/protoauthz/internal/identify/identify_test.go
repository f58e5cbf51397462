package identify_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/identify"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/providers"
)

func TestX(t *testing.T) {
	providers.Keys()
	synctest.Test(t, func(t *testing.T) {
		for _, s := range providers.Load(t) {
			for _, tok := range s.Tokens {
				raw, _ := s.Sign(t, tok)
				r, err := identify.Read(raw)
				if err != nil {
					fmt.Printf("%-28s %-40.40s READ %.60v\n", s.Name, tok.Name, err)
					continue
				}
				f := identify.Identify(r)
				kind := "ok"
				if tok.Refused != "" {
					kind = "ref " + tok.Kind
				}
				fmt.Printf("%-28s %-40.40s %-12s | %-22s acc=%v %.200v\n", s.Name, tok.Name, kind, f.Provider, f.Refused == nil, f.Refused)
			}
		}
	})
}
