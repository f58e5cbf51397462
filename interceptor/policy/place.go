package policy

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
)

// A Place is a part of a .proto file. The zero Place is nowhere.
type Place struct {
	// File is the file. It is nil for the zero Place.
	File protoreflect.FileDescriptor
	// Path leads from the file to the part, as in google.protobuf.SourceCodeInfo.Location.
	Path protoreflect.SourcePath
}

// Position returns the position of the place or, if it is unknown, of the smallest part
// around the place whose position is known. It reports false without any position: images
// have positions, while linked descriptors have none.
func (p Place) Position() (protoreflect.SourceLocation, bool) {
	if p.File == nil {
		return protoreflect.SourceLocation{}, false
	}
	locations := p.File.SourceLocations()
	for path := p.Path; len(path) > 0; path = path[:len(path)-1] {
		// Compilers may give positions to the fields of an option and to the first element of
		// a list only.
		for depth := range 3 {
			if found, ok := firstBelow(locations, path, depth); ok {
				return found, true
			}
		}
	}
	return protoreflect.SourceLocation{}, false
}

// firstBelow returns the first known position of the parts at a depth below a path. It tries
// the numbers of our options' fields, which are indices of list elements too.
func firstBelow(locations protoreflect.SourceLocations, path protoreflect.SourcePath, depth int) (protoreflect.SourceLocation, bool) {
	if depth == 0 {
		found := locations.ByPath(path)
		return found, found.Path != nil
	}
	for number := range int32(13) {
		if found, ok := firstBelow(locations, append(slices.Clip(path), number), depth-1); ok {
			return found, true
		}
	}
	return protoreflect.SourceLocation{}, false
}

// String returns the file, line and column, as in "order/v1/order.proto:12:3". Without a
// position it returns the file, and "" for the zero Place. Lines and columns count from 1.
func (p Place) String() string {
	location, ok := p.Position()
	switch {
	case p.File == nil:
		return ""
	case !ok:
		return p.File.Path()
	default:
		return fmt.Sprintf("%s:%d:%d", p.File.Path(), location.StartLine+1, location.StartColumn+1)
	}
}

// The numbers of fields of google/protobuf/descriptor.proto.
const (
	serviceOfFile    = 6
	methodOfService  = 2
	optionsOfService = 3
	optionsOfMethod  = 4
)

func servicePlace(service protoreflect.Descriptor) Place {
	return Place{service.ParentFile(), protoreflect.SourcePath{serviceOfFile, int32(service.Index())}} //nolint:gosec // the index of a declaration
}

func methodPlace(method protoreflect.MethodDescriptor) Place {
	return servicePlace(method.Parent()).below(methodOfService, int32(method.Index())) //nolint:gosec // the index of a declaration
}

// serviceOption returns the place of the option (protoauthz.v1.service), or of a field in
// the option.
func serviceOption(service protoreflect.Descriptor, field ...protoreflect.Name) Place {
	return servicePlace(service).option(optionsOfService, authzv1.E_Service, field)
}

// methodOption returns the place of the option (protoauthz.v1.method), or of a field in the
// option.
func methodOption(method protoreflect.MethodDescriptor, field ...protoreflect.Name) Place {
	return methodPlace(method).option(optionsOfMethod, authzv1.E_Method, field)
}

func (p Place) option(options int32, extension protoreflect.ExtensionType, fields []protoreflect.Name) Place {
	p = p.below(options, int32(extension.TypeDescriptor().Number()))
	for _, name := range fields {
		p = p.below(int32(extension.TypeDescriptor().Message().Fields().ByName(name).Number()))
	}
	return p
}

func (p Place) below(path ...int32) Place {
	return Place{p.File, slices.Concat(p.Path, path)}
}

// Place returns the place of the method. It is zero if Method is nil.
func (r *Rule) Place() Place {
	if r.Method == nil {
		return Place{}
	}
	return methodPlace(r.Method)
}

// FieldPlace returns the place of a field of the rule, by its name in
// protoauthz.v1.MethodRule, such as "public" or "model": see [Way.FieldPlace]. The place is
// zero if Method is nil.
func (r *Rule) FieldPlace(field protoreflect.Name) Place {
	switch {
	case r.Method == nil:
		return Place{}
	case r.method == nil: // a rule without a way
		return methodOption(r.Method, field)
	default:
		return r.Way.FieldPlace(field)
	}
}

// ruleField returns the number of a field, by its name in protoauthz.v1.MethodRule. An
// alternative has the same numbers.
func ruleField(name protoreflect.Name) int32 {
	return int32(new(authzv1.MethodRule).ProtoReflect().Descriptor().Fields().ByName(name).Number())
}

// organizationFields are the fields of an organization, by the kinds of their faults.
var organizationFields = map[FaultKind]protoreflect.Name{
	FaultOrganizationField: "field", FaultOrganizationHeader: "header", FaultOrganizationPattern: "pattern",
}

// organizationPlace returns the place of a fault of the organization.
func (w *Way) organizationPlace(kind FaultKind) Place {
	// The field path of the service may fit its other methods.
	if kind == FaultOrganizationField && slices.Contains(w.inherited, "organization") {
		return methodOption(w.method)
	}
	field := new(authzv1.Organization).ProtoReflect().Descriptor().Fields().ByName(organizationFields[kind])
	if field == nil {
		return w.FieldPlace("organization")
	}
	return w.FieldPlace("organization").below(int32(field.Number()))
}
