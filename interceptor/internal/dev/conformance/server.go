package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
)

// serve is the server under test: it reads its setup from in, writes its address to out, and serves until
// the context ends. Then it writes its tally to notes, as JSON.
func serve(ctx context.Context, protos string, m mode, in io.Reader, out, notes io.Writer) error {
	service, err := loadSchema(ctx, protos, m)
	if err != nil {
		return err
	}
	wanted := newMessage("ServerCompatRequest")
	if err := readMessage(in, wanted); err != nil {
		return fmt.Errorf("what to serve: %w", err)
	}
	counts := newTally()
	limit := int(wanted.get("message_receive_limit").Uint()) //nolint:gosec // it has 32 bits
	handler, err := newHandler(service, m, counts, connect.WithReadMaxBytes(limit))
	if err != nil {
		return err
	}
	certificate, config, err := tlsConfig(wanted)
	if err != nil {
		return err
	}
	server, err := listen(ctx, wanted.get("http_version").Enum(), config, handler)
	if err != nil {
		return err
	}
	answer := newMessage("ServerCompatResponse")
	answer.set("host", "127.0.0.1")
	answer.set("port", uint32(server.port)) //nolint:gosec // it has 16 bits
	answer.set("pem_cert", certificate)
	if err := writeMessage(out, answer); err != nil {
		return errors.Join(err, server.stop())
	}
	select {
	case err = <-server.done:
	case <-ctx.Done():
		err = server.stop()
	}
	return errors.Join(err, counts.write(notes))
}

// maxSetup is more than the length of a setup, in bytes.
const maxSetup = 1 << 20

// readMessage reads the size of a message, and the message.
func readMessage(in io.Reader, m message) error {
	var size uint32
	if err := binary.Read(in, binary.BigEndian, &size); err != nil {
		return err
	}
	if size > maxSetup {
		return fmt.Errorf("%d bytes", size)
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(in, data); err != nil {
		return err
	}
	return proto.Unmarshal(data, m.Interface())
}

func writeMessage(out io.Writer, m message) error {
	data, err := proto.Marshal(m.Interface())
	if err != nil {
		return err
	}
	_, err = out.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...)) //nolint:gosec // it is short
	return err
}

// tlsConfig returns nil without TLS.
func tlsConfig(wanted message) (certificate []byte, config *tls.Config, err error) {
	if !wanted.get("use_tls").Bool() {
		return nil, nil, nil
	}
	credentials := wanted.message("server_creds")
	certificate = credentials.get("cert").Bytes()
	pair, err := tls.X509KeyPair(certificate, credentials.get("key").Bytes())
	if err != nil {
		return nil, nil, err
	}
	config = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if client := wanted.get("client_tls_cert").Bytes(); len(client) > 0 {
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		if !config.ClientCAs.AppendCertsFromPEM(client) {
			return nil, nil, errors.New("the client's certificate cannot be read")
		}
	}
	return certificate, config, nil
}
