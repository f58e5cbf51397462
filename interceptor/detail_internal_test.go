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

// TestDetails makes sure that a detail that is made once is like one that is made for the
// call, in every form.
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
	if len(details()) != len(texts)-1 || details()[ReasonScopeInsufficient] != nil {
		t.Errorf("%d details", len(details()))
	}
	for reason, got := range details() {
		want, err := connect.NewErrorDetail(&errdetails.ErrorInfo{Reason: string(reason), Domain: domain})
		if err != nil {
			t.Fatal(err)
		}
		if got.Type() != want.Type() || !bytes.Equal(got.Bytes(), want.Bytes()) || write(got) != write(want) {
			t.Errorf("%s: %s, want %s", reason, write(got), write(want))
		}
	}
}
