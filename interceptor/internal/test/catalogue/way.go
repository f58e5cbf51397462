package catalogue

import (
	"slices"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// A try is a token, with a message, and what comes of it.
type try struct {
	name    string
	token   []string
	message Message
	ways    []int // in the event
	told    int   // the way that the handler is told
	want    Answer
	header  bool // the header refuses
}

func (t try) with(organizations ...string) Case {
	c := Case{Name: t.name, Authorization: t.token, Messages: []Message{t.message}, Want: t.want, ByHeader: t.header}
	if t.ways != nil {
		c.Ways = [][]int{t.ways}
	}
	if t.want.Reason == "" {
		c.Told = []int{t.told}
	}
	if organizations != nil {
		c.Header = organizationHeader(organizations...)
	}
	return c
}

func tries(service string, all ...try) []Case {
	cases := make([]Case, len(all))
	for n, t := range all {
		cases[n] = t.with()
		cases[n].Name = service + ", " + t.name
	}
	return inRow("D59", service, cases)
}

// allOf is a message that names an organization, a user and a client.
func allOf(organization, user, client string) Message {
	m := body(`{"userId":%q,"clientId":%q}`, user, client)
	m.Organization = organization
	return m
}

// waysOfTwo are rules with two ways.
func (f forge) waysOfTwo() []Case {
	mine, staff, machine, machineStaff := f.global(""), f.global("read:accounts"), f.good("sub", clientID, "scope", ""), f.good("sub", clientID, "scope", "read:accounts")
	unknown := f.good("client_id", tokens.Absent{}, "scope", "read:accounts")
	inA := func(scope string) []string { return f.resource(orgA, scope) }
	return slices.Concat(
		tries("SelfOrStaff",
			try{"self", mine, user(userID), []int{0}, 0, Answer{}, false},
			try{"self, as staff", staff, user(userID), []int{0, 1}, 0, Answer{}, false},
			try{"another user, as staff", staff, user(otherUser), []int{0, 1}, 1, Answer{}, false},
			try{"nobody, as staff", staff, user(""), []int{0, 1}, 1, Answer{}, false},
			try{"another user", mine, user(otherUser), []int{0}, 0, Subject, false},
			try{"nobody", mine, user(""), []int{0}, 0, Subject, false},
			try{"a client", machine, user(clientID), []int{0}, 0, Subject, true},
			try{"a client as staff", machineStaff, user(userID), []int{0}, 0, Subject, true},
			try{"unknown kind as staff", unknown, user(userID), []int{0}, 0, Subject, true},
			try{"another organization's", f.resource(orgA, "read:accounts"), user(userID), []int{0}, 0, Model, true},
			try{"another audience", f.good("aud", tokens.OtherAPI, "scope", "read:accounts"), user(userID), []int{0}, 0, Audience, true},
		),
		tries("SelfOrClient",
			try{"both", mine, allOf("", userID, clientID), []int{0, 1}, 0, Answer{}, false},
			try{"the user", mine, allOf("", userID, otherClient), []int{0}, 0, Answer{}, false},
			try{"the client", mine, allOf("", otherUser, clientID), []int{1}, 1, Answer{}, false},
			try{"neither", mine, allOf("", otherUser, otherClient), []int{0}, 0, Subject, false},
			try{"in each other's place", mine, allOf("", clientID, userID), []int{0}, 0, Subject, false},
			try{"empty", mine, body(`{}`), []int{0}, 0, Subject, false},
			try{"a client's own token", machine, allOf("", clientID, clientID), []int{1}, 1, Answer{}, false},
			try{"a client's own token for a user", machine, allOf("", clientID, otherClient), []int{1}, 0, Subject, false},
			try{"no client in the token", f.good("client_id", tokens.Absent{}), allOf("", userID, ""), []int{0}, 0, Subject, true},
		),
		tries("Staff",
			try{"in its organization", inA("read:data"), allOf(orgA, "", ""), []int{0}, 0, Answer{}, false},
			try{"in another organization", inA("read:data"), allOf(orgB, "", ""), []int{0}, 0, Organization, false},
			try{"in no organization", inA("read:data"), allOf("", "", ""), []int{0}, 0, Organization, false},
			try{"support, in any organization", f.global("support:orders"), allOf(orgB, "", ""), []int{1}, 1, Answer{}, false},
			try{"support, in no organization", f.global("support:orders"), body(`{}`), []int{1}, 1, Answer{}, false},
			try{"support's scope with an organization", inA("support:orders"), allOf(orgA, "", ""), []int{0}, 0, Insufficient("read:data"), true},
			try{"support's scope with another organization", inA("support:orders read:data"), allOf(orgB, "", ""), []int{0}, 0, Organization, false},
			try{"the organization's scope without one", f.global("read:data"), allOf(orgA, "", ""), []int{1}, 0, Insufficient("support:orders"), true},
			try{"an organization token", f.member(orgA, "read:data support:orders"), allOf(orgA, "", ""), []int{0}, 0, Model, true},
			try{"an empty organization", f.resource("", "read:data support:orders"), allOf("", "", ""), []int{0}, 0, Model, true},
			try{"another audience", f.good("aud", tokens.OtherAPI, "scope", "support:orders"), allOf(orgA, "", ""), []int{0}, 0, Audience, true},
		),
		tries("Optional",
			try{"an organization", inA(""), user(""), []int{0}, 0, Answer{}, false},
			try{"no organization", f.global(""), user(""), []int{1}, 1, Answer{}, false},
			try{"an empty organization", f.resource("", ""), user(""), []int{0}, 0, Model, true},
			try{"an organization token", f.member(orgA, ""), user(""), []int{0}, 0, Model, true},
			try{"another audience", f.good("aud", tokens.OtherAPI), user(""), []int{0}, 0, Audience, true},
		),
		tries("Elsewhere",
			try{"here", f.global("read:a"), user(""), []int{0}, 0, Answer{}, false},
			try{"here, the other way's scope", f.global("read:accounts"), user(""), []int{0}, 0, Insufficient("read:a"), true},
			try{"there", f.good("aud", staffAPI, "scope", "read:accounts"), user(""), []int{1}, 1, Answer{}, false},
			try{"there, the other way's scope", f.good("aud", staffAPI, "scope", "read:a"), user(""), []int{1}, 0, elsewhere(Insufficient("read:accounts")), true},
			try{"there, no scope", f.good("aud", staffAPI, "scope", ""), user(""), []int{1}, 0, elsewhere(Insufficient("read:accounts")), true},
			try{"both, both scopes", f.good("aud", []string{tokens.API, staffAPI}, "scope", "read:a read:accounts"), user(""), []int{0, 1}, 0, Answer{}, false},
			try{"both, the other scope", f.good("aud", []string{tokens.API, staffAPI}, "scope", "read:accounts"), user(""), []int{1}, 1, Answer{}, false},
			try{"both, no scope", f.good("aud", []string{staffAPI, tokens.API}, "scope", ""), user(""), []int{0}, 0, Insufficient("read:a"), true},
			try{"neither", f.good("aud", tokens.OtherAPI, "scope", "read:a read:accounts"), user(""), []int{0}, 0, Audience, true},
			try{"with an organization", f.good("aud", []string{tokens.API, staffAPI}, "scope", "read:a", "organization_id", orgA), user(""), []int{0}, 0, Model, true},
			try{"there, with an organization", f.good("aud", staffAPI, "scope", "read:accounts", "organization_id", orgA), user(""), []int{0}, 0, Audience, true},
		),
	)
}

// places are rules whose ways find the organization in two places.
func (f forge) places() []Case {
	read, admin, both := f.resource(orgA, "read:data"), f.resource(orgA, "admin:data"), f.resource(orgA, "read:data admin:data")
	in := func(organization string) Message { return allOf(organization, "", "") }
	cases := []Case{
		try{"in the header", read, in(orgB), []int{0}, 0, Answer{}, false}.with(orgA),
		try{"another in the header", read, in(orgA), []int{0}, 0, Organization, true}.with(orgB),
		try{"not in the header", read, in(orgA), []int{0}, 0, Organization, true}.with(),
		try{"in the field", admin, in(orgA), []int{1}, 1, Answer{}, false}.with(orgB),
		try{"another in the field", admin, in(orgB), []int{1}, 1, Organization, false}.with(orgA),
		try{"in both", both, in(orgA), []int{0, 1}, 0, Answer{}, false}.with(orgA),
		try{"in the header, another in the field", both, in(orgB), []int{0, 1}, 0, Answer{}, false}.with(orgA),
		try{"in the field, another in the header", both, in(orgA), []int{1}, 1, Answer{}, false}.with(orgB),
		try{"in the field, nothing in the header", both, in(orgA), []int{1}, 1, Answer{}, false}.with(),
		try{"in neither", both, in(orgB), []int{1}, 1, Organization, false}.with(orgB),
		try{"nothing in either", both, in(""), []int{1}, 1, Organization, false}.with(),
		try{"twice in the header", read, in(orgA), []int{0}, 0, Organization, true}.with(orgA, orgA),
		try{"no scope", f.resource(orgA, ""), in(orgA), []int{0}, 0, Insufficient("read:data"), true}.with(orgA),
		try{"a global token", f.global("read:data admin:data"), in(orgA), []int{0}, 0, Model, true}.with(orgA),
	}
	return inRow("D59", "Places", cases)
}

// waysOfThree are rules with three ways. The denial is of the way that came furthest, the first of equals.
func (f forge) waysOfThree() []Case {
	machine := func(scope string) []string { return f.good("sub", clientID, "scope", scope) }
	three := []Case{
		try{"the user", f.global("read:a"), allOf("", userID, ""), []int{0}, 0, Answer{}, false}.with(),
		try{"another user", f.global("read:a"), allOf("", otherUser, ""), []int{0}, 0, Subject, false}.with(),
		try{"a user without scope", f.global(""), allOf("", userID, clientID), []int{0}, 0, Insufficient("read:a"), true}.with(),
		try{"the client", machine(""), allOf("", "", clientID), []int{1}, 0, Answer{}, false}.with(),
		try{"another client", machine(""), allOf("", "", otherClient), []int{1}, 0, Subject, false}.with(),
		try{"a client with the user's scope", machine("read:a"), allOf("", clientID, ""), []int{1}, 0, Subject, false}.with(),
		try{"an organization", f.resource(orgA, "write:data"), body(`{}`), []int{2}, 2, Answer{}, false}.with(orgA),
		try{"another organization", f.resource(orgA, "write:data"), allOf(orgA, userID, clientID), []int{2}, 0, Organization, true}.with(orgB),
		try{"no organization in the header", f.resource(orgA, "write:data"), allOf(orgA, userID, clientID), []int{2}, 0, Organization, true}.with(),
		try{"an organization without scope", f.resource(orgA, "read:a"), allOf("", userID, clientID), []int{2}, 0, Insufficient("write:data"), true}.with(orgA),
		try{"an organization token", f.member(orgA, "read:a write:data"), allOf("", userID, clientID), []int{0}, 0, Model, true}.with(orgA),
		try{"another audience", f.good("aud", tokens.OtherAPI, "scope", "read:a"), allOf("", userID, clientID), []int{0}, 0, Audience, true}.with(),
		try{"another audience, an organization", f.good("aud", tokens.OtherAPI, "scope", "write:data", "organization_id", orgA), allOf("", userID, clientID), []int{0}, 0, Audience, true}.with(orgA),
		try{"unknown kind", f.good("client_id", tokens.Absent{}), allOf("", userID, ""), []int{0}, 0, Subject, true}.with(),
		try{"unknown kind without scope", f.good("client_id", tokens.Absent{}, "scope", ""), allOf("", userID, ""), []int{0}, 0, Insufficient("read:a"), true}.with(),
		try{"no client", f.good("sub", clientID, "client_id", tokens.Absent{}, "scope", ""), allOf("", userID, ""), []int{0}, 0, Insufficient("read:a"), true}.with(),
	}
	three[3].Told = []int{1}
	kinds := []Case{
		try{"by its token", f.member(orgA, "invite:member"), allOf(orgA, "", ""), []int{0}, 0, Answer{}, false}.with(),
		try{"by its token, another organization", f.member(orgA, "invite:member"), allOf(orgB, "", ""), []int{0}, 0, Organization, false}.with(),
		try{"by its token, no scope", f.member(orgA, "read:data sell"), allOf(orgA, "", ""), []int{0}, 0, Insufficient("invite:member manage:members", "invite:member", "manage:members"), true}.with(),
		try{"a resource", f.resource(orgA, "read:data"), allOf(orgA, "", ""), []int{1}, 1, Answer{}, false}.with(),
		try{"a resource, another organization", f.resource(orgA, "read:data"), allOf(orgB, "", ""), []int{1}, 0, Organization, false}.with(),
		try{"a resource, no scope", f.resource(orgA, "invite:member sell"), allOf(orgA, "", ""), []int{1}, 0, Insufficient("read:data"), true}.with(),
		try{"global", machine("buy"), body(`{}`), []int{2}, 2, Answer{}, false}.with(),
		try{"global, a user", f.global("buy"), body(`{}`), []int{2}, 0, Caller, true}.with(),
		try{"global, a user without scope", f.global(""), body(`{}`), []int{2}, 0, Caller, true}.with(),
		try{"global, no scope", machine("read:data"), body(`{}`), []int{2}, 0, Insufficient("sell buy", "sell", "buy"), true}.with(),
		try{"an organization token for the API", f.good("scope", "read:data sell", "aud", []string{tokens.API, urn + orgA}), allOf(orgA, "", ""), []int{0}, 0, Model, true}.with(),
		try{"another audience", f.good("aud", tokens.OtherAPI, "scope", "read:data"), allOf(orgA, "", ""), []int{0}, 0, Audience, true}.with(),
	}
	for n := range three {
		three[n].Name = "of three, " + three[n].Name
	}
	for n := range kinds {
		kinds[n].Name = "of three models, " + kinds[n].Name
	}
	return slices.Concat(inRow("D59", "Three", three), inRow("D59", "Kinds", kinds))
}

// wayStreams are streams whose messages take ways away. No message gives one back.
func (f forge) wayStreams() []Case {
	mine, staff, both := f.global(""), f.global("read:accounts"), f.resource(orgA, "read:data admin:data")
	two, onlyUser, onlyClient, neither := allOf("", userID, clientID), allOf("", userID, otherClient), allOf("", otherUser, clientID), allOf("", otherUser, otherClient)
	stream := func(name string, token []string, want Answer, ways [][]int, told []int, messages ...Message) Case {
		c := Case{Name: name, Authorization: token, Messages: messages, Want: want, Ways: ways, Told: told}
		if want.Reason != "" {
			for _, m := range messages[:len(told)] {
				c.Seen = append(c.Seen, m.String())
			}
		}
		return c
	}
	again := func(n int, m Message) []Message { return slices.Repeat([]Message{m}, n) }
	zeros, ones := slices.Repeat([]int{0}, 299), slices.Repeat([]int{1}, 299)
	swallowed := stream("both, the client, the user, swallowed", mine, Subject, [][]int{{0, 1}, {1}}, []int{0, 1}, two, onlyClient, onlyUser, two)
	swallowed.Swallow = true
	clients := inRow("D59", "SelfOrClient", []Case{
		stream("both, the client", mine, Answer{}, [][]int{{0, 1}}, []int{0, 1}, two, onlyClient),
		stream("both, the user", mine, Answer{}, [][]int{{0, 1}}, []int{0, 0}, two, onlyUser),
		stream("both, the client, both", mine, Answer{}, [][]int{{0, 1}}, []int{0, 1, 1}, two, onlyClient, two),
		stream("both, the client, the user", mine, Subject, [][]int{{0, 1}, {1}}, []int{0, 1}, two, onlyClient, onlyUser),
		stream("both, the user, the client", mine, Subject, [][]int{{0, 1}, {0}}, []int{0, 0}, two, onlyUser, onlyClient),
		stream("both, neither", mine, Subject, [][]int{{0, 1}, {0}}, []int{0}, two, neither),
		stream("the client, the user", mine, Subject, [][]int{{1}, {1}}, []int{1}, onlyClient, onlyUser),
		stream("the user, the client", mine, Subject, [][]int{{0}, {0}}, []int{0}, onlyUser, onlyClient),
		stream("the user, both", mine, Answer{}, [][]int{{0}}, []int{0, 0}, onlyUser, two),
		stream("neither, both", mine, Subject, [][]int{{0}}, nil, neither, two),
		swallowed,
		stream("the way changes in message 300", mine, Answer{}, [][]int{{0, 1}}, append(zeros, 1), append(again(299, two), onlyClient)...),
		stream("the way changes in message 2 and 300", mine, Answer{}, [][]int{{0, 1}}, append([]int{0}, ones...), append(append([]Message{two}, again(298, onlyClient)...), two)...),
		stream("the last way falls in message 300", mine, Subject, [][]int{{0, 1}, {1}}, append([]int{0}, ones[:298]...), append(append([]Message{two}, again(298, onlyClient)...), onlyUser)...),
		stream("both fall in message 300", mine, Subject, [][]int{{0, 1}, {0}}, zeros, append(again(299, two), neither)...),
		{Name: "no message, two ways", Authorization: mine, Messages: naming(), Want: Subject, Ways: [][]int{{0}}},
		{Name: "no message, one of two ways", Authorization: f.good("sub", clientID), Messages: naming(), Want: Subject, Ways: [][]int{{1}}},
	})
	free := inRow("D59", "SelfOrStaff", []Case{
		stream("staff, the user, another user, the user", staff, Answer{}, [][]int{{0, 1}}, []int{0, 1, 1}, user(userID), user(otherUser), user(userID)),
		stream("staff, another user, the user", staff, Answer{}, [][]int{{0, 1}}, []int{1, 1}, user(otherUser), user(userID)),
		stream("staff, another user in message 300", staff, Answer{}, [][]int{{0, 1}}, append(zeros, 1), append(again(299, user(userID)), user(otherUser))...),
		stream("no staff, the user, another user", mine, Subject, [][]int{{0}, {0}}, []int{0}, user(userID), user(otherUser)),
		{Name: "no message, staff", Authorization: staff, Messages: naming(), Ways: [][]int{{0, 1}}},
		{Name: "no message, no staff", Authorization: mine, Messages: naming(), Want: Subject, Ways: [][]int{{0}}},
	})
	places := inRow("D59", "Places", []Case{
		stream("in both, another in the field", both, Answer{}, [][]int{{0, 1}}, []int{0, 0}, allOf(orgA, "", ""), allOf(orgB, "", "")),
		stream("in the field alone, another later", f.resource(orgA, "admin:data"), Organization, [][]int{{1}, {1}}, []int{1}, allOf(orgA, "", ""), allOf(orgB, "", "")),
	})
	for n := range places {
		places[n].Header = organizationHeader(orgA)
	}
	return everywhere(slices.Concat(clients, free, places))
}
