package policy

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
)

// A Place is where something stands in a .proto file. The zero Place is nowhere.
type Place struct {
	// File is the file, or nil.
	File protoreflect.FileDescriptor
	// Path leads from the file to the part that is meant, as in
	// google.protobuf.SourceCodeInfo.Location.
	Path protoreflect.SourcePath
}

// Position returns the smallest part of the source around the place whose
// position is known. It reports false if none is: images have positions, while
// linked descriptors have none.
func (p Place) Position() (protoreflect.SourceLocation, bool) {
	if p.File == nil {
		return protoreflect.SourceLocation{}, false
	}
	locations := p.File.SourceLocations()
	for path := p.Path; len(path) > 0; path = path[:len(path)-1] {
		// Compilers leave out what is clear from its parts, and all elements of a list
		// but one.
		for depth := range 3 {
			if found, ok := firstBelow(locations, path, depth); ok {
				return found, true
			}
		}
	}
	return protoreflect.SourceLocation{}, false
}

// firstBelow returns the first part at some depth below a path. It looks at the parts that our
// options have: numbers of our fields, and the first elements of lists.
func firstBelow(locations protoreflect.SourceLocations, path protoreflect.SourcePath, depth int) (protoreflect.SourceLocation, bool) {
	if depth == 0 {
		found := locations.ByPath(path)
		return found, found.Path != nil
	}
	for number := range int32(9) {
		if found, ok := firstBelow(locations, append(slices.Clip(path), number), depth-1); ok {
			return found, true
		}
	}
	return protoreflect.SourceLocation{}, false
}

// String returns file, line and column, as in "order/v1/order.proto:12:3", and
// as much of that as is known. Lines and columns count from 1.
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

// servicePlace is where a service stands.
func servicePlace(service protoreflect.Descriptor) Place {
	return Place{service.ParentFile(), protoreflect.SourcePath{serviceOfFile, int32(service.Index())}} //nolint:gosec // the index of a declaration
}

// methodPlace is where a method stands.
func methodPlace(method protoreflect.MethodDescriptor) Place {
	return servicePlace(method.Parent()).below(methodOfService, int32(method.Index())) //nolint:gosec // the index of a declaration
}

// serviceOption is where the option (protoauthz.v1.service) stands, or a field in
// it.
func serviceOption(service protoreflect.Descriptor, field ...protoreflect.Name) Place {
	return servicePlace(service).option(optionsOfService, authzv1.E_Service, field)
}

// methodOption is where the option (protoauthz.v1.method) stands, or a field in
// it.
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

// Place returns where a field of the rule stands, by its name in
// protoauthz.v1.MethodRule, such as "model": at the service if it comes from
// there, and the whole option if it is not given. It panics if there is no such
// field.
func (r *Rule) Place(field protoreflect.Name) Place {
	switch {
	case r.Method == nil:
		return Place{}
	case slices.Contains(r.inherited, field):
		return serviceOption(r.Method.Parent(), field)
	default:
		return methodOption(r.Method, field)
	}
}

// ScopePlace returns where the rule names a scope, or would.
func (r *Rule) ScopePlace(scope string) Place {
	for _, list := range r.scopeLists() {
		if i := slices.Index(list.scopes, scope); i >= 0 {
			return r.scopePlace(list.name, i)
		}
	}
	return r.Place("scopes")
}

func (r *Rule) scopePlace(list protoreflect.Name, i int) Place {
	return r.Place(list).below(int32(i)) //nolint:gosec // the index in a list
}

type scopeList struct {
	name   protoreflect.Name
	scopes []string
}

func (r *Rule) scopeLists() []scopeList {
	return []scopeList{{"scopes", r.Scopes}, {"any_scopes", r.AnyScopes}}
}

// organizationFields are the fields of an organization that have faults of their own.
var organizationFields = map[FaultKind]protoreflect.Name{
	FaultOrganizationField: "field", FaultOrganizationHeader: "header", FaultOrganizationPattern: "pattern",
}

// organizationPlace returns where the fault of an organization is.
func (r *Rule) organizationPlace(kind FaultKind) Place {
	// The service's field may well fit its other methods.
	if kind == FaultOrganizationField && slices.Contains(r.inherited, "organization") {
		return methodOption(r.Method)
	}
	field := new(authzv1.Organization).ProtoReflect().Descriptor().Fields().ByName(organizationFields[kind])
	if field == nil {
		return r.Place("organization")
	}
	return r.Place("organization").below(int32(field.Number()))
}
