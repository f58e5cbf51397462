package main

import (
	"errors"

	"buf.build/go/bufplugin/check"
	"google.golang.org/protobuf/reflect/protoreflect"
	"pluginrpc.com/pluginrpc"

	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// findings are all findings by the ID of their rule.
type findings map[string][]finding

// A finding is a message of one rule.
type finding struct {
	place   policy.Place                  // in a file of the request, or nowhere
	against protoreflect.MethodDescriptor // the method in the old version, or nil
	message string
}

// findingsOf compiles both versions of a request's module. The error is about the
// configuration, and ends the run whatever rules are in use.
func findingsOf(request check.Request) (findings, error) {
	config, configErr := readConfig(request.Options())
	now, err := compile(request.FileDescriptors(), config, config.services)
	if err != nil {
		return nil, err
	}
	found := findings{}
	if err := errors.Join(configErr, found.faults(now)); err != nil {
		return nil, pluginrpc.NewError(pluginrpc.CodeInvalidArgument, err)
	}
	found.conventions(now, config)
	found.ways(now)
	found.unannotated(now)
	if err := found.required(now); err != nil {
		return nil, err
	}
	if files := request.AgainstFileDescriptors(); len(files) > 0 {
		old, err := compileOld(files, config)
		if err != nil {
			return nil, err
		}
		found.changes(old, now)
	}
	return found, nil
}

func (f findings) add(id string, place policy.Place, message string) {
	f[id] = append(f[id], finding{place: place, message: message})
}

func (f finding) annotation() []check.AddAnnotationOption {
	options := []check.AddAnnotationOption{check.WithMessage(f.message)}
	if f.place.File != nil {
		// A path with a known position: for an unknown path, bufplugin may choose the
		// position of a neighbour.
		location, _ := f.place.Position()
		options = append(options, check.WithFileNameAndSourcePath(f.place.File.Path(), location.Path))
	}
	if f.against != nil {
		options = append(options, check.WithAgainstDescriptor(f.against))
	}
	return options
}
