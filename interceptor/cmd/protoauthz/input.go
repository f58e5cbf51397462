package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	"github.com/protoauthz/protoauthz/interceptor/cmd/internal/fileset"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// errNoServices is the error of a valid input without services.
var errNoServices = errors.New("there are no services")

// An input holds the services that a command is about, of an image or of a server.
type input struct {
	name    string // for messages
	set     *descriptorpb.FileDescriptorSet
	served  bool              // by a server
	files   policy.Files      // of the set; services that are left out have no methods
	missing bool              // the set lacks files
	left    map[string]string // the services that are left out, each with the flags that would choose it
	ruled   map[string]bool   // the packages of own and chosen services that may have rules
	chosen  bool              // there is something to compile
	unknown []*undescribed    // the chosen services without a descriptor
	notes   []string          // for standard error
}

// An undescribed service is a service that a server lists without a descriptor.
type undescribed struct {
	service string
	cause   error // or nil
}

// services returns the names of services.
func services(all []*undescribed) (names []string) {
	for _, u := range all {
		names = append(names, u.service)
	}
	return names
}

// Error implements [error].
func (u *undescribed) Error() string {
	text := u.service + ": the server lists it without a descriptor: import its generated Go package there, or give -public or -skip"
	if u.cause != nil {
		text += ": " + u.cause.Error()
	}
	return text
}

// An origin is the reason why a service is in the set.
type origin int

const (
	originOwn      origin = iota
	originImported        // in an imported file
	originUnserved        // not a service of the server
)

// newInput takes over the set. It chooses services of the set and of the services that a server lists
// without a descriptor.
func newInput(name string, set *descriptorpb.FileDescriptorSet, unknown map[string]error, s *selection, originOf func(*descriptorpb.FileDescriptorProto, string) origin) (*input, error) {
	in := &input{name: name, set: set, left: map[string]string{}, ruled: map[string]bool{}}
	declared := 0
	var imported, left []string
	chosen := map[string]bool{}
	for _, file := range set.GetFile() {
		for _, service := range file.GetService() {
			declared++
			full := string(serviceName(file, service))
			from := originOf(file, full)
			own := from == originOwn || s.ruled[file.GetPackage()] || s.isNamed(full) || s.isCompared(full) && hasRule(service)
			switch {
			case s.isPublic(full):
				chosen[full] = true
			case from == originUnserved:
			case s.chosen(full, own):
				chosen[full] = true
			case own:
				left = append(left, full)
				in.left[full] = "choose it with -only or without -skip"
			default:
				in.left[full] = "choose it with -only"
				if len(s.only) == 0 {
					imported = append(imported, full)
				}
			}
			if (own || chosen[full]) && hasRule(service) {
				in.ruled[file.GetPackage()] = true
			}
		}
	}
	for _, service := range slices.Sorted(maps.Keys(unknown)) {
		switch {
		case s.isPublic(service): // policy.WithPublic needs only the name
		case s.chosen(service, true):
			in.unknown = append(in.unknown, &undescribed{service, unknown[service]})
		default:
			left = append(left, service)
			in.left[service] = "choose it with -only or without -skip"
		}
	}
	if n := len(imported); n > 0 {
		in.notes = append(in.notes, fmt.Sprintf("left out: %s of imported files: %s", count(n, "service", "services"), some(imported, ", ")))
	}
	if n := len(left); n > 0 {
		in.notes = append(in.notes, fmt.Sprintf("left out by -only or -skip: %s: %s", count(n, "service", "services"), some(left, ", ")))
	}
	for _, name := range s.idle {
		in.notes = append(in.notes, fmt.Sprintf("%s has no effect: -only or -skip leaves the service out", name))
	}
	in.chosen = len(chosen)+len(s.deployment.Public) > 0
	switch {
	case in.chosen, len(in.unknown) > 0:
		return in, in.link(func(service, _ string) bool { return chosen[service] })
	case declared+len(unknown) == 0:
		return in, fmt.Errorf("%w among its %s", errNoServices, count(len(set.GetFile()), "file", "files"))
	default:
		return in, fmt.Errorf("%w: all are left out", errNoServices)
	}
}

// publish makes the other methods of a method's service public.
func (in *input) publish(service, except string) {
	for _, file := range in.set.GetFile() {
		for _, declared := range file.GetService() {
			for _, method := range declared.GetMethod() {
				if string(serviceName(file, declared)) == service && method.GetName() != except {
					method.Options = new(descriptorpb.MethodOptions)
					proto.SetExtension(method.Options, authzv1.E_Method, &authzv1.MethodRule{Public: true})
				}
			}
		}
	}
}

// link builds the descriptors of the set, without unwanted methods. It calls wanted with the method "" for a
// service without methods.
func (in *input) link(wanted func(service, method string) bool) error {
	for _, file := range in.set.GetFile() {
		for _, service := range file.GetService() {
			name := string(serviceName(file, service))
			service.Method = slices.DeleteFunc(service.GetMethod(), func(method *descriptorpb.MethodDescriptorProto) bool {
				return !wanted(name, method.GetName())
			})
			if len(service.GetMethod()) == 0 && !wanted(name, "") {
				service.Options = nil // the service stays, so that the services behind it keep their places
			}
		}
	}
	linked, missing, err := fileset.Link(in.set)
	if err != nil {
		return fmt.Errorf("the files do not fit together: write the image again: %w", err)
	}
	in.files = nil
	for _, file := range in.set.GetFile() {
		descriptor, err := linked.FindFileByPath(file.GetName())
		if err != nil {
			return err
		}
		in.files = append(in.files, descriptor)
	}
	if len(in.files) == 0 { // a server may have no service with a descriptor
		in.files = policy.Files{authzv1.File_protoauthz_v1_authz_proto}
	}
	in.noteMissing(missing)
	return nil
}

func (in *input) noteMissing(missing []fileset.Missing) {
	var files []string
	for _, m := range missing {
		file := fmt.Sprintf("%q, imported by %q", m.Path, m.By[0])
		if more := len(m.By) - 1; more > 0 {
			file += fmt.Sprintf(" and %d more", more)
		}
		if m.Path == authzv1.File_protoauthz_v1_authz_proto.Path() { // see policy.Files
			in.notes = append(in.notes, "missing: "+file+": this program's own copy takes its place")
			continue
		}
		files = append(files, file)
	}
	if n := len(files); n > 0 {
		in.missing = true
		in.notes = append(in.notes, fmt.Sprintf("missing: %s: %s: this matters only if a fault names the file", count(n, "file", "files"), some(files, "; ")))
	}
}

func serviceName(file *descriptorpb.FileDescriptorProto, service *descriptorpb.ServiceDescriptorProto) protoreflect.FullName {
	return protoreflect.FullName(file.GetPackage()).Append(protoreflect.Name(service.GetName()))
}
