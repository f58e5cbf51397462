package catalogue

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// user is a message that names a user, and client a message that names a client.
func user(id string) Message { return body(`{"userId":%s}`, quoted(id)) }

func client(id string) Message { return body(`{"clientId":%s}`, quoted(id)) }

const (
	otherUser   = "user_2"
	otherClient = "app_2"
)

// subjects are values of a field that must name the user.
func (f forge) subjects() []Case {
	mine := f.good()
	cases := []Case{
		{Name: "the user", Messages: []Message{user(userID)}},
		{Name: "another user", Messages: []Message{user(otherUser)}, Want: Subject},
		{Name: "empty", Messages: []Message{user("")}, Want: Subject},
		{Name: "absent", Messages: bodies(`{}`), Want: Subject},
		{Name: "null", Messages: bodies(`{"userId":null}`), Want: Subject},
		{Name: "in another field", Messages: bodies(`{"explicit":%q,"clientId":%q,"owner":{"userId":%q}}`, userID, userID, userID), Want: Subject},
		{Name: "beside another user in another field", Messages: bodies(`{"userId":%q,"explicit":%q}`, userID, otherUser)},
	}
	for _, other := range []struct{ name, id string }{
		{"in upper case", "USER_1"}, {"in another case", "User_1"}, {"a prefix", "user_"}, {"longer", userID + "2"}, {"a space behind", userID + " "},
		{"a space before", " " + userID}, {"a NUL behind", userID + "\x00"}, {"a line break behind", userID + "\n"}, {"a list", userID + "," + otherUser},
		{"a path", "users/" + userID}, {"a slash behind", userID + "/"}, {"dots before", "../" + userID}, {"a percent sign", "user%5F1"}, {"any", "*"},
		{"a look-alike", "us\u0435r_1"}, {"full width", "user_\uff11"}, {"no width", userID + "\u200b"}, {"a soft hyphen", "user\u00ad_1"},
		{"the client", clientID}, {"the issuer and the user", tokens.I1.URL + "|" + userID}, {"the pattern", "{subject}"}, {"me", "me"},
	} {
		cases = append(cases, Case{Name: other.name, Messages: []Message{user(other.id)}, Want: Subject})
	}
	for n := range cases {
		cases[n].Authorization = mine
	}
	return inRow("D58", "Own", slices.Concat(cases, f.subjectTokens(), f.subjectForms()))
}

// subjectTokens are tokens that are not of the user whom the request names.
func (f forge) subjectTokens() []Case {
	refused := func(name string, id string, changes ...any) Case {
		return Case{Name: name, Messages: []Message{user(id)}, Authorization: f.good(changes...), Want: Subject}
	}
	byHeader := func(c Case) Case {
		c.ByHeader = true
		return c
	}
	actor := map[string]any{"sub": otherUser, "client_id": otherClient}
	return []Case{
		byHeader(refused("a client's own token that names the client", clientID, "sub", clientID)),
		byHeader(refused("a client's own token that names a user", userID, "sub", clientID)),
		byHeader(refused("a client's own token that names nobody", "", "sub", clientID)),
		byHeader(refused("a token of unknown kind", userID, "client_id", tokens.Absent{})),
		byHeader(refused("a token of unknown kind for another user", otherUser, "client_id", tokens.Absent{})),
		{Name: "a delegated token for its user", Messages: []Message{user(userID)}, Authorization: f.good("act", actor)},
		refused("a delegated token for its actor", otherUser, "act", actor),
		refused("a delegated token for its actor's client", otherClient, "act", actor),
		refused("a token that may be used by another user", otherUser, "may_act", actor),
		refused("a name in another claim", otherUser, "username", otherUser, "user_id", otherUser, "uid", otherUser, "SUB", otherUser, "preferred_username", otherUser),
		refused("an e-mail address", "a@example.test", "email", "a@example.test", "email_verified", true),
		refused("a sub of another user", userID, "sub", otherUser),
		{Name: "a token with another audience", Messages: []Message{user(userID)}, Authorization: f.good("aud", tokens.OtherAPI), Want: Audience},
		{Name: "an organization's token", Messages: []Message{user(userID)}, Authorization: f.resource(orgA, ""), Want: Model},
		{Name: "an expired token", Messages: []Message{user(userID)}, Authorization: f.good("exp", 1), Want: Expired},
		{Name: "a forged token", Messages: []Message{user(userID)}, Authorization: bearer(f.Token(tokens.I2.ES256, "iss", tokens.I1.URL)), Want: Invalid},
	}
}

// subjectForms are subjects with several spellings.
func (f forge) subjectForms() []Case {
	const composed, decomposed = "jos\u00e9", "jose\u0301"
	var cases []Case
	for _, form := range []struct {
		name, sub, id string
		same          bool
	}{
		{"composed twice", composed, composed, true}, {"decomposed twice", decomposed, decomposed, true},
		{"composed in the token", composed, decomposed, false}, {"decomposed in the token", decomposed, composed, false},
		{"a slash twice", "auth0|a/b", "auth0|a/b", true}, {"a percent sign in the token", "a%2Fb", "a/b", false}, {"a slash in the token", "a/b", "a%2Fb", false},
		{"a star in the token", "*", userID, false}, {"a pattern in the token", "{subject}", userID, false}, {"a ligature in the token", "\ufb01", "fi", false},
		{"a sharp s in the token", "stra\u00dfe", "strasse", false}, {"a dotless i in the token", "\u0131d", "id", false}, {"a Kelvin sign in the token", "\u212a", "k", false},
	} {
		c := Case{Name: form.name, Messages: []Message{user(form.id)}, Authorization: f.good("sub", form.sub)}
		if !form.same {
			c.Want = Subject
		}
		cases = append(cases, c)
	}
	return cases
}

func inRow(row, service string, cases []Case) []Case {
	for n := range cases {
		cases[n].Row = row
		if cases[n].Service == "" {
			cases[n].Service = service
		}
	}
	return cases
}

// subjectPaths are fields of each kind that name the user.
func (f forge) subjectPaths() []Case {
	mine := f.good()
	var cases []Case
	for _, path := range []struct {
		service, format string   // of the message, with the user
		nobody          []string // messages that do not name a user, beside one with an empty text
	}{
		{"OwnExplicit", `{"explicit":%q}`, []string{`{}`, `{"explicit":null}`}},
		{"OwnNested", `{"owner":{"userId":%q}}`, []string{`{}`, `{"owner":{}}`, `{"userId":"user_1"}`, `{"owner":{"userIds":["user_1"]}}`}},
		{"OwnChoice", `{"choice":%q}`, []string{`{}`, `{"chosen":{"userId":"user_1"}}`}},
		{"OwnChosen", `{"chosen":{"userId":%q}}`, []string{`{}`, `{"chosen":{}}`, `{"choice":"user_1"}`, `{"other":{"userId":"user_1"}}`}},
		{"OwnDelimited", `{"delimited":{"userId":%q}}`, []string{`{}`, `{"delimited":{}}`}},
		{"OwnWrapped", `{"wrapped":%q}`, []string{`{}`, `{"wrapped":null}`}},
		{"OwnDefault", `{"old":{"userId":%q}}`, []string{`{}`, `{"old":{}}`}}, // the default is the user
		{"OwnGroup", `{"old":{"result":{"userId":%q}}}`, []string{`{}`, `{"old":{}}`, `{"old":{"result":{}}}`, `{"old":{"userId":"user_1"}}`}},
		{"OwnMaybe", `{"three":{"maybe":%q}}`, []string{`{}`, `{"three":{}}`, `{"three":{"plain":"user_1"}}`}},
		{"OwnPlain", `{"three":{"plain":%q}}`, []string{`{}`, `{"three":{}}`}},
		{"OwnDeep", `{"inner":{"inner":{"userId":%q}}}`, []string{`{"userId":"user_1"}`, `{"inner":{"userId":"user_1"}}`, `{"inner":{"inner":{"inner":{"userId":"user_1"}}}}`}},
		{"OwnList", `{"userIds":[%q]}`, []string{`{}`, `{"userIds":[]}`}},
		{"OwnItems", `{"items":[{"userId":%q}]}`, []string{`{}`, `{"items":[]}`, `{"items":[{}]}`}},
		{"OwnLists", `{"items":[{"userIds":[%q]}]}`, []string{`{}`, `{"items":[{}]}`, `{"items":[{"userIds":["user_1"]},{}]}`, `{"items":[{"userIds":["user_1"]},{"userIds":[]}]}`}},
		{"OwnGroups", `{"old":{"entry":[{"userId":%q}]}}`, []string{`{"old":{}}`, `{"old":{"entry":[{}]}}`}},
		{"OwnWraps", `{"wraps":[%q]}`, []string{`{}`, `{"wraps":[]}`}},
	} {
		add := func(name, json string, want Answer) {
			cases = append(cases, Case{
				Row: "D58", Name: paths[path.service] + ", " + name, Service: path.service, Authorization: mine, Messages: []Message{{JSON: json}}, Want: want,
			})
		}
		add("the user", fmt.Sprintf(path.format, userID), Answer{})
		add("another user", fmt.Sprintf(path.format, otherUser), Subject)
		add("empty", fmt.Sprintf(path.format, ""), Subject)
		for n, json := range path.nobody {
			add(fmt.Sprintf("nobody %d", n+1), json, Subject)
		}
	}
	return append(cases, f.subjectLists()...)
}

// subjectLists are lists of users.
func (f forge) subjectLists() []Case {
	const many = 10_000
	mine := f.good()
	of := func(n int, others map[int]string) []string {
		ids := slices.Repeat([]string{userID}, n)
		for at, other := range others {
			ids[at] = other
		}
		return ids
	}
	var cases []Case
	for _, list := range []struct {
		name string
		ids  []string
		want Answer
	}{
		{"twice the user", of(2, nil), Answer{}},
		{"another user first", of(2, map[int]string{0: otherUser}), Subject},
		{"another user last", of(2, map[int]string{1: otherUser}), Subject},
		{"nobody last", of(2, map[int]string{1: ""}), Subject},
		{"10,000 times the user", of(many, nil), Answer{}},
		{"10,000, another user first", of(many, map[int]string{0: otherUser}), Subject},
		{"10,000, another user in the middle", of(many, map[int]string{many / 2: otherUser}), Subject},
		{"10,000, another user last", of(many, map[int]string{many - 1: otherUser}), Subject},
		{"10,000, nobody last", of(many, map[int]string{many - 1: ""}), Subject},
	} {
		text := tokens.Must(json.Marshal(list.ids))
		items := make([]map[string]any, len(list.ids))
		for n, id := range list.ids {
			items[n] = map[string]any{"userId": id}
		}
		elements := tokens.Must(json.Marshal(items))
		for _, of := range []struct{ service, json string }{
			{"OwnList", fmt.Sprintf(`{"userIds":%s}`, text)}, {"OwnWraps", fmt.Sprintf(`{"wraps":%s}`, text)},
			{"OwnItems", fmt.Sprintf(`{"items":%s}`, elements)}, {"OwnGroups", fmt.Sprintf(`{"old":{"entry":%s}}`, elements)},
		} {
			if len(list.ids) == many && of.service != "OwnList" && list.ids[many-1] == userID && list.want == Subject {
				continue // the last element alone is enough for the other lists
			}
			cases = append(cases, Case{
				Row: "D58", Name: paths[of.service] + ", " + list.name, Service: of.service, Authorization: mine, Messages: []Message{{JSON: of.json}}, Want: list.want,
			})
		}
	}
	return cases
}

// subjectNames are resource names that must name the user.
func (f forge) subjectNames() []Case {
	name := func(id string) []Message { return bodies(`{"name":%s}`, quoted(id)) }
	mine, inA := f.good(), f.resource(orgA, "")
	cases := []Case{{Name: "a name of the user", Messages: name("users/user_1/settings")}}
	for _, other := range []string{
		"users/user_2/settings", "", "user_1", "users/user_1", "users/user_1/settings/", "/users/user_1/settings", "users//settings", "users/user_1//settings",
		"users/user_1/settings/x", "x/users/user_1/settings", "users/../user_1/settings", "users/user_1/../settings", "users/user_1/.", "users/./settings",
		"users/user%5F1/settings", "users%2Fuser_1%2Fsettings", "Users/user_1/settings", "users/user_1/Settings", "users/USER_1/settings", "users/user_1 /settings",
		"users/*/settings", "users/{subject}/settings", "users/user_1\x00/settings", "users/user_1/settings?x", "users\\user_1\\settings", "//users/user_1/settings",
		"users/user_2/settings,users/user_1/settings", "users/user_1\u2215settings",
	} {
		cases = append(cases, Case{Name: fmt.Sprintf("a name %+q", other), Messages: name(other), Want: Subject})
	}
	for n := range cases {
		cases[n].Authorization = mine
	}
	cases = append(inRow("D58", "OwnName", cases), inRow("D58", "OwnName", []Case{
		{Name: "a subject with a slash", Authorization: f.good("sub", "a/b"), Messages: name("users/a/b/settings"), Want: Subject},
		{Name: "a subject with a slash, of two segments", Authorization: f.good("sub", "user_1/settings"), Messages: name("users/user_1/settings/settings"), Want: Subject},
		{Name: "a subject of dots", Authorization: f.good("sub", ".."), Messages: name("users/../settings"), Want: Subject},
		{Name: "a subject with a bar", Authorization: f.good("sub", "auth0|1"), Messages: name("users/auth0|1/settings")},
		{Name: "a subject with a percent sign", Authorization: f.good("sub", "a%2Fb"), Messages: name("users/a%2Fb/settings")},
	})...)
	in := func(name string, messages []Message, want Answer) Case {
		return Case{Name: "one name, " + name, Service: "OwnInName", Authorization: inA, Messages: messages, Want: want}
	}
	return append(cases, inRow("D58", "", []Case{
		in("both", name("organizations/"+orgA+"/users/user_1"), Answer{}),
		in("another organization", name("organizations/"+orgB+"/users/user_1"), Organization),
		in("another user", name("organizations/"+orgA+"/users/user_2"), Subject),
		in("another organization and user", name("organizations/"+orgB+"/users/user_2"), Organization),
		in("in each other's place", name("organizations/user_1/users/"+orgA), Organization),
		in("more", name("organizations/"+orgA+"/users/user_1/x"), Organization),
		in("no organization", name("users/user_1"), Organization),
		in("no user", name("organizations/"+orgA+"/users/"), Organization),
		in("empty", name(""), Organization),
		in("absent", bodies(`{}`), Organization),
	})...)
}

// clients are requests that must name the client, and requests that must name user and client.
func (f forge) clients() []Case {
	mine, machine := f.good(), f.good("sub", clientID)
	none := f.good("client_id", tokens.Absent{})
	both := func(userID, clientID string) []Message {
		return bodies(`{"userId":%q,"clientId":%q}`, userID, clientID)
	}
	return slices.Concat(inRow("D58", "OwnClient", []Case{
		{Name: "the client of a user", Authorization: mine, Messages: []Message{client(clientID)}},
		{Name: "the client of a client's own token", Authorization: machine, Messages: []Message{client(clientID)}},
		{Name: "another client", Authorization: mine, Messages: []Message{client(otherClient)}, Want: Subject},
		{Name: "another client, a client's own token", Authorization: machine, Messages: []Message{client(otherClient)}, Want: Subject},
		{Name: "the user in place of the client", Authorization: mine, Messages: []Message{client(userID)}, Want: Subject},
		{Name: "no client", Authorization: mine, Messages: []Message{client("")}, Want: Subject},
		{Name: "client absent", Authorization: mine, Messages: bodies(`{"userId":%q}`, clientID), Want: Subject},
		{Name: "client in upper case", Authorization: mine, Messages: []Message{client("APP_1")}, Want: Subject},
		{Name: "client with a slash", Authorization: mine, Messages: []Message{client(clientID + "/")}, Want: Subject},
		{Name: "a token without client names none", Authorization: none, Messages: []Message{client("")}, Want: Subject, ByHeader: true},
		{Name: "a token without client names the user", Authorization: none, Messages: []Message{client(userID)}, Want: Subject, ByHeader: true},
		{Name: "azp", Authorization: f.good("azp", otherClient), Messages: []Message{client(otherClient)}, Want: Subject},
	}), inRow("D58", "OwnBoth", []Case{
		{Name: "user and client", Authorization: mine, Messages: both(userID, clientID)},
		{Name: "user and another client", Authorization: mine, Messages: both(userID, otherClient), Want: Subject},
		{Name: "another user and the client", Authorization: mine, Messages: both(otherUser, clientID), Want: Subject},
		{Name: "user and client in each other's place", Authorization: mine, Messages: both(clientID, userID), Want: Subject},
		{Name: "user and no client", Authorization: mine, Messages: both(userID, ""), Want: Subject},
		{Name: "no user and the client", Authorization: mine, Messages: both("", clientID), Want: Subject},
		{Name: "a client's own token for both", Authorization: machine, Messages: both(clientID, clientID), Want: Subject, ByHeader: true},
	}))
}

// subjectsIn are requests that must name an organization and the user.
func (f forge) subjectsIn() []Case {
	inA, memberA := f.resource(orgA, "read:data"), f.member(orgA, "")
	in := func(name, organization, userID string, want Answer) Case {
		m := user(userID)
		m.Organization = organization
		return Case{Name: "in an organization, " + name, Authorization: inA, Messages: []Message{m}, Want: want}
	}
	all := func(prefix, service string, authorization []string, header []string) (cases []Case) {
		for _, c := range []Case{
			in("both", orgA, userID, Answer{}), in("another organization", orgB, userID, Organization), in("another user", orgA, otherUser, Subject),
			in("another organization and user", orgB, otherUser, Organization), in("no user", orgA, "", Subject),
			in("no organization", "", userID, Organization), in("neither", "", "", Organization),
		} {
			c.Name, c.Authorization = prefix+c.Name, authorization
			if header != nil {
				organization := c.Messages[0].Organization
				c.Header, c.ByHeader = organizationHeader(organization), organization != orgA
			}
			cases = append(cases, c)
		}
		return inRow("D58", service, cases)
	}
	more := []Case{in("no scope", orgA, userID, Insufficient("read:data")), in("a global token", orgA, userID, Model), in("an organization token", orgA, userID, Model)}
	more[0].Authorization, more[1].Authorization, more[2].Authorization = f.resource(orgA, ""), f.global("read:data"), f.member(orgA, "read:data")
	return slices.Concat(all("", "OwnIn", inA, nil), inRow("D58", "OwnIn", more),
		all("by its token, ", "OwnMember", memberA, nil), all("by the header, ", "OwnInHeader", f.resource(orgA, ""), []string{}))
}
