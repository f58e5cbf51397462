package provider_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
)

// A tokenCase is a call for an organization, with a token.
type tokenCase struct {
	name, token, organization string
	want                      answer
}

// TestModels calls a method of every permission model with tokens of every kind.
func TestModels(t *testing.T) {
	t.Parallel()
	i := startIDP(t)
	user := i.signIn(t, login{client: "web"})
	for n, home := range tenants {
		s := startSample(t, i, home.audience)
		other := tenants[1-n]
		for _, m := range models {
			valid := i.obtain(t, m.grant(home))
			if decoded, err := decode(valid); err != nil || decoded.header["alg"] != home.algorithm {
				t.Fatalf("%s, %s: got %v, %v", home.algorithm, m.name, decoded.header, err)
			}
			elsewhere := wrongAudience
			if m.name == "organization" { // whose scopes belong to no API
				elsewhere = wrongOrganization
			}
			cases := []tokenCase{
				{"valid", valid, home.organization, accepted},
				{"no token", "", home.organization, missing},
				{"other scopes", i.obtain(t, m.grant(home).with("write:orders write:settings invite:member")), home.organization, insufficient(m.scopes)},
				{"no scope", i.obtain(t, m.grant(home).with("")), home.organization, insufficient(m.scopes)},
				{"of another tenant", i.obtain(t, m.grant(other)), home.organization, elsewhere},
				{"opaque", user.AccessToken, home.organization, malformed},
				{"ID token", user.IDToken, home.organization, invalid},
				{"another's signature", transplant(valid, i.obtain(t, m.grant(home))), home.organization, invalid},
			}
			for _, another := range models {
				if another.name != m.name { // in the model alone: the scopes are right
					token := i.obtain(t, another.grant(home).with(m.scopes))
					cases = append(cases, tokenCase{"of model " + another.name, token, home.organization, wrongModel})
				}
			}
			if m.name != "global resource" {
				cases = append(cases,
					tokenCase{"another organization", valid, other.organization, wrongOrganization},
					tokenCase{"no organization", valid, "", wrongOrganization})
			}
			for _, p := range protocols {
				for _, c := range cases {
					err := m.call(t.Context(), s, p, c.token, c.organization)
					check(t, strings.Join([]string{home.algorithm, m.name, p.name, c.name}, ", "), err, c.want)
				}
			}
		}
	}
}

// transplant returns a token with the signature of another.
func transplant(raw, donor string) string {
	return raw[:strings.LastIndexByte(raw, '.')] + donor[strings.LastIndexByte(donor, '.'):]
}

// TestCallers makes sure that a handler gets to know the caller, a machine or a user.
func TestCallers(t *testing.T) {
	t.Parallel()
	i, home := startIDP(t), tenants[0]
	s := startSample(t, i, home.audience)
	for token, want := range map[string]*samplev1.AuthInfo{
		i.obtain(t, grant{home.client, home.audience, "", "read:products write:orders read:nothing"}): {
			Sub: home.client, ClientId: home.client, Scopes: []string{"read:products", "write:orders"},
		},
		i.signIn(t, login{"web", home.audience, "read:products write:orders"}).AccessToken: {
			Sub: "ada", ClientId: "web", Scopes: []string{"read:products"},
		},
	} {
		want.Audience, want.OrganizationId = []string{home.audience}, proto.String("")
		response, err := s.catalog(protocols[0]).WhoAmI(t.Context(), request(token, &samplev1.WhoAmIRequest{}))
		if err != nil || !proto.Equal(response.Msg.GetAuth(), want) {
			t.Errorf("got %v, %v, want %v", response, err, want)
		}
		check(t, want.GetSub(), models[0].call(t.Context(), s, protocols[1], token, ""), accepted)
	}
}

// TestStream opens a stream with tokens of every model.
func TestStream(t *testing.T) {
	t.Parallel()
	i, home := startIDP(t), tenants[0]
	s := startSample(t, i, home.audience)
	const scopes = "read:data write:data"
	for _, m := range models {
		want := wrongModel
		if m.name == "organization resource" {
			want = accepted
		}
		stream := s.syncDocuments(t, i.obtain(t, m.grant(home).with(scopes)))
		check(t, m.name, stream.exchange(home.organization), want)
		if want == accepted {
			check(t, "next message", stream.exchange(home.organization), accepted)
			check(t, "next message, for another organization", stream.exchange(tenants[1].organization), wrongOrganization)
		}
		stream.close()
	}
	stream := s.syncDocuments(t, i.obtain(t, models[2].grant(home)))
	check(t, "scope missing", stream.exchange(home.organization), insufficient(scopes))
	stream.close()
}

// A stream is a SyncDocuments call under way.
type stream struct {
	*connect.BidiStreamForClient[samplev1.SyncDocumentsRequest, samplev1.SyncDocumentsResponse]
}

func (s *sample) syncDocuments(t *testing.T, token string) stream {
	t.Helper()
	sync := s.documents(protocols[1]).SyncDocuments(t.Context())
	authorize(sync.RequestHeader(), token)
	return stream{sync}
}

// exchange sends a message and receives the answer.
func (s stream) exchange(organization string) error {
	err := s.Send(&samplev1.SyncDocumentsRequest{
		OrganizationId: organization, Document: &samplev1.Document{Name: "roadmap"},
	})
	if err != nil && !errors.Is(err, io.EOF) { // of which Receive knows more
		return err
	}
	_, err = s.Receive()
	return err
}

func (s stream) close() {
	_ = s.CloseRequest() // the answers were looked at
	_ = s.CloseResponse()
}
