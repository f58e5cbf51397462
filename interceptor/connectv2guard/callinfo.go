package connectv2guard

import (
	"context"
	"slices"

	"connectrpc.com/connect/v2"
)

// withOwnInfo returns a function that runs a handler with a CallInfo of its own. Only a connect.Server can
// put a CallInfo into a context.
func withOwnInfo(next connect.ServerFunc) func(context.Context, *guardedStream) error {
	server := connect.NewServer()
	server.SetUnknownHandler(func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
		return next(ctx, stream.(*guardedStream).spec, stream) //nolint:errcheck,forcetypeassert // what Call gets below
	})
	return func(ctx context.Context, stream *guardedStream) error {
		return server.Call(ctx, stream.spec.Procedure, stream.own.info, stream)
	}
}

// An ownInfo is a copy of a CallInfo.
type ownInfo struct {
	info            *connect.CallInfo
	header, trailer ownHeader
}

func newOwnInfo(info *connect.CallInfo) *ownInfo {
	own := &connect.CallInfo{
		Spec: info.Spec, PeerAddr: info.PeerAddr, Protocol: info.Protocol, Codec: info.Codec,
		RequestEncoding: info.RequestEncoding, ResponseEncoding: info.ResponseEncoding,
		SendStats: info.SendStats, ReceiveStats: info.ReceiveStats, TransportInfo: info.TransportInfo,
	}
	copyHeader(own.RequestHeader(), info.RequestHeader())
	return &ownInfo{
		info:    own,
		header:  newOwnHeader(own.ResponseHeader(), info.ResponseHeader()),
		trailer: newOwnHeader(own.ResponseTrailer(), info.ResponseTrailer()),
	}
}

// An ownHeader is a copy of a header for the handler to change, with the state before any change.
type ownHeader struct{ own, before *connect.Header }

func newOwnHeader(own, header *connect.Header) ownHeader {
	before := new(connect.Header)
	copyHeader(own, header)
	copyHeader(before, header)
	return ownHeader{own, before}
}

func copyHeader(into, header *connect.Header) {
	for name, values := range header.All() {
		into.SetValues(name, slices.Clone(values))
	}
}

// release makes the handler's changes in the original. Others may have added fields to it meanwhile.
func (h ownHeader) release(into *connect.Header) {
	for name := range h.before.All() {
		if !h.own.Has(name) {
			into.Delete(name)
		}
	}
	for name, values := range h.own.All() {
		if !h.before.Has(name) || !slices.Equal(values, h.before.Values(name)) {
			into.SetValues(name, slices.Clone(values))
		}
	}
}
