package main

import (
	"context"
	"maps"
	"slices"
	"sync"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor"
)

// Organizations hold the data of all organizations. Data is reached through one organization: no method here
// reads the data of two.
type organizations struct {
	mu   sync.Mutex
	byID map[string]*organization
}

// ofCaller returns the organization of the call's way, which is the organization of the caller's token. A request may
// name the organization too, but only the token proves it. Without a way, the organization has no id.
func (o *organizations) ofCaller(ctx context.Context) *organization {
	way, _ := interceptor.WayFromContext(ctx)
	return o.get(way.Organization)
}

// get returns the organization with an id. A new organization has no data: the issuer decides which
// organizations exist.
func (o *organizations) get(id string) *organization {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.byID == nil {
		o.byID = map[string]*organization{}
	}
	if o.byID[id] == nil {
		o.byID[id] = &organization{
			id:        id,
			plan:      "free",
			members:   map[string]*samplev1.Member{},
			documents: map[string]*samplev1.Document{},
			settings:  map[string]string{},
		}
	}
	return o.byID[id]
}

// An organization holds the data of one organization, and no reference to another. It is safe for concurrent
// use; a member or document is never modified once it is in.
type organization struct {
	id string

	mu        sync.Mutex
	plan      string
	members   map[string]*samplev1.Member   // by email
	documents map[string]*samplev1.Document // by name
	settings  map[string]string
}

// listMembers returns all members, ordered by email.
func (o *organization) listMembers() []*samplev1.Member {
	o.mu.Lock()
	defer o.mu.Unlock()
	return sortedByKey(o.members)
}

// addMember reports whether the member is new.
func (o *organization) addMember(member *samplev1.Member) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.members[member.GetEmail()] != nil {
		return false
	}
	o.members[member.GetEmail()] = member
	return true
}

// setPlan sets the plan and returns it.
func (o *organization) setPlan(plan string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.plan = plan
	return o.plan
}

// listDocuments returns all documents, ordered by name.
func (o *organization) listDocuments() []*samplev1.Document {
	o.mu.Lock()
	defer o.mu.Unlock()
	return sortedByKey(o.documents)
}

// document returns nil if there is none of the name.
func (o *organization) document(name string) *samplev1.Document {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.documents[name]
}

// putDocument adds a document, or replaces the document of the same name.
func (o *organization) putDocument(document *samplev1.Document) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.documents[document.GetName()] = document
}

func (o *organization) countDocuments() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.documents)
}

// mergeSettings sets the given settings and returns all settings.
func (o *organization) mergeSettings(settings map[string]string) map[string]string {
	o.mu.Lock()
	defer o.mu.Unlock()
	maps.Copy(o.settings, settings)
	return maps.Clone(o.settings)
}

func sortedByKey[V any](m map[string]V) []V {
	var values []V
	for _, key := range slices.Sorted(maps.Keys(m)) {
		values = append(values, m[key])
	}
	return values
}
