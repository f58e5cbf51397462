module github.com/protoauthz/protoauthz/interceptor/internal/e2e

go 1.26.0

replace github.com/protoauthz/protoauthz => ../../..

ignore node_modules

require (
	connectrpc.com/connect v1.21.1
	github.com/protoauthz/protoauthz v0.0.0
	go.uber.org/goleak v1.3.0
	google.golang.org/genproto/googleapis/rpc v0.0.0-20261019180522-ce908d29299b
	google.golang.org/grpc v1.85.0
	google.golang.org/protobuf v1.36.12
)

require (
	github.com/golang-jwt/jwt/v5 v5.3.1 // indirect
	golang.org/x/net v0.61.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)
