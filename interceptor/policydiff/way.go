package policydiff

import (
	"cmp"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// A way is a way of one version of a rule.
type way struct {
	*policy.Way

	number   int
	audience string   // which another version may have taken from elsewhere: see sameAudience
	fields   [3]field // which the messages must fill: the organization, the subject and the client, if a field names them
	calls    []call
}

// A call is the poorest call that a way lets in: the call has what the way asks for, and nothing else. The
// organization, the subject and the client are three names that stand nowhere else.
//
// Each condition of a way asks for something, and no condition asks for the lack of something. So another
// way that lets in the poorest call lets in all calls that have one and the same of the scopes of AnyScopes. And
// ways that let in these calls together need not be compared together.
type call struct {
	*way

	scopes []string
}

// A field is what a field of the messages must name.
type field struct {
	noun, name string
	path       []protoreflect.FieldDescriptor
	segments   []string // of the pattern: none if the field holds the name and nothing else
}

// waysOf returns the ways of a rule.
func waysOf(rule *policy.Rule) []*way {
	var ways []*way
	for number, of := range rule.Ways() {
		w := &way{Way: of, number: number, audience: of.Audience}
		if o := of.Organization; o != nil && o.Location == policy.LocationField {
			w.fields[0] = fieldOf("organization", o.Name, o.Pattern, o.Path())
		}
		if s := of.Subject; s != nil {
			w.fields[1] = fieldOf("subject", s.Name, s.Pattern, s.Path())
		}
		if c := of.Client; c != nil {
			w.fields[2] = fieldOf("client", c.Name, c.Pattern, c.Path())
		}
		for _, scope := range of.AnyScopes {
			w.calls = append(w.calls, call{w, append(slices.Clip(of.Scopes), scope)})
		}
		if len(of.AnyScopes) == 0 {
			w.calls = []call{{w, of.Scopes}}
		}
		ways = append(ways, w)
	}
	return ways
}

func fieldOf(noun, name, pattern string, path []protoreflect.FieldDescriptor) field {
	f := field{noun: noun, name: name, path: path}
	if pattern != "" {
		f.segments = strings.Split(pattern, "/")
	}
	return f
}

// covered reports whether the ways of the other version let in each call of the way.
func (w *way) covered(by ...*way) bool {
	return !slices.ContainsFunc(w.calls, func(c call) bool {
		return !slices.ContainsFunc(by, func(other *way) bool {
			return !slices.ContainsFunc(conditions, func(holds condition) bool { return !holds(other, c) })
		})
	})
}

// A condition reports whether a call meets one condition of a way.
type condition func(*way, call) bool

var conditions = []condition{(*way).meetsModel, (*way).meetsAudience, (*way).meetsCaller, (*way).meetsScopes, (*way).meetsOrganization, (*way).meetsSubject, (*way).meetsClient}

// distance returns how many conditions of two ways differ.
func (w *way) distance(other *way) int {
	distance := 0
	for _, holds := range conditions {
		fails := func(w *way) func(call) bool { return func(c call) bool { return !holds(w, c) } }
		if slices.ContainsFunc(other.calls, fails(w)) || slices.ContainsFunc(w.calls, fails(other)) {
			distance++
		}
	}
	return distance
}

func (w *way) meetsModel(c call) bool { return c.Model == w.Model }

// sameAudience finds the audience that is empty before, which is not known. All ways without an audience have one and
// the same. So it is empty after, too, if a way after has none. Otherwise it is the audience of a way after by which the
// fewest ways let in more.
func sameAudience(olds, news []*way) {
	best, fewest := "the server's", len(news)+1 // an audience has no space
	unnamed := func(w *way) bool { return w.byAudience() && w.Audience == "" }
	if !slices.ContainsFunc(news, unnamed) {
		for _, w := range news {
			if !w.byAudience() {
				continue
			}
			takeAudience(w.Audience, olds, news)
			if looser := len(slices.DeleteFunc(slices.Clone(news), func(w *way) bool { return w.covered(olds...) })); looser < fewest {
				best, fewest = w.Audience, looser
			}
		}
	}
	takeAudience(best, olds, news)
}

// takeAudience gives an audience to the ways that have none.
func takeAudience(audience string, olds, news []*way) {
	for _, w := range slices.Concat(olds, news) {
		w.audience = cmp.Or(w.Audience, audience)
	}
}

// byAudience reports whether the audience of a way counts. The audience of an organization token is the organization.
func (w *way) byAudience() bool { return w.Model != authzv1.Model_MODEL_ORGANIZATION }

func (w *way) meetsAudience(c call) bool {
	return !w.byAudience() || !c.byAudience() || c.audience == w.audience
}

func (w *way) meetsCaller(c call) bool {
	return w.caller() == authzv1.Caller_CALLER_ANY || c.caller() == w.caller()
}

// caller returns the kind of caller that may call: only the token of a user has a subject.
func (w *way) caller() authzv1.Caller {
	if w.Subject != nil {
		return authzv1.Caller_CALLER_USER
	}
	return w.Caller
}

func (w *way) meetsScopes(c call) bool {
	has := func(scope string) bool { return slices.Contains(c.scopes, scope) }
	return !slices.ContainsFunc(w.Scopes, func(scope string) bool { return !has(scope) }) &&
		(len(w.AnyScopes) == 0 || slices.ContainsFunc(w.AnyScopes, has))
}

func (w *way) meetsOrganization(c call) bool {
	switch o := w.Organization; {
	case o == nil || o.Location == policy.LocationToken:
		return true
	case o.Location == policy.LocationHeader:
		return c.Organization != nil && c.Organization.Location == o.Location && c.Organization.Name == o.Name
	default:
		return c.fills(w.fields[0])
	}
}

func (w *way) meetsSubject(c call) bool {
	return w.Subject == nil || c.fills(w.fields[1]) && c.issuedBy(w.Subject.Issuer)
}

func (w *way) meetsClient(c call) bool {
	return w.Client == nil || c.fills(w.fields[2]) && c.issuedBy(w.Client.Issuer)
}

// issuedBy reports whether the token of a call is of an issuer, which may be empty for any.
func (c call) issuedBy(issuer string) bool {
	return issuer == "" || c.Subject != nil && c.Subject.Issuer == issuer || c.Client != nil && c.Client.Issuer == issuer
}

// fills reports whether the message of a call has in a field what the field must name.
func (c call) fills(want field) bool {
	var same []field // fields with one value, which fits the patterns of all
	for _, f := range c.fields {
		if f.name == want.name && reads(f.path, want.path) {
			same = append(same, f)
		}
	}
	if len(want.segments) == 0 { // a pattern of one segment is the name itself
		return slices.ContainsFunc(same, func(f field) bool { return f.noun == want.noun && len(f.segments) <= 1 })
	}
	for i, segment := range want.segments {
		if !slices.ContainsFunc(same, func(f field) bool {
			return len(f.segments) == len(want.segments) && (segment == "*" || segment == f.segments[i])
		}) {
			return false
		}
	}
	return true
}

// reads reports whether one path finds all values in each encoded request that another path
// finds. Of a list that is read as a single field, only the last element counts. A field of a oneof is lost if another
// field of the oneof follows.
func reads(one, another []protoreflect.FieldDescriptor) bool {
	return slices.EqualFunc(one, another, func(a, b protoreflect.FieldDescriptor) bool {
		return a.Number() == b.Number() && a.Kind() == b.Kind() && (a.IsList() || !b.IsList()) && rulesOut(a, b)
	})
}

// rulesOut reports whether one field rules out each field that another field rules out, as both are in one oneof.
func rulesOut(one, another protoreflect.FieldDescriptor) bool {
	oneof := another.ContainingOneof()
	if oneof == nil {
		return true
	}
	for i := range oneof.Fields().Len() {
		number := oneof.Fields().Get(i).Number()
		if in := one.ContainingOneof(); number != another.Number() && (in == nil || in.Fields().ByNumber(number) == nil) {
			return false
		}
	}
	return true
}
