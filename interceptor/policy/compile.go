package policy

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
)

// Files are the descriptors of the files whose services [Compile] compiles, as in
// Files{orderv1.File_order_v1_order_proto}. Their imports are not compiled.
//
// An option is a rule only if its file sees the declaration in
// protoauthz/v1/authz.proto: the file holds the declaration itself, or imports it
// directly, for options only, or by a chain of public imports. An import that a
// descriptor does not hold is looked up by its path: first among the given files and
// their imports, then among the linked files. Give all files of a set that
// protodesc.NewFiles has built, as protodesc.NewFiles may leave out imports for options
// only.
type Files []protoreflect.FileDescriptor

// An Option changes what [Compile] accepts.
type Option func(*compiler)

// Compile compiles the rules of all methods of all services in the given files. Give
// all files of an audience at once: Compile cannot find a scope that two tables share.
//
// The error is an [*Error] with every [Fault], in the order of the files. With an error,
// the table is nil.
func Compile(files Files, options ...Option) (*Table, error) {
	c := &compiler{table: &Table{rules: map[string]*Rule{}}}
	for i, option := range options {
		if option == nil {
			c.fault("Compile", "option %d is nil", i)
			continue
		}
		option(c)
	}
	if len(files) == 0 {
		c.fault("Compile", "no files given")
	}
	files = c.linked(files)
	c.declared = newFinder(files)
	seen := map[protoreflect.FullName]bool{}
	for i, file := range files {
		if file == nil {
			c.fault("Compile", "file %d is nil", i)
			continue
		}
		for j := range file.Services().Len() {
			service := file.Services().Get(j)
			name := service.FullName()
			if seen[name] {
				c.fault("Compile", "service %s is given twice", name)
				continue
			}
			seen[name] = true
			if !slices.Contains(c.public, string(name)) {
				c.service(service)
			}
		}
	}
	for _, name := range c.public {
		c.publicService(name, files)
	}
	c.shadows(files)
	c.unannotatedChoices(files)
	c.scopesShared()
	if len(c.table.rules) == 0 && len(c.faults) == 0 {
		c.fault("Compile", "the files declare no methods")
	}
	if len(c.faults) > 0 {
		return nil, &Error{Faults: c.faults, Rules: c.table.Rules()}
	}
	c.table.audience, c.table.subjectIssuer = c.audience, c.subjectIssuer
	return c.table, nil
}

type compiler struct {
	audience           string
	subjectIssuer      string
	audienceEmpty      bool // WithAudience("") was given
	public             []string
	shadow             []string
	unannotatedRefused []string
	unannotatedOpen    []string
	sharedScopes       []string
	declared           *finder
	table              *Table
	rules              []*Rule // with and without faults, in the order of the files
	faults             []*Fault
}

// fault adds a fault of what Compile was given.
func (c *compiler) fault(subject, format string, args ...any) {
	c.argumentFault(Place{}, subject, "", format, args...)
}

// argumentFault adds the fault of an argument of an option, once.
func (c *compiler) argumentFault(place Place, option, argument, format string, args ...any) {
	fault := &Fault{Kind: FaultOption, Subject: option, Argument: argument, Detail: fmt.Sprintf(format, args...), Place: place}
	if !slices.ContainsFunc(c.faults, func(other *Fault) bool { return other.Error() == fault.Error() }) {
		c.faults = append(c.faults, fault)
	}
}

func (c *compiler) faultAt(place Place, kind FaultKind, subject, format string, args ...any) {
	c.faults = append(c.faults, &Fault{Kind: kind, Subject: subject, Detail: fmt.Sprintf(format, args...), Place: place})
}

// wayFault adds a fault of a way. The text has the number of an alternative, as a server knows no positions. If several
// ways lack the same thing of the service, the first has the fault.
func (c *compiler) wayFault(way *Way, place Place, kind FaultKind, format string, args ...any) {
	subject, detail := string(way.method.FullName()), fmt.Sprintf(format, args...)
	for i := len(c.faults) - 1; i >= 0 && c.faults[i].Subject == subject; i-- {
		same := strings.HasSuffix(c.faults[i].Detail, detail) || strings.HasPrefix(detail, c.faults[i].Detail)
		if same && slices.Equal(c.faults[i].Place.Path, place.Path) {
			return
		}
	}
	if way.number > 0 {
		detail = way.name() + ": " + detail
	}
	c.faultAt(place, kind, subject, "%s", detail)
}

// sound reports whether a rule with these faults can be compared: perhaps only the server has the audience.
func sound(faults []*Fault) bool {
	return !slices.ContainsFunc(faults, func(fault *Fault) bool { return fault.Kind != FaultAudienceMissing })
}

func (c *compiler) service(service protoreflect.ServiceDescriptor) {
	seen := c.declared.find(service.ParentFile())
	option, err := serviceRule(service, seen)
	if err != nil {
		c.faultAt(serviceOption(service), FaultRuleUnreadable, string(service.FullName()), "%v", err)
		return
	}
	names := map[protoreflect.Name]bool{}
	for i := range service.Methods().Len() {
		method := service.Methods().Get(i)
		if names[method.Name()] {
			c.fault("Compile", "method %s is given twice", method.FullName())
		}
		names[method.Name()] = true
		before := len(c.faults)
		rule := c.method(method, option, seen)
		if sound(c.faults[before:]) {
			c.table.rules[rule.Procedure] = rule
		}
		if rule != nil {
			rule.Shadow = !rule.Public && slices.Contains(c.shadow, string(service.FullName()))
			c.rules = append(c.rules, rule)
		}
	}
	if err := checkAudience(option.GetAudience()); err != nil { // one fault for the service, not one for each method
		c.faultAt(serviceOption(service, "audience"), FaultAudienceInvalid, string(service.FullName()), "%v", err)
	}
}

// method compiles one rule. The rule counts only if the method has no fault.
func (c *compiler) method(method protoreflect.MethodDescriptor, service *authzv1.ServiceRule, seen *declarations) *Rule {
	name := string(method.FullName())
	option, err := methodRule(method, seen)
	switch {
	case err != nil:
		c.faultAt(methodOption(method), FaultRuleUnreadable, name, "%v", err)
		return nil
	case option == nil:
		hint := seen.hint(method)
		rule := c.unannotated(method)
		if rule == nil || hint != "" {
			c.faultAt(methodPlace(method), FaultRuleMissing, name, "no rule: add option (protoauthz.v1.method)%s", hint)
			return nil
		}
		return rule
	}
	rule := &Rule{Procedure: procedure(method), Method: method, Public: option.GetPublic(), OrganizationOptional: option.GetOrganizationOptional()}
	place := methodOption(method)
	before := len(c.faults)
	rule.Way = c.way(&Way{method: method, option: place}, option, service, option.GetPublic())
	if rule.Public {
		if restricted(option) {
			c.faultAt(methodOption(method, "public"), FaultRuleConflict, name, "public is set beside a restriction, which would not be checked: remove one of the two")
		}
		return rule
	}
	alternatives := place.below(ruleField("alternatives"))
	for i, alternative := range option.GetAlternatives() {
		way := &Way{method: method, number: i + 1, option: alternatives.below(int32(i))}
		rule.Alternatives = append(rule.Alternatives, c.way(way, alternative, service, false))
	}
	c.together(rule, sound(c.faults[before:]))
	return rule
}

// restricted reports whether a public rule has a field that would not be checked.
func restricted(option *authzv1.MethodRule) bool {
	return option.GetCaller() != authzv1.Caller_CALLER_ANY || option.GetOrganization() != nil ||
		option.GetModel() != authzv1.Model_MODEL_UNSPECIFIED || option.GetAudience() != "" ||
		option.GetSubject() != nil || option.GetClient() != nil || len(option.GetAlternatives()) > 0 || option.GetOrganizationOptional()
}

// A wayOption is a way as its annotation has it: a MethodRule or an Alternative.
type wayOption interface {
	GetAuthenticated() bool
	GetScopes() []string
	GetAnyScopes() []string
	GetCaller() authzv1.Caller
	GetModel() authzv1.Model
	GetOrganization() *authzv1.Organization
	GetAudience() string
	GetSubject() *authzv1.Identifier
	GetClient() *authzv1.Identifier
}

// way compiles one way, which has its method and place. All faults of the way are found.
func (c *compiler) way(way *Way, option wayOption, service *authzv1.ServiceRule, public bool) Way {
	way.Scopes, way.AnyScopes, way.Caller = option.GetScopes(), option.GetAnyScopes(), option.GetCaller()
	c.access(way, option, public)
	if public {
		return *way
	}
	// A fault of a missing field is placed where the model is, or should be.
	about := way.option
	if way.Model = option.GetModel(); way.Model == authzv1.Model_MODEL_UNSPECIFIED {
		about = serviceOption(way.method.Parent())
		way.Model = service.GetModel()
		way.inherited = append(way.inherited, "model")
	}
	if way.Model == authzv1.Model_MODEL_UNSPECIFIED {
		c.wayFault(way, about, FaultModelMissing, "no permission model: set model in option (protoauthz.v1.service)")
	} else {
		c.audienceOf(way, about, option, service)
		c.organization(way, about, option, service)
	}
	c.identifiers(way, option)
	return *way
}

// access checks that a way is exactly one of public, authenticated and scoped, and checks
// its scopes.
func (c *compiler) access(way *Way, option wayOption, public bool) {
	scoped := len(way.Scopes)+len(way.AnyScopes) > 0
	given := 0
	for _, is := range []bool{public, option.GetAuthenticated(), scoped} {
		if is {
			given++
		}
	}
	if given != 1 {
		choices := "public, authenticated and scopes"
		if way.number > 0 {
			choices = "authenticated and scopes"
		}
		c.wayFault(way, way.option, FaultRuleConflict, "%d of %s are given: give exactly one", given, choices)
	}
	seen := map[string]bool{}
	for _, list := range way.scopeLists() {
		for i, scope := range list.scopes {
			if err := checkScope(scope); err != nil {
				c.wayFault(way, way.scopePlace(list.name, i), FaultScopeInvalid, "%v", err)
			}
			if seen[scope] {
				c.wayFault(way, way.scopePlace(list.name, i), FaultScopeInvalid, "scope %q is given twice", scope)
			}
			seen[scope] = true
		}
	}
}
