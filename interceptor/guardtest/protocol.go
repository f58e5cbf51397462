package guardtest

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/unguarded"
)

// A protocol is one way to call a procedure. A handler cannot decode the body of a unary call.
type protocol struct{ verb, contentType, body string }

var (
	viaGRPC = []protocol{
		{http.MethodPost, "application/grpc+proto", ""}, {http.MethodPost, "application/grpc", ""},
		{http.MethodPost, "application/grpc-web+proto", ""}, {http.MethodPost, "application/grpc-web", ""},
	}
	ofStreams = []protocol{{http.MethodPost, "application/connect+proto", ""}, {http.MethodPost, "application/connect+json", ""}}
	ofUnaries = []protocol{{http.MethodPost, "application/proto", "\xff"}, {http.MethodPost, "application/json", ""}, {http.MethodGet, "", ""}}
)

// protocols returns the ways to call a procedure.
func protocols(procedure unguarded.Procedure) []protocol {
	switch {
	case procedure == unguarded.UnknownProcedure:
		return slices.Concat(viaGRPC, ofStreams, ofUnaries)
	case procedure.Stream:
		return slices.Concat(viaGRPC, ofStreams)
	}
	return slices.Concat(viaGRPC, ofUnaries)
}

// A page is an answer that may mean that nothing is served: not of an RPC, or of an RPC with the code
// unimplemented or not_found. The page is zero for other answers, and without an answer.
type page struct {
	status            int
	contentType, body string
	isRPC             bool
}

// page returns the page of a reply with a body, without what depends on the path.
func (r reply) page(body, path string) page {
	contentType := r.header.Get("Content-Type")
	if strings.HasPrefix(contentType, "text/html") { // RPCs do not answer with HTML, and a page may differ from call to call.
		body = ""
	}
	service, method, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	for _, name := range []string{path, url.QueryEscape(path), service, method} {
		body = strings.ReplaceAll(body, name, "")
	}
	return page{status: r.status, contentType: contentType, body: body}
}

// unserved reports whether the status of a page means that nothing is served.
func (p page) unserved() bool {
	return !p.isRPC && (p.status == http.StatusNotFound || p.status == http.StatusMethodNotAllowed || p.status == http.StatusUnsupportedMediaType)
}

// A caller calls procedures by all protocols.
type caller struct {
	handler http.Handler
	unknown map[string]page // what calls of the unknown procedure are answered with, by protocol and tokens
}

// call returns the first answer that is not a Guard's refusal, or else the refusal. Refusals of a call
// without a token are a fault if their reasons differ. A procedure is not served if the handler answers as
// it answers the unknown procedure.
func (c *caller) call(ctx context.Context, procedure unguarded.Procedure, authorization []string) unguarded.Answer {
	var refusal *unguarded.Answer
	absent := unguarded.Answer{Kind: unguarded.Absent, Text: procedure.Name}
	for _, protocol := range protocols(procedure) {
		answer, page := c.by(ctx, protocol, procedure, authorization)
		isPage := page.status != 0
		switch {
		case isPage && (procedure == unguarded.UnknownProcedure || page.unserved() || page == c.unknownPage(ctx, protocol, authorization)):
			if page.status != http.StatusNotFound && absent.Text == procedure.Name {
				absent.Text += fmt.Sprintf(" (HTTP status %d)", page.status)
			}
		case answer.Reason == "":
			return answer
		case refusal == nil:
			refusal = &answer
		case authorization == nil && refusal.Kind == unguarded.Answered && answer.Reason != refusal.Reason:
			refusal = &unguarded.Answer{Kind: unguarded.Faulty, Text: fmt.Sprintf("is refused for different reasons: it answered calls without a token with "+
				"%s and reason %q, and with %s and reason %q: guard all protocols with one table", refusal.Text, refusal.Reason, answer.Text, answer.Reason)}
		}
	}
	if refusal != nil {
		return *refusal
	}
	return absent
}

// unknownPage returns the page that answers the unknown procedure.
func (c *caller) unknownPage(ctx context.Context, protocol protocol, authorization []string) page {
	key := fmt.Sprint(protocol, len(authorization))
	if _, ok := c.unknown[key]; !ok {
		_, c.unknown[key] = c.by(ctx, protocol, unguarded.UnknownProcedure, authorization)
	}
	return c.unknown[key]
}

// by makes one call.
func (c *caller) by(ctx context.Context, protocol protocol, procedure unguarded.Procedure, authorization []string) (unguarded.Answer, page) {
	target := procedure.Name
	if protocol.verb == http.MethodGet {
		target += "?connect=v1&encoding=json&message="
	}
	request := httptest.NewRequestWithContext(ctx, protocol.verb, target, strings.NewReader(protocol.body))
	if protocol.contentType != "" {
		request.Header.Set("Content-Type", protocol.contentType)
	}
	request.Header.Set("Connect-Protocol-Version", "1")
	request.Header.Set("TE", "trailers")
	got, answer := serve(c.handler, request, authorization)
	if got.status == 0 {
		return answer, page{}
	}
	contentType, body := got.header.Get("Content-Type"), []byte(got.body)
	answer.Text = fmt.Sprintf("HTTP status %d to %s %s", got.status, protocol.verb, protocol.contentType)
	if protocol == viaGRPC[0] {
		answer.Text = fmt.Sprintf("HTTP status %d, gRPC status %q", got.status, got.trailer.Get("Grpc-Status"))
	}
	answer.Text = strings.TrimSpace(answer.Text)
	absent := got.page(got.body, procedure.Name)
	failed, isRPC := false, strings.HasPrefix(contentType, "application/grpc") || strings.HasPrefix(contentType, "application/connect+")
	for _, block := range append([]http.Header{got.header, got.trailer}, blocks(contentType, body)...) {
		code := block.Get("Grpc-Status")
		failed, isRPC = failed || code != "" && code != "0", isRPC || code != ""
		if code == "5" || code == "12" {
			absent = got.page(code+block.Get("Grpc-Message"), procedure.Name)
			absent.isRPC = true
		}
		answer.Reason = cmp.Or(answer.Reason, reason(block))
	}
	for _, message := range messages(contentType, body) {
		code, found := connectError(message)
		failed, isRPC = failed || code != 0, isRPC || code != 0
		if code == connect.CodeNotFound || code == connect.CodeUnimplemented {
			absent = got.page(string(message), procedure.Name)
			absent.isRPC = true
		}
		answer.Reason = cmp.Or(answer.Reason, found)
	}
	answer.OK = got.status == http.StatusOK && !failed
	if isRPC && (!absent.isRPC || answer.Reason != "") {
		return answer, page{}
	}
	return answer, absent
}

// frames returns the messages of a body with a flag.
func frames(body []byte, flag byte) [][]byte {
	var all [][]byte
	for len(body) > 4 { // a flag and a size
		size := int64(binary.BigEndian.Uint32(body[1:5]))
		if size > int64(len(body)-5) {
			break
		}
		if body[0]&flag != 0 {
			all = append(all, body[5:5+size])
		}
		body = body[5+size:]
	}
	return all
}

// blocks returns the trailers in a body of gRPC-Web.
func blocks(contentType string, body []byte) []http.Header {
	if !strings.HasPrefix(contentType, "application/grpc-web") {
		return nil
	}
	var all []http.Header
	for _, frame := range frames(body, 0x80) {
		block, _ := textproto.NewReader(bufio.NewReader(bytes.NewReader(frame))).ReadMIMEHeader() // io.EOF, since no empty line ends the block
		all = append(all, http.Header(block))
	}
	return all
}

// messages returns the parts of a body that may hold an error of Connect.
func messages(contentType string, body []byte) [][]byte {
	if strings.HasPrefix(contentType, "application/connect+") {
		return frames(body, 0x02)
	}
	return [][]byte{body}
}

// connectError returns the code of an error of Connect, of a unary call or a stream, with a Guard's
// reason, and 0 for other JSON.
func connectError(message []byte) (code connect.Code, reason interceptor.Reason) {
	var end struct {
		Code  string
		Error *struct{ Code string }
	}
	if json.Unmarshal(message, &end) != nil {
		return 0, ""
	}
	if end.Error != nil {
		end.Code = end.Error.Code
	}
	var body any
	if code.UnmarshalText([]byte(end.Code)) != nil || json.Unmarshal(message, &body) != nil {
		return 0, ""
	}
	return code, reasonIn(body)
}

// reason finds a Guard's reason in the details of a gRPC status.
func reason(header http.Header) interceptor.Reason {
	wire, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(header.Get("Grpc-Status-Details-Bin"), "="))
	if err != nil {
		return ""
	}
	return reasonInStatus(wire)
}

// reasonInStatus finds a Guard's reason in a google.rpc.Status.
func reasonInStatus(wire []byte) interceptor.Reason {
	decoded := new(status.Status)
	if proto.Unmarshal(wire, decoded) != nil {
		return ""
	}
	return unguarded.Reason(decoded.GetDetails())
}
