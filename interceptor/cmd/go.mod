module github.com/protoauthz/protoauthz/interceptor/cmd

go 1.26.0

require (
	connectrpc.com/connect v1.21.1
	connectrpc.com/grpcreflect v1.3.1
	github.com/protoauthz/protoauthz v0.0.0
	github.com/urfave/cli/v3 v3.14.0
	golang.org/x/term v0.47.0
	google.golang.org/protobuf v1.36.12
)

require golang.org/x/sys v0.49.0 // indirect

replace github.com/protoauthz/protoauthz => ../..
