package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// The limits on the answers of a server. With them, the program needs at most about 1 GB of
// memory. A server of 5,000 methods sends about 5 MiB and 200,000 definitions.
const (
	reflectionTraffic     = 256 << 20 // bytes of all answers: some servers send a file again and again
	reflectionBytes       = 32 << 20  // of all files, each counted once, and of one answer
	reflectionDefinitions = 1_000_000 // messages, fields, methods and the like in these bytes
	reflectionDepth       = 100       // of definitions within definitions
	reflectionFiles       = 10_000
)

// A meter limits the answers of a server. As the codec, it counts definitions before it decodes
// them: two bytes may decode to half a kilobyte. As the transport, it counts the bytes that
// arrive: an answer that is too large is never decoded. One goroutine at a time may use a meter.
type meter struct {
	http.RoundTripper
	received int64 // bytes that arrived
	decoded  int   // bytes of all answers, decompressed

	files       map[[sha256.Size]byte]struct{} // files that were counted
	bytes       int                            // of counted files
	definitions int                            // in counted files
}

var (
	errTraffic     = fmt.Errorf("the server's answers take more than %d MiB together: give an image", reflectionTraffic>>20)
	errBytes       = fmt.Errorf("the server's files take more than %d MiB together: give an image", reflectionBytes>>20)
	errDefinitions = fmt.Errorf("the server's files have more than %d definitions together, or definitions nested deeper than %d: give an image", reflectionDefinitions, reflectionDepth)
)

// Name implements [connect.Codec].
func (*meter) Name() string { return "proto" }

// Marshal implements [connect.Codec].
func (*meter) Marshal(message any) ([]byte, error) {
	request, ok := message.(proto.Message)
	if !ok {
		return nil, errNoMessage
	}
	return proto.Marshal(request)
}

// Unmarshal implements [connect.Codec].
func (m *meter) Unmarshal(data []byte, message any) error {
	answer, ok := message.(proto.Message)
	if !ok {
		return errNoMessage
	}
	m.decoded += len(data)
	inAnswer := m.count(data, answer.ProtoReflect().Descriptor(), 0)
	switch {
	case m.decoded > reflectionTraffic:
		return errTraffic
	case m.bytes > reflectionBytes:
		return errBytes
	case max(inAnswer, m.definitions) > reflectionDefinitions:
		return errDefinitions
	}
	return proto.Unmarshal(data, answer)
}

var errNoMessage = errors.New("not a message")

// count returns how many messages and list elements an encoded message holds, with the files
// in the message. It adds each new file to the sums of m.
func (m *meter) count(message []byte, of protoreflect.MessageDescriptor, depth int) (n int) {
	if depth > reflectionDepth {
		return reflectionDefinitions + 1
	}
	eachField(message, func(number protowire.Number, kind protowire.Type, value []byte) {
		field := of.Fields().ByNumber(number)
		if field == nil || kind != protowire.BytesType {
			return
		}
		within, _ := protowire.ConsumeBytes(value)
		switch {
		case field.Name() == "file_descriptor_proto": // a message in a field of bytes
			definitions := 1 + m.count(within, (*descriptorpb.FileDescriptorProto)(nil).ProtoReflect().Descriptor(), depth+1)
			n += definitions
			hash := sha256.Sum256(within)
			if _, again := m.files[hash]; !again {
				m.files[hash] = struct{}{}
				m.bytes += len(within)
				m.definitions += definitions
			}
		case field.Message() != nil:
			n += 1 + m.count(within, field.Message(), depth+1)
		case field.IsList():
			n++
		}
	})
	return n
}

// RoundTrip implements [http.RoundTripper].
func (m *meter) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := m.RoundTripper.RoundTrip(request)
	if err == nil {
		response.Body = &meteredBody{response.Body, m}
	}
	return response, err
}

// A meteredBody is a body whose bytes the meter counts.
type meteredBody struct {
	io.ReadCloser
	meter *meter
}

// Read implements [io.Reader].
func (b *meteredBody) Read(into []byte) (int, error) {
	left := reflectionTraffic - b.meter.received
	if left <= 0 {
		return 0, errTraffic
	}
	n, err := b.ReadCloser.Read(into[:min(int64(len(into)), left)])
	b.meter.received += int64(n)
	return n, err
}
