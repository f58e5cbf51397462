package interceptor

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/types/known/emptypb"
)

// errorDetail returns the google.rpc.ErrorInfo of a denial.
func errorDetail(denial *Denial) (*connect.ErrorDetail, error) {
	realm := denial.realm
	if realm == nil {
		realm = ruleless()
	}
	if detail := realm.details[detailKey{denial.Reason(), denial.several}]; detail != nil {
		own := *detail // whoever gets the error may write to it
		return &own, nil
	}
	return connect.NewErrorDetail(denial.ErrorInfo())
}

// ErrorInfo returns the detail that goes with the error, of the domain "protoauthz". Its metadata
// holds the [Denial.Challenge] as "challenge" if there is one, with which a gateway between gRPC
// and HTTP can answer, and the scopes that [ReasonScopeInsufficient] is about.
func (d *Denial) ErrorInfo() *errdetails.ErrorInfo {
	info := &errdetails.ErrorInfo{Reason: string(d.Reason()), Domain: domain}
	if challenge := d.Challenge(); challenge != "" {
		info.Metadata = map[string]string{"challenge": challenge}
	}
	if d.Reason() == ReasonScopeInsufficient {
		if info.Metadata == nil {
			info.Metadata = map[string]string{}
		}
		info.Metadata["required_scopes"] = d.allScopes()
		if len(d.anyScopes) > 0 {
			info.Metadata["any_scopes"] = strings.Join(d.anyScopes, " ")
		}
	}
	return info
}

// A detailKey identifies a detail within a realm.
type detailKey struct {
	reason  Reason
	several bool
}

// ruleless is the realm of refusals without a rule, which have no challenge.
var ruleless = sync.OnceValue(func() *realm { return &realm{details: makeDetails(nil)} })

// makeDetails makes the details of a realm that can be made once.
func makeDetails(of *realm) map[detailKey]*connect.ErrorDetail {
	var kinds []detailKey
	refusal := connect.NewError(connect.CodeInternal, nil)
	for reason := range texts {
		for _, several := range []bool{false, true} {
			switch {
			case reason == ReasonScopeInsufficient: // it names the rule's scopes
				continue
			case several && reason != ReasonTokenMalformed:
				continue
			}
			denial := &Denial{reason: reason, realm: of, several: several}
			if detail, err := connect.NewErrorDetail(denial.ErrorInfo()); err == nil {
				kinds = append(kinds, detailKey{reason, several})
				refusal.AddDetail(detail)
			}
		}
	}
	details := make(map[detailKey]*connect.ErrorDetail, len(kinds))
	for n, detail := range received(refusal) {
		details[kinds[n]] = detail
	}
	return details
}

// received returns the details of an error as a client reads them. connect keeps the JSON of such
// details, and makes that of others anew, by reflection, for every refusal.
func received(refusal *connect.Error) []*connect.ErrorDetail {
	client := connect.NewClient[emptypb.Empty, emptypb.Empty](answering{refusal}, "http://localhost/")
	_, err := client.CallUnary(context.Background(), connect.NewRequest(new(emptypb.Empty)))
	if answer, ok := errors.AsType[*connect.Error](err); ok && len(answer.Details()) == len(refusal.Details()) {
		return answer.Details()
	}
	return refusal.Details()
}

// answering is an HTTP client that has an error for every request.
type answering struct{ err *connect.Error }

func (a answering) Do(request *http.Request) (*http.Response, error) {
	r := &recorder{Response: http.Response{Header: http.Header{}, Request: request}}
	err := connect.NewErrorWriter().Write(r, request, a.err)
	r.Body = io.NopCloser(&r.body)
	return &r.Response, err
}

// A recorder is written as an answer and read as a response.
type recorder struct {
	http.Response

	body bytes.Buffer
}

func (r *recorder) Header() http.Header                  { return r.Response.Header }
func (r *recorder) WriteHeader(status int)               { r.StatusCode = status }
func (r *recorder) Write(data []byte) (n int, err error) { return r.body.Write(data) }
