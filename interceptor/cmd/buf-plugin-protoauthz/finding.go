package main

import (
	"buf.build/go/bufplugin/check"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// findings are what is to be reported, by the id of the rule.
type findings map[string][]finding

// A finding is one thing to report.
type finding struct {
	place   policy.Place                  // in a file of the request, or nowhere
	against protoreflect.MethodDescriptor // what stood there before, or nil
	message string
}

func (f findings) add(id string, place policy.Place, message string) {
	f[id] = append(f[id], finding{place: place, message: message})
}

func (f finding) annotation() []check.AddAnnotationOption {
	options := []check.AddAnnotationOption{check.WithMessage(f.message)}
	if f.place.File != nil {
		// The exact path of what is known: asked for one that is not, bufplugin may
		// choose something that stands beside it.
		location, _ := f.place.Location()
		options = append(options, check.WithFileNameAndSourcePath(f.place.File.Path(), location.Path))
	}
	if f.against != nil {
		options = append(options, check.WithAgainstDescriptor(f.against))
	}
	return options
}
