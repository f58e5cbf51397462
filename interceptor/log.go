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

	"github.com/protoauthz/protoauthz/interceptor/internal/help"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// WithLogger logs refused calls, and calls that a rule in shadow would have refused, as warnings. What the server must
// repair ("internal") is an error. The attributes are
//
//   - procedure, reason, cause and count, and shadow if the call goes on;
//   - way: the number of the way that the reason is of, if the rule has alternatives (see [Event.Ways]);
//   - peer and protocol: the address of the client, and how it has called;
//   - organization: the organization that the request names;
//   - issuer, subject, client (its id) and token_organization, of a verified token, escaped and cut off as
//     [Event.Organization] is;
//   - missing_scopes, which the token lacks, and missing_any_scopes, of which one would be enough;
//   - help: the URL of the documentation about the reason.
//
// The logger gets the context of the call, from which its handler may take attributes. The call waits for the logger,
// and panics of the logger are dropped. [New] logs what the guard does not enforce, and whether no token can meet a rule.
//
// A reason has at most one line in a second. Its count is the number of calls that the line stands for: the call of the
// line, and the calls since the line before. other_procedures are procedures of these calls, ten at most. To learn of
// every call, use [WithObserver].
//
// To log nothing, give a logger with [log/slog.DiscardHandler]. Given twice, the last logger counts. WithLogger
// panics if the logger is nil. The default is [WithDefaultLog], and no log beside an observer.
func WithLogger(logger *slog.Logger) Option {
	if logger == nil {
		panic("interceptor: WithLogger needs a logger: for slog.Default use WithDefaultLog")
	}
	return func(o *options) { o.log = &refusalLog{logger: logger} }
}

// WithDefaultLog logs procedure, reason, way, cause, count, other_procedures, shadow and help to [log/slog.Default], also
// beside an observer, and nothing of any claims. [WithLogger] takes the place of the default log.
func WithDefaultLog() Option {
	return func(o *options) {
		if o.log == nil {
			o.log = new(refusalLog)
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
	next       time.Time // of the next line, at the earliest
	count      int       // of calls since the last line
	procedures []string  // of these calls, each once
}

// maxProcedures is how many other procedures a line names.
const maxProcedures = 10

// refused logs the event of a refused call. A logger must not end the call, so refused drops its panics.
func (l *refusalLog) refused(ctx context.Context, event Event) {
	if l == nil {
		return
	}
	defer func() { _ = recover() }()
	count, others := l.due(lineKind{event.Denial.Reason(), event.Shadow}, event.Procedure, time.Now())
	if count == 0 {
		return
	}
	attributes := []slog.Attr{
		slog.String("procedure", event.Procedure),
		slog.String("reason", string(event.Denial.Reason())),
	}
	if len(event.Ways) > 0 {
		attributes = append(attributes, slog.Int("way", event.Ways[0]))
	}
	attributes = append(attributes, slog.String("cause", event.Denial.Unwrap().Error()), slog.Int("count", count))
	if len(others) > 0 {
		attributes = append(attributes, slog.Any("other_procedures", others))
	}
	if event.Shadow != "" {
		attributes = append(attributes, slog.String("shadow", string(event.Shadow)))
	}
	logger := slog.Default()
	if l.logger != nil {
		logger, attributes = l.logger, append(attributes, details(event)...)
	}
	attributes = append(attributes, help.Attr(strings.ToLower(string(event.Denial.Reason()))))
	logger.LogAttrs(ctx, levelOf(event), messageOf(event), attributes...)
}

// due returns for how many calls a line stands, and their other procedures. It returns 0 if it is too early for a line.
func (l *refusalLog) due(kind lineKind, procedure string, now time.Time) (count int, others []string) {
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
		if len(state.procedures) < maxProcedures && !slices.Contains(state.procedures, procedure) {
			state.procedures = append(state.procedures, procedure)
		}
		return 0, nil
	}
	others = slices.DeleteFunc(state.procedures, func(other string) bool { return other == procedure })
	count, *state = state.count, lineState{next: now.Add(linePause)}
	return count, others
}

// details are what a logger of the user's is told beside the default log.
func details(event Event) []slog.Attr {
	attributes := []slog.Attr{slog.String("peer", printable(event.Peer)), slog.String("protocol", event.Protocol)}
	add := func(name, value string) {
		if value != "" {
			attributes = append(attributes, slog.String(name, printable(value)))
		}
	}
	if event.Organization != "" { // which is printable
		attributes = append(attributes, slog.String("organization", event.Organization))
	}
	add("issuer", event.Claims.Issuer())
	add("subject", event.Claims.Subject())
	add("client", event.Claims.ClientID())
	add("token_organization", event.Claims.OrganizationID())
	if missing, ok := errors.AsType[*missingScopes](event.Denial.Unwrap()); ok {
		all, anyOf := missing.find()
		if len(all) > 0 {
			attributes = append(attributes, slog.Any("missing_scopes", all))
		}
		if len(anyOf) > 0 {
			attributes = append(attributes, slog.Any("missing_any_scopes", anyOf))
		}
	}
	return attributes
}

// levelOf returns the level of a line: with an error, the server must be repaired.
func levelOf(event Event) slog.Level {
	if event.Denial.Code() == connect.CodeInternal {
		return slog.LevelError
	}
	return slog.LevelWarn
}

func messageOf(event Event) string {
	switch {
	case event.Shadow == "":
		return "protoauthz: refused"
	case event.Outcome() == OutcomeNotJudged:
		return "protoauthz: not judged"
	default:
		return "protoauthz: would have been refused"
	}
}

// logAtStart logs what a guard says at start. A logger that panics does not stop the program.
func (g *Guard) logAtStart(level slog.Level, message string, attributes ...any) {
	defer func() { _ = recover() }()
	logger := slog.Default()
	if g.log != nil && g.log.logger != nil {
		logger = g.log.logger
	}
	logger.Log(context.Background(), level, message, attributes...)
}

// logNotEnforced says once, at start, what the guard does not enforce.
func (g *Guard) logNotEnforced(table *policy.Table) {
	services := map[bool][]string{} // by whether they are open
	for _, rule := range table.Rules() {
		service, _, _ := strings.Cut(rule.Procedure[1:], "/")
		if open := !rule.Shadow; !rule.Enforced() && !slices.Contains(services[open], service) {
			services[open] = append(services[open], service)
		}
	}
	if len(services[false]) > 0 {
		g.logAtStart(slog.LevelWarn, "protoauthz: not enforced: policy.WithShadow, or shadow in authz.json, lets in every call of these services", "services", services[false], help.Attr(help.EveryCallLetIn))
	}
	if len(services[true]) > 0 {
		g.logAtStart(slog.LevelWarn, "protoauthz: not enforced: policy.WithUnannotatedOpen, or unannotatedOpen in authz.json, lets everybody call the methods without annotation of these services", "services", services[true], help.Attr(help.EveryCallLetIn))
	}
	if g.shadowTable != nil {
		g.logAtStart(slog.LevelInfo, "protoauthz: not enforced: interceptor.WithShadow judges by a second table beside the first", help.Attr(help.EveryCallLetIn))
	}
}
