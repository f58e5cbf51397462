package interceptor

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"connectrpc.com/connect"
)

// shadowJudge judges the message of a unary call by the rules that are not enforced.
func (c *Call) shadowJudge(ctx context.Context, message any, anyway bool, peer connect.Peer) {
	for _, kind := range shadowKinds {
		rule := c.shadowRule(kind)
		if rule == nil || !rule.judges() && !c.rule.Public {
			continue // the header has decided, and the enforced rule has looked at the clock
		}
		if judgement, ok := c.newShadowJudgement(kind, c.rule.Public); ok {
			judgement.received(ctx, message, nil, anyway, peer)
		}
	}
}

// A shadowJudgement judges the messages of a call by a rule that is not enforced, as a [Stream] does by the enforced
// rule.
type shadowJudgement struct {
	call         *Call
	kind         Shadow
	rule         *guardRule
	organization string
	left         waySet
	expires      bool
	released     bool // a message has named what the rule asks for, or no message has to
	refused      bool
}

// newShadowJudgement reports false if the call has no such rule, or if the header has decided.
func (c *Call) newShadowJudgement(kind Shadow, expires bool) (j shadowJudgement, ok bool) {
	rule := c.shadowRule(kind)
	if rule == nil || c.claims == nil { // decide refuses by any other rule that judges no token
		return j, false
	}
	// The claims and the header are the same as before, and so is the decision.
	organization, left, denial := rule.admit(c.claims, c.request)
	return shadowJudgement{call: c, kind: kind, rule: rule, organization: organization, left: left, expires: expires, released: left&rule.free != 0}, denial == nil
}

// received judges a message that has come, given the error of Receive.
func (j *shadowJudgement) received(ctx context.Context, message any, err error, anyway bool, peer connect.Peer) {
	defer recoverShadow(ctx, j.rule.Procedure)
	switch {
	case j.refused:
	case err == nil && j.outdated():
		j.refuse(ctx, denyExpired(), !j.call.rule.Public, peer)
	case !j.rule.judges():
	case errors.Is(err, io.EOF) && !j.released:
		j.refuse(ctx, j.rule.unproved(j.left, endedFirst), anyway, peer)
	case err != nil:
	default:
		left, denial := j.rule.judge(j.left, j.organization, j.call.claims, message)
		if denial != nil {
			j.refuse(ctx, denial, anyway, peer)
			return
		}
		if j.left = left; !j.released {
			j.released = true
			j.call.shadowObserve(ctx, j.kind, j.rule, left, nil, false, peer)
		}
	}
}

// sending judges a message that the handler sends.
func (j *shadowJudgement) sending(ctx context.Context, peer connect.Peer) {
	switch {
	case j.refused:
	case j.outdated():
		j.refuse(ctx, denyExpired(), !j.call.rule.Public, peer)
	case !j.released:
		j.refuse(ctx, j.rule.unproved(j.left, sentFirst), false, peer)
	}
}

// returned judges the end of a stream, given the error of the handler.
func (j *shadowJudgement) returned(ctx context.Context, err error, peer connect.Peer) {
	switch {
	case j.refused:
	case j.outdated():
		j.refuse(ctx, denyExpired(), !j.call.rule.Public, peer)
	case err == nil && !j.released:
		j.refuse(ctx, j.rule.unproved(j.left, returnedFirst), false, peer)
	}
}

// outdated reports whether the token has expired. Claims that end before their token are not verified again.
func (j *shadowJudgement) outdated() bool {
	end := j.call.claims.Deadline()
	if endsEarly(j.call.claims) {
		end = j.call.claims.Expiry()
	}
	return j.expires && !end.IsZero() && !time.Now().Before(end)
}

func (j *shadowJudgement) refuse(ctx context.Context, denial *Denial, anyway bool, peer connect.Peer) {
	j.refused = true
	j.call.shadowObserve(ctx, j.kind, j.rule, j.left, denial, anyway, peer)
}

// shadowMessages judges the messages of a stream by the rules that are not enforced. A handler may send and receive
// at once.
type shadowMessages struct {
	mu         sync.Mutex
	judgements []shadowJudgement
}

// newShadowMessages returns nil if the header has decided.
func (c *Call) newShadowMessages(expires bool) *shadowMessages {
	if !c.shadowed() {
		return nil
	}
	m := new(shadowMessages)
	for _, kind := range shadowKinds {
		if judgement, ok := c.newShadowJudgement(kind, expires); ok {
			m.judgements = append(m.judgements, judgement)
		}
	}
	if m.judgements == nil {
		return nil
	}
	return m
}

func (m *shadowMessages) each(judge func(*shadowJudgement)) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for n := range m.judgements {
		judge(&m.judgements[n])
	}
}

// shadowReceived judges a message that has come by the rules that are not enforced.
func (s *Stream) shadowReceived(message any, err error) {
	if s.shadows == nil {
		return
	}
	awaited := s.call.AwaitsMessage()
	anyway := s.denial.Load() != nil || awaited && (errors.Is(err, io.EOF) && !s.released.Load() || err == nil && s.call.forbids(message))
	s.shadows.each(func(j *shadowJudgement) { j.received(s.ctx, message, err, anyway, s.peer) })
}
