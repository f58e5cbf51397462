package interceptor

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// TestDetails makes sure that a detail which was made at the start equals, in every form, the detail that
// would be made for the call.
func TestDetails(t *testing.T) {
	t.Parallel()
	writer := connect.NewErrorWriter()
	write := func(detail *connect.ErrorDetail) string {
		t.Helper()
		err := connect.NewError(connect.CodeInternal, nil)
		err.AddDetail(detail)
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader("{}"))
		request.Header.Set("Content-Type", "application/json")
		recorder := httptest.NewRecorder()
		if err := writer.Write(recorder, request, err); err != nil {
			t.Fatal(err)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, recorder.Body.Bytes()); err != nil {
			t.Fatal(err)
		}
		return compact.String()
	}
	for _, in := range []*realm{nil, newRealm("https://api.example.com"), newRealm(`"é"\`)} {
		made := ruleless().details
		if in != nil {
			made = in.details
		}
		if len(made) != len(meanings)+1 || made[detailKey{reason: ReasonScopeInsufficient}] != nil {
			t.Errorf("%d details", len(made))
		}
		for kind, got := range made {
			info := &errdetails.ErrorInfo{Reason: string(kind.reason), Domain: domain}
			if challenge := (&Denial{reason: kind.reason, severalCredentials: kind.severalCredentials, realm: in}).Challenge(); challenge != "" {
				info.Metadata = map[string]string{"challenge": challenge}
			}
			want, err := connect.NewErrorDetail(info)
			if err != nil {
				t.Fatal(err)
			}
			if got.Type() != want.Type() || !bytes.Equal(got.Bytes(), want.Bytes()) || write(got) != write(want) {
				t.Errorf("%v: %s, want %s", kind, write(got), write(want))
			}
		}
	}
}

// TestWithoutDenial makes sure that an error keeps its details, except the ErrorInfo of a denial and what
// cannot be read.
func TestWithoutDenial(t *testing.T) {
	t.Parallel()
	const prefix = "type.googleapis.com/"
	kept := []proto.Message{new(errdetails.RetryInfo), &errdetails.ErrorInfo{Domain: "other"}, new(errdetails.ErrorInfo)}
	lost := []proto.Message{
		&errdetails.ErrorInfo{Domain: domain},
		&anypb.Any{TypeUrl: prefix + "google.rpc.ErrorInfo", Value: []byte{0xff}},
		&anypb.Any{TypeUrl: prefix + "unknown.Message"},
	}
	err := connect.NewError(connect.CodeAborted, nil)
	for _, message := range slices.Concat(lost, kept, lost) {
		err.AddDetail(must(connect.NewErrorDetail(message)))
	}
	ordinary, ok := withoutDenial(err).(*connect.Error) //nolint:errorlint // it is not wrapped
	if !ok || ordinary.Code() != connect.CodeAborted || len(ordinary.Details()) != len(kept) {
		t.Fatal(ordinary)
	}
	for n, detail := range ordinary.Details() {
		if got := must(detail.Value()); !proto.Equal(got, kept[n]) {
			t.Errorf("detail %d is %v, want %v", n, got, kept[n])
		}
	}
}
