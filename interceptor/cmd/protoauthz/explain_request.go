package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// maxTokenFile is how many bytes of a file are read. The guard refuses a longer token.
const maxTokenFile = 64 << 10

// readToken returns the Authorization header for the token in a file, which may begin with the
// scheme. Errors do not name the file: a user may give the token itself by mistake.
func readToken(stdin io.Reader, name string) (string, error) {
	in := stdin
	if name != "-" {
		file, err := os.Open(name) //nolint:gosec // the user names the file
		if err != nil {
			return "", fmt.Errorf("-token: %w: give the name of a file that holds the token, or - for standard input; other users can read the command line", reason(err))
		}
		defer func() { _ = file.Close() }()
		in = file
	}
	data, err := io.ReadAll(io.LimitReader(in, maxTokenFile))
	if err != nil {
		return "", fmt.Errorf("-token: %w", reason(err))
	}
	if data, err = utf8Of(data); err != nil {
		return "", fmt.Errorf("-token: %w", err)
	}
	text := strings.TrimSpace(string(data))
	if text == "" {
		return "", errors.New("-token: the input is empty: it must hold a token; for explain, leave out -token to make a call without a token")
	}
	if scheme, _, ok := strings.Cut(text, " "); ok && strings.EqualFold(scheme, "Bearer") {
		return text, nil
	}
	return "Bearer " + text, nil
}

// utf8Of returns the content of a text file without the byte order mark that some editors and shells write.
func utf8Of(data []byte) ([]byte, error) {
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return nil, errors.New("the file is UTF-16: write it as UTF-8")
	}
	return bytes.TrimPrefix(data, []byte("\ufeff")), nil
}

// reason returns an error without the name of the file.
func reason(err error) error {
	if path, ok := errors.AsType[*os.PathError](err); ok {
		return path.Err
	}
	return err
}

// requestHeader returns the header of the call, without the token.
func requestHeader(lines []string) (http.Header, error) {
	header, err := parseHeaders(lines)
	if err == nil && len(header.Values("Authorization")) > 0 {
		err = errors.New("give the token with -token, in a file")
	}
	if err != nil {
		return nil, fmt.Errorf("-header: %w", err)
	}
	return header, nil
}

// parseMessages decodes messages of the method's input type. It returns nil without texts: then
// the messages are not known.
func parseMessages(rule *policy.Rule, files policy.Files, texts []string) (messages []proto.Message, err error) {
	switch {
	case len(texts) == 0:
		return nil, nil
	case rule.Method == nil:
		return nil, fmt.Errorf("-message: the messages of %s are not known: leave out -message", rule.Procedure)
	case rule.Method.Input().IsPlaceholder():
		return nil, fmt.Errorf("-message: the file that declares %s is missing: give the image with its imports", rule.Method.Input().FullName())
	case len(texts) > 1 && !rule.Method.IsStreamingClient():
		return nil, fmt.Errorf("-message: %s takes one message, not %d", rule.Procedure, len(texts))
	}
	registry := new(protoregistry.Files)
	for _, file := range files {
		_ = registry.RegisterFile(file) // for google.protobuf.Any; a second copy changes nothing
	}
	options := protojson.UnmarshalOptions{Resolver: dynamicpb.NewTypes(registry)}
	for n, text := range texts {
		data := []byte(text)
		if name, ok := strings.CutPrefix(text, "@"); ok {
			if data, err = os.ReadFile(name); err != nil { //nolint:gosec // the user names the file
				return nil, fmt.Errorf("-message: %w", err)
			}
			if data, err = utf8Of(data); err != nil {
				return nil, fmt.Errorf("-message: %s: %w", name, err)
			}
		}
		message := dynamicpb.NewMessage(rule.Method.Input())
		if err := options.Unmarshal(data, message); err != nil {
			return nil, fmt.Errorf("-message: number %d is not a %s in JSON: %w", n+1, rule.Method.Input().FullName(), err)
		}
		messages = append(messages, message)
	}
	return messages, nil
}
