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
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// reflectionTimeout is how long a server may take for all of its answers.
const reflectionTimeout = 20 * time.Second

// reflectFiles asks a server for the files of the services that it offers. The server may
// say nothing of comments and places.
func reflectFiles(ctx context.Context, server string, headers []string) (files policy.Files, err error) {
	header, err := parseHeaders(headers)
	if err != nil {
		return nil, fmt.Errorf("-reflect-header: %w", err)
	}
	if err := checkChannel(server, headers); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, reflectionTimeout)
	defer cancel()
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP2(true)
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	meter := &meter{RoundTripper: transport, files: map[[sha256.Size]byte]struct{}{}}
	client := grpcreflect.NewClient(&http.Client{
		Transport: meter,
		// What is in -reflect-header is for the server that was named.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, strings.TrimSuffix(server, "/"), connect.WithGRPC(), connect.WithCodec(meter), connect.WithReadMaxBytes(reflectionBytes))
	stream := client.NewStream(ctx, grpcreflect.WithRequestHeaders(header))
	defer func() {
		if err != nil {
			cancel() // nothing more is wanted of the server
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
	set := new(descriptorpb.FileDescriptorSet)
	known := map[string]bool{}
	declared := map[protoreflect.FullName]bool{}
	add := func(found []*descriptorpb.FileDescriptorProto) error {
		for _, file := range found {
			if known[file.GetName()] {
				continue
			}
			if len(known) == reflectionFiles {
				return fmt.Errorf("the server has more than %d files", reflectionFiles)
			}
			known[file.GetName()] = true
			set.File = append(set.File, file)
			for _, service := range file.GetService() {
				declared[serviceName(file, service)] = true
			}
		}
		return nil
	}
	for _, service := range services {
		if declared[service] {
			continue
		}
		found, err := stream.FileContainingSymbol(service)
		if err == nil {
			err = add(found)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", service, err)
		}
		// Without it the answer would be silent on its methods.
		if !declared[service] {
			return nil, fmt.Errorf("the server lists %q, and has no file that declares it", service)
		}
	}
	for i := 0; i < len(set.File); i++ { // it grows
		for _, name := range slices.Concat(set.File[i].GetDependency(), set.File[i].GetOptionDependency()) {
			if known[name] {
				continue
			}
			found, err := stream.FileByFilename(name)
			if err != nil && !grpcreflect.IsReflectionStreamBroken(err) && slices.Contains(set.File[i].GetOptionDependency(), name) {
				continue // servers need not link it; policy knows whether it matters
			}
			if err == nil {
				err = add(found)
			}
			if err != nil {
				return nil, fmt.Errorf("%q: %w", name, err)
			}
			if !known[name] {
				return nil, fmt.Errorf("the server has no file %q", name)
			}
		}
	}
	return serviceFiles(set, func(file *descriptorpb.FileDescriptorProto) bool {
		return slices.ContainsFunc(file.GetService(), func(service *descriptorpb.ServiceDescriptorProto) bool {
			return slices.Contains(services, serviceName(file, service))
		})
	})
}

// checkChannel refuses to send what may be a secret, a header or the password in the URL, where
// others can read it: over plain HTTP, unless the server is on this machine, for which
// [http.ProxyFromEnvironment] knows no proxy.
func checkChannel(server string, headers []string) error {
	u, err := url.Parse(server)
	switch {
	case err != nil:
		return errMalformedURL // the cause may hold a password
	case u.Scheme == "https", endpoint.IsLoopback(u.Hostname()):
		return nil
	case len(headers) > 0:
		return fmt.Errorf("-reflect-header: %w", errPlainHTTP)
	case u.User != nil:
		return fmt.Errorf("the user and password in the URL: %w", errPlainHTTP)
	}
	return nil
}

var errPlainHTTP = errors.New("http:// sends it in the clear to another machine: use https://, or a tunnel to 127.0.0.1")

func serviceName(file *descriptorpb.FileDescriptorProto, service *descriptorpb.ServiceDescriptorProto) protoreflect.FullName {
	return protoreflect.FullName(file.GetPackage()).Append(protoreflect.Name(service.GetName()))
}

// advise says what to do about a refusal.
func advise(err error, headers bool) error {
	switch code := connect.CodeOf(err); {
	case code == connect.CodeUnimplemented:
		return fmt.Errorf("the server has no reflection: read an image: %w", err)
	case (code == connect.CodeUnauthenticated || code == connect.CodePermissionDenied) && !headers:
		return fmt.Errorf("the server refuses: give a token with -reflect-header 'Authorization: Bearer ...': %w", err)
	default:
		return err
	}
}

// parseHeaders parses "Name: value".
func parseHeaders(lines []string) (http.Header, error) {
	header := http.Header{}
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !ok || name == "" {
			// The line itself may be a secret.
			return nil, errors.New("it is not of the form 'Name: value'")
		}
		header.Add(name, strings.TrimSpace(value))
	}
	return header, nil
}
