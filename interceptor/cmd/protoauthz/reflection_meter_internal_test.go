package main

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"connectrpc.com/connect"
	"connectrpc.com/grpcreflect"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// The command ends when the files of a server are too large: an endless chain of imports, or one
// file.
func TestReflectionSum(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		size int // of each file
		says string
	}{
		"many files":     {5 << 20, "the server's files take more than 32 MiB together"},
		"one large file": {40 << 20, "larger than configured max 33554432"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			options := new(descriptorpb.FileOptions) // of all files
			options.ProtoReflect().SetUnknown(protowire.AppendBytes(protowire.AppendTag(nil, 60000, protowire.BytesType), make([]byte, test.size)))
			file := func(n int) (protoreflect.FileDescriptor, error) {
				return protodesc.FileOptions{AllowUnresolvable: true}.New(&descriptorpb.FileDescriptorProto{
					Name: proto.String(strconv.Itoa(n)), Package: proto.String("a"), Dependency: []string{strconv.Itoa(n + 1)}, Options: options,
					Service: []*descriptorpb.ServiceDescriptorProto{{Name: proto.String("S" + strconv.Itoa(n))}},
				}, new(protoregistry.Files))
			}
			var asked atomic.Int64
			server := &liar{
				byName: func(protoreflect.FullName) (protoreflect.Descriptor, error) { return file(0) },
				byPath: func(path string) (protoreflect.FileDescriptor, error) {
					n, err := strconv.Atoi(path)
					asked.Add(1)
					return must(file(n)), err
				},
				services: []string{"a.S0"},
			}
			// To compress takes most of the time that a server has, under the race detector on a busy machine.
			path, handler := grpcreflect.NewHandlerV1(grpcreflect.NewReflector(server, grpcreflect.WithDescriptorResolver(server)), connect.WithCompressMinBytes(64<<20))
			mux := http.NewServeMux()
			mux.Handle(path, handler)
			got := execute(t, nil, "matrix", "-audience", audience, serve(t, mux).URL)
			if got.status != exitFailed || !strings.Contains(got.stderr, test.says) {
				t.Errorf("status %d: %s", got.status, got.stderr)
			}
			if most := int64(reflectionBytes / test.size); asked.Load() > most {
				t.Errorf("the server was asked for %d more files, want %d at most", asked.Load(), most)
			}
		})
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// A large and honest server is within the limits.
func TestLargeReflection(t *testing.T) {
	t.Parallel()
	const services, methods = 250, 20
	common := &descriptorpb.FileDescriptorProto{Name: proto.String("common"), Package: proto.String("a")}
	for n := range 2000 {
		message := &descriptorpb.DescriptorProto{Name: proto.String("M" + strconv.Itoa(n))}
		for field := range int32(15) {
			message.Field = append(message.Field, &descriptorpb.FieldDescriptorProto{
				Name: proto.String("field_" + strconv.Itoa(int(field))), Number: proto.Int32(field + 1),
				Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(), Type: descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(),
			})
		}
		common.MessageType = append(common.MessageType, message)
	}
	answer := func(files ...[]byte) []byte {
		var response []byte
		for _, file := range files {
			response = protowire.AppendBytes(protowire.AppendTag(response, 1, protowire.BytesType), file)
		}
		return protowire.AppendBytes(protowire.AppendTag(nil, 4, protowire.BytesType), response)
	}
	var list []byte
	answers := make([][]byte, 1, 2+services)
	flags := []string{"matrix", "-audience", audience}
	for s := range services {
		service := &descriptorpb.ServiceDescriptorProto{Name: proto.String("S" + strconv.Itoa(s))}
		for m := range methods {
			service.Method = append(service.Method, &descriptorpb.MethodDescriptorProto{
				Name: proto.String("Method" + strconv.Itoa(m)), InputType: proto.String(".a.M0"), OutputType: proto.String(".a.M" + strconv.Itoa(s)),
			})
		}
		name := "a." + service.GetName()
		list = appendService(list, name)
		flags = append(flags, "-public", name)
		answers = append(answers, answer(must(proto.Marshal(&descriptorpb.FileDescriptorProto{
			Name: proto.String(name), Package: proto.String("a"), Dependency: []string{"common"}, Service: []*descriptorpb.ServiceDescriptorProto{service},
		}))))
	}
	answers[0] = listAnswer(list)
	answers = append(answers, answer(must(proto.Marshal(common))))
	got := execute(t, nil, append(flags, serve(t, scripted(answers...)).URL)...)
	if lines := strings.Count(got.stdout, "Method"); got.status != exitOK || lines != services*methods {
		t.Errorf("status %d, %d methods, %.200s", got.status, lines, got.stderr)
	}
}

// Few bytes may decode to much memory, and repeated files are much traffic.
func TestReflectionDefinitions(t *testing.T) {
	t.Parallel()
	bytesOf := func(number protowire.Number, content []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), content)
	}
	repeated := func(n int, field []byte) []byte { return []byte(strings.Repeat(string(field), n)) }
	files := func(fields ...[]byte) []byte { return bytesOf(4, slices.Concat(fields...)) }
	empty := bytesOf(4, nil) // a message in a file
	var deep []byte
	for range 2 * reflectionDepth {
		deep = bytesOf(3, deep)
	}
	half := repeated(reflectionDefinitions/2, empty)
	list := listAnswer(appendService(nil, "a.S"))
	service := must(proto.Marshal(&descriptorpb.FileDescriptorProto{Package: proto.String("a"), Service: []*descriptorpb.ServiceDescriptorProto{{Name: proto.String("S")}}, Dependency: []string{"next"}}))
	for name, test := range map[string]struct {
		answers [][]byte
		says    error
	}{
		"services":           {[][]byte{listAnswer(repeated(reflectionDefinitions+1, bytesOf(1, nil)))}, errDefinitions},
		"files":              {[][]byte{list, files(repeated(reflectionDefinitions+1, bytesOf(1, nil)))}, errDefinitions},
		"messages":           {[][]byte{list, files(bytesOf(1, repeated(reflectionDefinitions+1, empty)))}, errDefinitions},
		"names":              {[][]byte{list, files(bytesOf(1, bytesOf(4, repeated(reflectionDefinitions, bytesOf(10, nil)))))}, errDefinitions},
		"the same file":      {[][]byte{list, files(bytesOf(1, half), bytesOf(1, half))}, errDefinitions},
		"in several answers": {[][]byte{list, files(bytesOf(1, append(service, half...))), files(bytesOf(1, append(half, empty...)))}, errDefinitions},
		"nested":             {[][]byte{list, files(bytesOf(1, bytesOf(4, deep)))}, errDefinitions},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := execute(t, nil, "matrix", serve(t, scripted(test.answers...)).URL)
			if got.status != exitFailed || !strings.Contains(got.stderr, test.says.Error()) {
				t.Errorf("status %d: %.500s", got.status, got.stderr)
			}
		})
	}
}

// Imports that a server sends with each file count once.
func TestFilesSentAgain(t *testing.T) {
	t.Parallel()
	one := &descriptorpb.FileDescriptorProto{Name: proto.String("f"), Syntax: proto.String("proto3"), MessageType: []*descriptorpb.DescriptorProto{{
		Name: proto.String("Response"), Field: []*descriptorpb.FieldDescriptorProto{{
			Name: proto.String("file_descriptor_proto"), Number: proto.Int32(1),
			Label: descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum(), Type: descriptorpb.FieldDescriptorProto_TYPE_BYTES.Enum(),
		}},
	}}}
	response := dynamicpb.NewMessage(must(protodesc.NewFile(one, nil)).Messages().Get(0))
	common := []byte(strings.Repeat("\x22\x00", 100_000)) // empty messages
	answers := &meter{files: map[[sha256.Size]byte]struct{}{}}
	for n := range 50 {
		own := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), strconv.Itoa(n))
		var answer []byte
		for _, file := range [][]byte{own, common} {
			answer = protowire.AppendBytes(protowire.AppendTag(answer, 1, protowire.BytesType), file)
		}
		if err := answers.Unmarshal(answer, response); err != nil {
			t.Fatalf("%d: %v", n, err)
		}
	}
	if answers.definitions != 50+100_001 || len(answers.files) != 51 {
		t.Errorf("%d definitions in %d files", answers.definitions, len(answers.files))
	}
}

// All bytes that arrive count, also of a skipped or compressed answer.
func TestReflectionTraffic(t *testing.T) {
	t.Parallel()
	read := 0
	body := &meteredBody{endless(func(n int) { read += n }), new(meter)}
	into := make([]byte, 1<<20)
	var err error
	for err == nil {
		_, err = body.Read(into)
	}
	if !errors.Is(err, errTraffic) || read != reflectionTraffic {
		t.Errorf("%v after %d bytes", err, read)
	}
	answers := &meter{decoded: reflectionTraffic}
	if err := answers.Unmarshal([]byte{8, 1}, new(descriptorpb.FileOptions)); !errors.Is(err, errTraffic) {
		t.Error(err)
	}
}

type endless func(n int)

func (e endless) Read(into []byte) (int, error) {
	e(len(into))
	return len(into), nil
}

func (endless) Close() error { return nil }

// scripted serves the given answers, one for each question.
func scripted(answers ...[]byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		prefix := make([]byte, 5)
		for _, answer := range answers {
			if _, err := io.ReadFull(r.Body, prefix); err != nil {
				break
			}
			if _, err := io.ReadFull(r.Body, make([]byte, binary.BigEndian.Uint32(prefix[1:]))); err != nil {
				break
			}
			binary.BigEndian.PutUint32(prefix[1:], uint32(len(answer)))
			_, _ = w.Write(prefix)
			_, _ = w.Write(answer)
			_ = http.NewResponseController(w).Flush()
		}
		w.Header().Set("Grpc-Status", "0")
	})
}

func appendService(list []byte, name string) []byte {
	service := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), name)
	return protowire.AppendBytes(protowire.AppendTag(list, 1, protowire.BytesType), service)
}

func listAnswer(list []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, 6, protowire.BytesType), list)
}
