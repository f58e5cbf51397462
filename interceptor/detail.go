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

// errorDetail returns the google.rpc.ErrorInfo of a denial. It is made once for each
// reason, unless it names the rule's scopes.
func errorDetail(denial *Denial) (*connect.ErrorDetail, error) {
	if denial.Reason != ReasonScopeInsufficient {
		if detail := details()[denial.Reason]; detail != nil {
			return detail, nil
		}
	}
	info := &errdetails.ErrorInfo{Reason: string(denial.Reason), Domain: domain}
	if denial.Reason == ReasonScopeInsufficient {
		info.Metadata = map[string]string{"required_scopes": denial.allScopes()}
		if len(denial.AnyScopes) > 0 {
			info.Metadata["any_scopes"] = strings.Join(denial.AnyScopes, " ")
		}
	}
	return connect.NewErrorDetail(info)
}

var details = sync.OnceValue(func() map[Reason]*connect.ErrorDetail {
	details := make(map[Reason]*connect.ErrorDetail, len(texts))
	for reason := range texts {
		if detail, err := written(&errdetails.ErrorInfo{Reason: string(reason), Domain: domain}); err == nil {
			details[reason] = detail
		}
	}
	return details
})

// written returns a detail that connect has read from an answer. Such a detail keeps its
// JSON, while that of others is made anew, by reflection, for every refusal.
func written(info *errdetails.ErrorInfo) (*connect.ErrorDetail, error) {
	detail, err := connect.NewErrorDetail(info)
	if err != nil {
		return nil, err
	}
	refusal := connect.NewError(connect.CodeInternal, nil)
	refusal.AddDetail(detail)
	client := connect.NewClient[emptypb.Empty, emptypb.Empty](refusing{refusal}, "http://localhost/")
	_, err = client.CallUnary(context.Background(), connect.NewRequest(new(emptypb.Empty)))
	if answer, ok := errors.AsType[*connect.Error](err); ok && len(answer.Details()) == 1 {
		return answer.Details()[0], nil
	}
	return detail, nil
}

// refusing is an HTTP client whose requests are answered with an error.
type refusing struct{ err *connect.Error }

func (r refusing) Do(request *http.Request) (*http.Response, error) {
	w := &response{Response: http.Response{Header: http.Header{}, Request: request}}
	err := connect.NewErrorWriter().Write(w, request, r.err)
	w.Body = io.NopCloser(&w.body)
	return &w.Response, err
}

// A response is written to and then read.
type response struct {
	http.Response

	body bytes.Buffer
}

func (r *response) Header() http.Header                  { return r.Response.Header }
func (r *response) WriteHeader(status int)               { r.StatusCode = status }
func (r *response) Write(data []byte) (n int, err error) { return r.body.Write(data) }
