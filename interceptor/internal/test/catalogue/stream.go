package catalogue

import "slices"

// streams are calls with several messages, or none.
func (f forge) streams() []Case {
	inA := f.resource(orgA, "read:data")
	return everywhere([]Case{
		{Row: "D48", Name: "A, then B", Service: "Field", Authorization: inA, Messages: naming(orgA, orgB), Seen: []string{orgA}, Want: Organization},
		{Row: "D48", Name: "A, then B, swallowed", Service: "Field", Authorization: inA, Messages: naming(orgA, orgB), Seen: []string{orgA}, Want: Organization, Swallow: true},
		{Row: "D48", Name: "A, B, A", Service: "Field", Authorization: inA, Messages: naming(orgA, orgB, orgA), Seen: []string{orgA}, Want: Organization},
		{Row: "D48", Name: "A, B, A, swallowed", Service: "Field", Authorization: inA, Messages: naming(orgA, orgB, orgA), Seen: []string{orgA}, Want: Organization, Swallow: true},
		{Row: "D48", Name: "A, A, none", Service: "Member", Authorization: f.member(orgA, "invite:member"), Messages: naming(orgA, orgA, ""), Seen: []string{orgA, orgA}, Want: Organization},
		{Row: "D48", Name: "A, A, none, swallowed", Service: "Member", Authorization: f.member(orgA, "invite:member"), Messages: naming(orgA, orgA, ""), Seen: []string{orgA, orgA}, Want: Organization, Swallow: true},
		{Row: "D48", Name: "B, then A", Service: "Field", Authorization: inA, Messages: naming(orgB, orgA), Want: Organization},
		{Row: "D48", Name: "B, then A, swallowed", Service: "Field", Authorization: inA, Messages: naming(orgB, orgA), Want: Organization, Swallow: true},
		{Row: "D48", Name: "no message", Service: "Field", Authorization: inA, Messages: naming(), Want: Organization},
		{Row: "D48", Name: "no message, swallowed", Service: "Field", Authorization: inA, Messages: naming(), Want: Organization, Swallow: true},
		{Row: "D48", Name: "A, A, A", Service: "Field", Authorization: inA, Messages: naming(orgA, orgA, orgA)},
		{Row: "D49", Name: "request B, token A", Service: "Field", Authorization: inA, Messages: naming(orgB), Want: Organization},
		{Row: "D49", Name: "request B, token A, swallowed", Service: "Field", Authorization: inA, Messages: naming(orgB), Want: Organization, Swallow: true},
		{Row: "D49", Name: "request B, aud A", Service: "Member", Authorization: f.member(orgA, "invite:member"), Messages: naming(orgB), Want: Organization},
	})
}

// everywhere marks cases whose check differs between transports and methods.
func everywhere(cases []Case) []Case {
	for n := range cases {
		cases[n].Everywhere = true
	}
	return cases
}

// nested are calls that name the organization in a message inside of the message.
func (f forge) nested() []Case {
	document := func(name string) Message { return Message{Document: &name} }
	inA := f.resource(orgA, "read:data")
	nested := func(name string, want Answer, messages ...Message) Case {
		return Case{Row: "D50", Name: name, Service: "Nested", Authorization: inA, Messages: messages, Want: want}
	}
	beside := document("")
	beside.Organization = orgA
	later := nested("A, then no document", Organization, document(orgA), Message{})
	later.Seen = []string{orgA}
	neither := nested("no document, no organization", Model, Message{})
	neither.Authorization = f.global("read:data")
	empty := nested("name empty, organization empty", Model, document(""))
	empty.Authorization = f.resource("", "read:data")
	return everywhere([]Case{
		nested("document unset", Organization, Message{}),
		nested("name unset", Organization, document("")),
		nested("document unset, another field names it", Organization, Message{Organization: orgA}),
		nested("name unset, another field names it", Organization, beside),
		nested("B", Organization, document(orgB)),
		nested("A", Answer{}, document(orgA)),
		later, neither, empty,
	})
}

// subjectStreams are streams that name another user later.
func (f forge) subjectStreams() []Case {
	mine, inA := f.good(), f.resource(orgA, "read:data")
	stream := func(name string, later Message, after int, more ...Message) Case {
		messages := slices.Repeat([]Message{user(userID)}, after)
		c := Case{Name: name, Authorization: mine, Messages: slices.Concat(messages, []Message{later}, more), Want: Subject}
		for _, m := range messages {
			c.Seen = append(c.Seen, m.String())
		}
		return c
	}
	in := func(organization, userID string) Message {
		m := user(userID)
		m.Organization = organization
		return m
	}
	swallowed := stream("another user in message 2, swallowed", user(otherUser), 1, user(userID))
	swallowed.Swallow = true
	long := stream("300 messages", user(userID), 299)
	long.Seen, long.Want = nil, Answer{}
	return everywhere(slices.Concat(inRow("D58", "Own", []Case{
		stream("another user in message 1", user(otherUser), 0, user(userID)), stream("another user in message 2", user(otherUser), 1),
		stream("another user in message 2, then the user", user(otherUser), 1, user(userID), user(userID)), swallowed,
		stream("nobody in message 2", user(""), 1), stream("nobody in message 3", body(`{}`), 2),
		stream("another user in message 300", user(otherUser), 299), stream("nobody in message 300", body(`{}`), 299), long,
		{Name: "no message", Authorization: mine, Messages: naming(), Want: Subject},
		{Name: "no message, swallowed", Authorization: mine, Messages: naming(), Want: Subject, Swallow: true},
	}), inRow("D58", "OwnIn", []Case{
		{Name: "another user later", Authorization: inA, Messages: []Message{in(orgA, userID), in(orgA, otherUser)}, Seen: []string{in(orgA, userID).String()}, Want: Subject},
		{Name: "another organization later", Authorization: inA, Messages: []Message{in(orgA, userID), in(orgB, userID)}, Seen: []string{in(orgA, userID).String()}, Want: Organization},
		{Name: "no message, in an organization", Authorization: inA, Messages: naming(), Want: Organization},
	}), inRow("D58", "OwnClient", []Case{
		{Name: "another client later", Authorization: mine, Messages: []Message{client(clientID), client(otherClient)}, Seen: []string{client(clientID).String()}, Want: Subject},
		{Name: "no message, by its client", Authorization: mine, Messages: naming(), Want: Subject},
	})))
}
