module example.com/shop

go 1.26.0

require github.com/protoauthz/protoauthz v0.0.0

require (
	connectrpc.com/connect v1.21.1 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)

replace github.com/protoauthz/protoauthz => ../../../..

tool (
	connectrpc.com/connect/cmd/protoc-gen-connect-go
	google.golang.org/protobuf/cmd/protoc-gen-go
)
