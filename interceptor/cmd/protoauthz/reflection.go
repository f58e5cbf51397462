package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/grpcreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
)

// reflectionTimeout is how long a server may take for all answers.
const reflectionTimeout = 20 * time.Second

// reflectInput returns the services of a server that the selection chooses. The files may lack
// comments and positions.
func reflectInput(ctx context.Context, server string, headers []string, s *selection) (*input, error) {
	r, err := reflect(ctx, server, headers)
	if err != nil {
		return nil, err
	}
	return servedInput(server, r, s)
}

// servedInput returns the services of a server's answers that the selection chooses.
func servedInput(server string, r *reflected, s *selection) (*input, error) {
	unknown := map[string]error{}
	for service, cause := range r.services {
		if !r.declared[service] {
			unknown[service] = cause
		}
	}
	in, err := newInput(inputName(server), r.set, unknown, s, func(_ *descriptorpb.FileDescriptorProto, service string) origin {
		if _, served := r.services[service]; served {
			return originOwn
		}
		return originUnserved
	})
	in.served = true
	return in, err
}

// newTransport returns a transport for gRPC.
func newTransport() *http.Transport {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP2(true)
	transport.Protocols.SetUnencryptedHTTP2(true)
	return transport
}

// A reflected server holds the answers of a server.
type reflected struct {
	services map[string]error // that the server lists, with the cause if the descriptor is missing
	set      *descriptorpb.FileDescriptorSet
	files    map[string]bool // of the set, by their path
	declared map[string]bool // services of the files
}

// reflect asks a server for its services and their files.
func reflect(ctx context.Context, server string, headers []string) (r *reflected, err error) {
	header, err := parseHeaders(headers)
	if err != nil {
		return nil, fmt.Errorf("-reflect-header: %w", err)
	}
	if err := checkChannel(server, headers); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, reflectionTimeout)
	defer cancel()
	transport := newTransport()
	defer transport.CloseIdleConnections()
	meter := &meter{RoundTripper: transport, files: map[[sha256.Size]byte]struct{}{}}
	client := grpcreflect.NewClient(&http.Client{
		Transport: meter,
		// The values of -reflect-header are for the named server alone.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, strings.TrimSuffix(server, "/"), connect.WithGRPC(), connect.WithCodec(meter), connect.WithReadMaxBytes(reflectionBytes))
	stream := client.NewStream(ctx, grpcreflect.WithRequestHeaders(header))
	defer func() {
		if err != nil {
			cancel() // ends the stream at once
		}
		_, closeErr := stream.Close()
		if err != nil {
			err = fmt.Errorf("reflection: %w", err)
		} else if closeErr != nil {
			err = fmt.Errorf("reflection: %w", closeErr)
		}
	}()
	services, err := stream.ListServices()
	if err != nil {
		return nil, advise(err, len(headers) > 0)
	}
	r = &reflected{map[string]error{}, new(descriptorpb.FileDescriptorSet), map[string]bool{}, map[string]bool{}}
	for _, service := range services {
		if r.services[string(service)] = nil; r.declared[string(service)] {
			continue
		}
		found, err := stream.FileContainingSymbol(service)
		if err != nil && !grpcreflect.IsReflectionStreamBroken(err) {
			r.services[string(service)] = err
			continue
		}
		if err == nil {
			err = r.add(found)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", service, err)
		}
	}
	asked := map[string]bool{}
	for i := 0; i < len(r.set.File); i++ { // it grows
		for _, path := range slices.Concat(r.set.File[i].GetDependency(), r.set.File[i].GetOptionDependency()) {
			if r.files[path] || asked[path] {
				continue
			}
			asked[path] = true
			found, err := stream.FileByFilename(path)
			if err != nil && !grpcreflect.IsReflectionStreamBroken(err) {
				continue // fileset.Link reports the missing file
			}
			if err == nil {
				err = r.add(found)
			}
			if err != nil {
				return nil, fmt.Errorf("%q: %w", path, err)
			}
		}
	}
	return r, nil
}

// add adds files that a server has sent.
func (r *reflected) add(files []*descriptorpb.FileDescriptorProto) error {
	for _, file := range files {
		if r.files[file.GetName()] {
			continue
		}
		if len(r.files) == reflectionFiles {
			return fmt.Errorf("the server has more than %d files", reflectionFiles)
		}
		r.files[file.GetName()] = true
		r.set.File = append(r.set.File, file)
		for _, service := range file.GetService() {
			r.declared[string(serviceName(file, service))] = true
		}
	}
	return nil
}

// checkChannel refuses to send a header, or a password in the URL, over plain HTTP to another
// machine: both may be secrets. For this machine, [http.ProxyFromEnvironment] uses no proxy.
func checkChannel(server string, headers []string) error {
	u, err := url.Parse(server)
	switch {
	case err != nil:
		return errMalformedURL // the error of url.Parse may hold a password
	case u.Scheme == "https", endpoint.IsLoopback(u.Hostname()):
		return nil
	case len(headers) > 0:
		return fmt.Errorf("-reflect-header: %w", errPlainHTTP)
	case u.User != nil:
		return fmt.Errorf("the user and password in the URL: %w", errPlainHTTP)
	}
	return nil
}

var errPlainHTTP = errors.New("http:// sends secrets in the clear to another machine: use https://, or a tunnel to 127.0.0.1")

// advise adds to an error of the server what to do.
func advise(err error, headers bool) error {
	switch code := connect.CodeOf(err); {
	case code == connect.CodeUnimplemented:
		return fmt.Errorf("the server has no reflection: give an image: %w", err)
	case (code == connect.CodeUnauthenticated || code == connect.CodePermissionDenied) && !headers:
		return fmt.Errorf("the server refuses: give a token with -reflect-header 'Authorization: Bearer ...': %w", err)
	default:
		return err
	}
}

// parseHeaders parses lines of the form "Name: value".
func parseHeaders(lines []string) (http.Header, error) {
	header := http.Header{}
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !ok || name == "" {
			// The line itself may be a secret.
			return nil, errors.New("a value is not of the form 'Name: value'")
		}
		header.Add(name, strings.TrimSpace(value))
	}
	return header, nil
}
