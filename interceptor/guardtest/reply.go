package guardtest

import (
	"encoding/base64"
	"net/http"
	"strings"

	"google.golang.org/protobuf/types/known/anypb"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/unguarded"
)

// A reply is the handler's answer to a call. It is zero without an answer.
type reply struct {
	status          int
	header, trailer http.Header
	body            string
}

// unmounted reports whether a route with this verb is not mounted. grpc-gateway answers 501 in place of 405.
func (r reply) unmounted() bool {
	switch r.status {
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return true
	case http.StatusNotImplemented:
		return strings.Contains(r.body, `"Method Not Allowed"`)
	}
	return false
}

// early reports whether the call may have failed before a guard saw it.
func (r reply) early() bool {
	switch r.status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusInternalServerError, http.StatusNotImplemented:
		return false
	}
	return r.status >= http.StatusBadRequest
}

// unregistered reports whether JSON is the answer of grpc-go for a procedure that is not registered.
func unregistered(body any) bool {
	answer, _ := body.(map[string]any)
	if of, ok := answer["error"].(map[string]any); ok { // of a stream
		answer = of
	}
	message, _ := answer["message"].(string)
	return strings.HasPrefix(message, "unknown service ") || strings.HasPrefix(message, "unknown method ")
}

// reasonIn finds a Guard's reason in JSON, however deep: an error handler may have wrapped the status.
func reasonIn(value any) interceptor.Reason {
	var inner []any
	switch value := value.(type) {
	case []any:
		inner = value
	case map[string]any:
		if reason, ok := value["reason"].(string); ok && value["domain"] == unguarded.Domain {
			return interceptor.Reason(reason)
		}
		if reason := packed(value); reason != "" {
			return reason
		}
		for _, member := range value {
			inner = append(inner, member)
		}
	}
	for _, value := range inner {
		if reason := reasonIn(value); reason != "" {
			return reason
		}
	}
	return ""
}

// packed finds a Guard's reason in a google.protobuf.Any whose value is binary, as Connect writes it
// ("type"), and encoding/json by way of runtime.JSONBuiltin ("type_url").
func packed(detail map[string]any) interceptor.Reason {
	name, ok := detail["type"].(string)
	if !ok {
		name, _ = detail["type_url"].(string)
	}
	text, _ := detail["value"].(string)
	value, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return ""
	}
	return unguarded.Reason([]*anypb.Any{{TypeUrl: "type.googleapis.com/" + name, Value: value}})
}
