package catalogue

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
