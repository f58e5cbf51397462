package errorinfo_test

import (
	"errors"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/protoauthz/protoauthz/interceptor/internal/errorinfo"
)

// TestFind makes sure that Find returns the first detail of the domain, whatever else an error holds.
func TestFind(t *testing.T) {
	t.Parallel()
	first, second := &errdetails.ErrorInfo{Domain: "protoauthz", Reason: "FIRST"}, &errdetails.ErrorInfo{Domain: "protoauthz", Reason: "SECOND"}
	garbled := &anypb.Any{TypeUrl: "type.googleapis.com/google.rpc.ErrorInfo", Value: []byte{0xff}}
	for name, test := range map[string]struct {
		details []proto.Message
		want    *errdetails.ErrorInfo
	}{
		"none":          {nil, nil},
		"others":        {[]proto.Message{garbled, &errdetails.RetryInfo{}, &errdetails.ErrorInfo{Domain: "other.test"}}, nil},
		"behind others": {[]proto.Message{garbled, &errdetails.RetryInfo{}, &errdetails.ErrorInfo{Domain: "other.test"}, first}, first},
		"two":           {[]proto.Message{first, second}, first},
	} {
		err := connect.NewError(connect.CodeAborted, errors.New("no"))
		for _, message := range test.details {
			detail, detailErr := connect.NewErrorDetail(message)
			if detailErr != nil {
				t.Fatal(detailErr)
			}
			err.AddDetail(detail)
		}
		if got := errorinfo.Find(err); !proto.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
