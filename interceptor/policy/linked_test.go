package policy_test

import (
	"slices"
	"strings"
	"testing"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

func TestLinked(t *testing.T) {
	t.Parallel()
	want := policy.Files{
		samplev1.File_sample_v1_account_proto, samplev1.File_sample_v1_catalog_proto, samplev1.File_sample_v1_document_proto, samplev1.File_sample_v1_member_proto,
	}
	for _, packages := range [][]string{{"sample"}, {"sample."}, {"sample.v1"}, {"sample.v1.", "sample", "sample"}} {
		files := policy.Linked(packages...)
		if !slices.Equal(files, want) {
			t.Errorf("%q: the files are %v, want %v", packages, files, want)
		}
		if _, err := policy.Compile(files, policy.WithAudience("https://api.test")); err != nil {
			t.Errorf("%q: %v", packages, err)
		}
	}
	const absent = " or of a package below: import the generated Go package of the services, or correct the name (OPTION)"
	for _, test := range []struct {
		packages []string
		want     []string
	}{
		{nil, []string{`Linked: no package is given: name the packages of the services, such as "shop" (OPTION)`}},
		{[]string{"sampl"}, []string{"Linked: the program has no service of package sampl" + absent}},
		{[]string{"sample.v1.CatalogService"}, []string{"Linked: the program has no service of package sample.v1.CatalogService" + absent}},
		{[]string{"protoauthz"}, []string{"Linked: the program has no service of package protoauthz" + absent}}, // it has no services
		{[]string{"sample", "shop.v1.", "shop", "", ".", "a.*"}, []string{
			`Linked: "" is not the name of a package, such as "shop" or "shop.v1" (OPTION)`, `Linked: "." is not the name of a package, such as "shop" or "shop.v1" (OPTION)`,
			`Linked: "a.*" is not the name of a package, such as "shop" or "shop.v1" (OPTION)`, "Linked: the program has no service of package shop" + absent, "Linked: the program has no service of package shop.v1" + absent,
		}},
	} {
		table, err := policy.Compile(policy.Linked(test.packages...), policy.WithAudience("https://api.test"))
		if err == nil || table != nil || err.Error() != strings.Join(test.want, "\n") {
			t.Errorf("%q: %v\nwant %s", test.packages, err, strings.Join(test.want, "\n"))
		}
	}
}
