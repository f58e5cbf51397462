package interceptor

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/protoauthz/protoauthz/interceptor/internal/errorinfo"
)

// domain is the domain of the google.rpc.ErrorInfo of a denial, and the realm of challenges without an
// audience.
const domain = errorinfo.Domain

// wwwAuthenticate is WWW-Authenticate in the form of net/http: any other form costs an allocation.
const wwwAuthenticate = "Www-Authenticate"

// connectError returns the error of a denial. Within is the call that another guard has admitted for the
// same request, or nil.
func connectError(denial *Denial, within *Call, spec connect.Spec, peer connect.Peer) *connect.Error {
	denial.within = within
	err := connect.NewError(denial.Code(), denial)
	if detail, detailErr := errorDetail(denial); detailErr == nil {
		err.AddDetail(detail)
	}
	// Elsewhere the metadata of an error becomes a trailer, where HTTP forbids a challenge and
	// Cache-Control (RFC 9110 section 6.5.1).
	if peer.Protocol == connect.ProtocolConnect && spec.StreamType == connect.StreamTypeUnary {
		if challenge := denial.Challenge(); challenge != "" {
			err.Meta().Set(wwwAuthenticate, challenge)
		}
		if isGet(peer) {
			err.Meta().Set(cacheControl, "no-store")
		}
	}
	return err
}

// A detailKey identifies a detail within a realm.
type detailKey struct {
	reason             Reason
	severalCredentials bool
}

// errorDetail returns the google.rpc.ErrorInfo of a denial.
func errorDetail(denial *Denial) (*connect.ErrorDetail, error) {
	realm := cmp.Or(denial.realm, ruleless())
	if detail := realm.details[detailKey{denial.Reason(), denial.severalCredentials}]; detail != nil {
		return own(detail), nil
	}
	return connect.NewErrorDetail(denial.ErrorInfo())
}

// detailsIn makes the details of a realm, except the detail that holds the scopes of a rule.
func detailsIn(realm *realm) map[detailKey]*connect.ErrorDetail {
	keys := []detailKey{{ReasonTokenMalformed, true}, {ReasonSchemeUnsupported, true}}
	for _, known := range meanings {
		if known.reason != ReasonScopeInsufficient {
			keys = append(keys, detailKey{known.reason, false})
		}
	}
	refusal := connect.NewError(connect.CodeInternal, nil)
	for _, key := range keys {
		denial := &Denial{reason: key.reason, severalCredentials: key.severalCredentials, realm: realm}
		detail, err := connect.NewErrorDetail(denial.ErrorInfo())
		if err != nil {
			return nil // errorDetail then makes every detail itself
		}
		refusal.AddDetail(detail)
	}
	details := map[detailKey]*connect.ErrorDetail{}
	for n, detail := range received(refusal) {
		details[keys[n]] = detail
	}
	return details
}

// received returns the details of an error as a client has received them. connect keeps the JSON of a
// received detail, and would make the JSON of any other detail by reflection for every refusal.
func received(refusal *connect.Error) []*connect.ErrorDetail {
	client := connect.NewClient[emptypb.Empty, emptypb.Empty](&loopback{err: refusal, header: http.Header{}}, "http://localhost/")
	_, err := client.CallUnary(context.Background(), connect.NewRequest(new(emptypb.Empty)))
	if answer, ok := errors.AsType[*connect.Error](err); ok && len(answer.Details()) == len(refusal.Details()) {
		return answer.Details()
	}
	return refusal.Details()
}

// A loopback answers the request of a client with an error, without a network.
type loopback struct {
	bytes.Buffer // the body

	err    *connect.Error
	header http.Header
}

func (l *loopback) Header() http.Header { return l.header }
func (*loopback) WriteHeader(int)       {}

func (l *loopback) Do(request *http.Request) (*http.Response, error) {
	err := connect.NewErrorWriter().Write(l, request, l.err)
	return &http.Response{StatusCode: http.StatusInternalServerError, Header: l.header, Body: io.NopCloser(l), Request: request}, err
}

// withoutDenial is [Transport.WithoutDenial] for connect-go.
func withoutDenial(err error) error {
	explicit, ok := errors.AsType[*connect.Error](err)
	if !ok {
		return err
	}
	ordinary := connect.NewError(explicit.Code(), errors.New(explicit.Message()))
	for _, detail := range explicit.Details() {
		message, err := detail.Value()
		if info, _ := message.(*errdetails.ErrorInfo); err == nil && info.GetDomain() != domain {
			ordinary.AddDetail(detail)
		}
	}
	for name, values := range explicit.Meta() {
		ordinary.Meta()[name] = values
	}
	ordinary.Meta().Del(wwwAuthenticate)
	return ordinary
}
