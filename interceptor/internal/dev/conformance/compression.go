package main

import (
	"compress/zlib"
	"io"

	"connectrpc.com/connect"
	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
)

// compressions are the compressions that connect-go does not implement itself.
func compressions() connect.HandlerOption {
	return connect.WithHandlerOptions(
		connect.WithCompression("br", newUnbrotli, func() connect.Compressor { return brotli.NewWriter(nil) }),
		connect.WithCompression("deflate", newInflate, func() connect.Compressor { return zlib.NewWriter(nil) }),
		connect.WithCompression("snappy", newUnsnappy, func() connect.Compressor { return snappy.NewBufferedWriter(nil) }),
		connect.WithCompression("zstd", newUnzstd, newZstd),
	)
}

// A decompressor is reset before each use, and can be reset after Close.
type decompressor struct {
	io.Reader
	reset func(io.Reader) error
}

func (d *decompressor) Reset(source io.Reader) error { return d.reset(source) }

func (d *decompressor) Close() error { return nil }

func newUnbrotli() connect.Decompressor {
	reader := brotli.NewReader(nil)
	return &decompressor{reader, reader.Reset}
}

func newInflate() connect.Decompressor {
	d := new(decompressor)
	d.reset = func(source io.Reader) (err error) {
		d.Reader, err = zlib.NewReader(source)
		return err
	}
	return d
}

func newUnsnappy() connect.Decompressor {
	reader := snappy.NewReader(nil)
	return &decompressor{reader, func(source io.Reader) error {
		reader.Reset(source)
		return nil
	}}
}

func newUnzstd() connect.Decompressor {
	reader, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1)) // without goroutines
	if err != nil {
		panic(err) // of the options
	}
	return &decompressor{reader, reader.Reset}
}

func newZstd() connect.Compressor {
	writer, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		panic(err) // of the options
	}
	return writer
}
