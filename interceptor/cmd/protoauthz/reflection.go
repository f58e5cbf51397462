package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/grpcreflect"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/protoauthz/protoauthz/interceptor/policy"
)

const (
	reflectionTimeout = 20 * time.Second
	reflectionBytes   = 64 << 20 // of one answer
)

// reflectFiles asks a server for the files of the services that it offers. The server may
// say nothing of comments and places.
func reflectFiles(ctx context.Context, url string, headers []string) (files policy.Files, err error) {
	header, err := parseHeaders(headers)
	if err != nil {
		return nil, fmt.Errorf("-header: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, reflectionTimeout)
	defer cancel()
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP2(true)
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	client := grpcreflect.NewClient(&http.Client{Transport: transport}, strings.TrimSuffix(url, "/"), connect.WithGRPC(), connect.WithReadMaxBytes(reflectionBytes))
	stream := client.NewStream(ctx, grpcreflect.WithRequestHeaders(header))
	defer func() {
		_, closeErr := stream.Close()
		if err != nil {
			err = fmt.Errorf("reflection: %w", err)
		} else if closeErr != nil {
			err = fmt.Errorf("reflection: %w", closeErr)
		}
	}()
	services, err := stream.ListServices()
	if err != nil {
		return nil, err
	}
	set := new(descriptorpb.FileDescriptorSet)
	known := map[string]bool{}
	add := func(found []*descriptorpb.FileDescriptorProto) {
		for _, file := range found {
			if !known[file.GetName()] {
				known[file.GetName()] = true
				set.File = append(set.File, file)
			}
		}
	}
	for _, service := range services {
		found, err := stream.FileContainingSymbol(service)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", service, err)
		}
		add(found)
	}
	for i := 0; i < len(set.File); i++ { // it grows
		for _, name := range set.File[i].GetDependency() {
			if known[name] {
				continue
			}
			found, err := stream.FileByFilename(name)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			if add(found); !known[name] {
				return nil, fmt.Errorf("the server has no %s", name)
			}
		}
	}
	return serviceFiles(set, func(file *descriptorpb.FileDescriptorProto) bool {
		return slices.ContainsFunc(file.GetService(), func(service *descriptorpb.ServiceDescriptorProto) bool {
			name := protoreflect.FullName(file.GetPackage()).Append(protoreflect.Name(service.GetName()))
			return slices.Contains(services, name)
		})
	})
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
