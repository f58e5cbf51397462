package interceptor

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// WithLogger logs refused calls, with the procedure, the reason, the cause, the subject and the client of the
// verified token, its organization, the organization that the request names, the missing scopes, and the address of
// the client. The logger gets the context of the call, from which its handler may take attributes.
//
// A reason has at most one line in a second. The attribute "count" is the number of calls that the line stands for:
// the call of the line, and the calls since the line before. Who must know of every call uses [WithObserver].
//
// A nil logger logs procedure, reason, cause and count to [log/slog.Default], and nothing of any claims, unless
// another WithLogger gives a logger. Without WithLogger and WithObserver, the default is the nil logger. To log
// nothing, give a logger with [log/slog.DiscardHandler].
func WithLogger(logger *slog.Logger) Option {
	return func(o *options) {
		if o.log == nil || logger != nil {
			o.log = &refusalLog{logger: logger}
		}
	}
}

// linePause is how long a reason has no further line.
const linePause = time.Second

// A refusalLog logs refused calls.
type refusalLog struct {
	logger *slog.Logger // nil: the default log, without claims

	mu    sync.Mutex
	lines map[lineKind]*lineState
}

type lineKind struct {
	reason Reason
	shadow Shadow
}

type lineState struct {
	next  time.Time // before which there is no further line
	count int       // of calls since the last line
}

// refused logs the event of a refused call. A logger must not end the call, so refused drops its panics.
func (l *refusalLog) refused(ctx context.Context, event Event) {
	if l == nil {
		return
	}
	defer func() { _ = recover() }()
	count := l.due(lineKind{event.Denial.Reason(), event.Shadow}, time.Now())
	if count == 0 {
		return
	}
	attributes := []slog.Attr{
		slog.String("procedure", event.Procedure),
		slog.String("reason", string(event.Denial.Reason())),
		slog.String("cause", causeText(event.Denial)),
		slog.Int("count", count),
	}
	if event.Shadow != "" {
		attributes = append(attributes, slog.String("shadow", string(event.Shadow)))
	}
	logger := slog.Default()
	if l.logger != nil {
		logger, attributes = l.logger, append(attributes, details(event)...)
	}
	logger.LogAttrs(ctx, levelOf(event), messageOf(event.Outcome(), event.Shadow), attributes...)
}

// due returns for how many calls a line stands, or 0 if it is too early for a line.
func (l *refusalLog) due(kind lineKind, now time.Time) (count int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	state := l.lines[kind]
	if state == nil {
		if l.lines == nil {
			l.lines = map[lineKind]*lineState{}
		}
		state = new(lineState)
		l.lines[kind] = state
	}
	state.count++
	if now.Before(state.next) {
		return 0
	}
	count, state.count, state.next = state.count, 0, now.Add(linePause)
	return count
}

func causeText(denial *Denial) string {
	if cause := denial.Unwrap(); cause != nil {
		return cause.Error()
	}
	return denial.Error()
}

// details are what a logger of the user's is told beside the default log.
func details(event Event) []slog.Attr {
	attributes := []slog.Attr{slog.String("peer", event.Peer), slog.String("protocol", event.Protocol)}
	add := func(name, value string) {
		if value != "" {
			attributes = append(attributes, slog.String(name, value))
		}
	}
	add("organization", event.Organization)
	if event.Claims == nil {
		return attributes
	}
	add("issuer", event.Claims.Issuer())
	add("subject", event.Claims.Subject())
	add("client", event.Claims.ClientID())
	add("token_organization", event.Claims.OrganizationID())
	if missing, ok := errors.AsType[*missingScopes](event.Denial.Unwrap()); ok {
		attributes = append(attributes, slog.Any("missing_scopes", slices.Concat(missing.all, missing.any)))
	}
	return attributes
}

// levelOf returns the level of a line: an error is a fault of the server.
func levelOf(event Event) slog.Level {
	if event.Denial.Code() == connect.CodeInternal {
		return slog.LevelError
	}
	return slog.LevelWarn
}

func messageOf(outcome Outcome, shadow Shadow) string {
	switch {
	case shadow == "":
		return "protoauthz: refused"
	case outcome == OutcomeNotJudged:
		return "protoauthz: not judged, in shadow: the token could not be verified in time"
	case shadow == ShadowTable:
		return "protoauthz: the table of WithShadow would have refused"
	default:
		return "protoauthz: not enforced, would have been refused"
	}
}

// logNotEnforced says once, at start, what the guard does not enforce.
func (g *Guard) logNotEnforced(table *policy.Table) {
	defer func() { _ = recover() }()
	logger := slog.Default()
	if g.log != nil && g.log.logger != nil {
		logger = g.log.logger
	}
	services := map[bool][]string{} // by whether they are open
	for _, rule := range table.Rules() {
		service, _, _ := strings.Cut(rule.Procedure[1:], "/")
		if open := !rule.Shadow; !rule.Enforced() && !slices.Contains(services[open], service) {
			services[open] = append(services[open], service)
		}
	}
	if len(services[false]) > 0 {
		logger.Warn("protoauthz: the rules of services are not enforced: policy.WithShadow names the services", "services", services[false])
	}
	if len(services[true]) > 0 {
		logger.Warn("protoauthz: everybody may call the methods without annotation of services: policy.WithUnannotatedOpen names the services", "services", services[true])
	}
	if g.shadow != nil {
		logger.Info("protoauthz: a second table is judged and not enforced: see interceptor.WithShadow")
	}
}
