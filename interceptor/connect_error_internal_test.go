package interceptor

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
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
