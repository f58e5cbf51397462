package harness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A Framework serves and calls streams in memory with the framework of an adapter.
type Framework struct {
	// Serve serves a handler of all services and methods until the test is over. Calls pass the wire, then the
	// guard, then the handler.
	Serve func(t testing.TB, guard *interceptor.Guard, wire *Wire, handler StreamHandler) StreamClient
	// Answer returns the answer in an error that a client or a handler gets. Nil is for errors that are denials or have
	// no code.
	Answer func(err error) Answer
	// Methods are the methods whose calls Call.Serve or Call.ServeUnary guards.
	Methods []catalogue.Method
	// SendsHeader is true if a handler can send its header alone.
	SendsHeader bool
	// AwaitsSend is true if a call that ends with its token waits for a Send that is under way.
	AwaitsSend bool
	// AdmitsFirst is true if the guard admits a call before the call passes the wire.
	AdmitsFirst bool
}

// A StreamHandler handles one call.
type StreamHandler func(ctx context.Context, stream ServerStream) error

// A ServerStream is a call as the handler sees it.
type ServerStream interface {
	Receive(message any) error
	Send(message any) error
	SendHeader() error // does nothing unless the framework sends headers alone
	SetHeader(name, value string)
	SetTrailer(name, value string)
}

// A StreamClient starts a call with a token. The header of the request is sent when it returns.
type StreamClient func(ctx context.Context, service string, method catalogue.Method) (ClientStream, error)

// A ClientStream is a call as the client sees it.
type ClientStream interface {
	Send(message any) error
	CloseSend() error
	Receive(message any) error
	// Values returns the values of a field in header and trailer, after Receive has returned an error.
	Values(name string) []string
	Close() error
}

// Fields that handlers of the suite set.
const (
	early, late, trailing, last = "x-early", "x-late", "x-trailing", "x-last"

	globex = "globex" // not the organization of the token
)

var (
	admitted      = []interceptor.Reason{""}
	mismatch      = []interceptor.Reason{interceptor.ReasonOrganizationMismatch}
	mismatchLater = []interceptor.Reason{"", interceptor.ReasonOrganizationMismatch}
	outlived      = []interceptor.Reason{"", interceptor.ReasonTokenExpired}

	errOwn  = errors.New("the handler's own")
	ownText = unknown(errOwn)
)

// unknown is the answer for an error without a code.
func unknown(err error) catalogue.Answer { return catalogue.Answer{Code: 2, Text: err.Error()} }

// A streamCase is one call with everything that must come of it.
type streamCase struct {
	name    string
	service string   // Field by default
	in      []string // the organizations that the client names
	open    bool     // the client does not end its stream
	unary   bool     // only as a unary call, which does not end with its token
	handler func(*serving) error
	// Reports whether the framework can make the call. Nil means always.
	needs    func(*Framework, catalogue.Method) bool
	lifetime time.Duration                         // of the token; an hour by default, with and without an end of streams
	verifier func(testing.TB) interceptor.Verifier // in place of a verifier whose tokens have the lifetime
	options  []interceptor.Option
	wire     Wire
	observe  func(*serving, interceptor.Event) // or nil

	want     catalogue.Answer
	err      error // the error of the guard, if the call is not refused
	panicked string
	events   []interceptor.Reason
	texts    []string
	sees     string // the fields that the client sees
	took     time.Duration
}

// fits reports whether the call can be made with a method.
func (c *streamCase) fits(framework *Framework, method catalogue.Method) bool {
	answers := 0
	if c.want == (catalogue.Answer{}) {
		answers = 1
	}
	switch unary := method == catalogue.Unary; {
	case unary && !c.unary && c.lifetime > 0, !unary && c.unary:
		return false
	case !method.ClientStreams && len(c.in) != 1, !method.ServerStreams && len(c.texts) != answers:
		return false
	}
	return c.needs == nil || c.needs(framework, method)
}

func streamCases() []streamCase {
	return slices.Concat(judgeCases(), releaseCases(), expiryCases(), renewalCases(), sendCases(), panicCases(), waysCases())
}

// Streams makes sure that an adapter guards streams. The client sees no message, header or trailer before a message
// has named the organization. A refusal is final. A stream does not outlive its token. All this holds whatever the
// handler does.
func Streams(t *testing.T, framework Framework) {
	t.Helper()
	_ = Rules(t) // outside of the bubbles
	if framework.Answer == nil {
		framework.Answer = plainAnswer
	}
	for n, c := range streamCases() {
		ends := map[string][]interceptor.Option{"": c.options}
		if c.lifetime == 0 {
			ends["without an end of streams, "] = []interceptor.Option{interceptor.WithoutStreamExpiry()}
		}
		for _, method := range framework.Methods {
			for end, options := range ends {
				if !c.fits(&framework, method) {
					continue
				}
				t.Run(method.Name+", "+end+c.name, func(t *testing.T) {
					t.Parallel()
					fresh := streamCases()[n] // a case has state
					synctest.Test(t, func(t *testing.T) { fresh.run(t, &framework, method, options) })
				})
			}
		}
	}
}

// run makes the call in a bubble.
func (c *streamCase) run(t *testing.T, framework *Framework, method catalogue.Method, options []interceptor.Option) {
	t.Helper()
	if c.service == "" {
		c.service = "Field"
	}
	if c.lifetime == 0 {
		c.lifetime = time.Hour
	}
	s := &serving{TB: t, framework: framework, method: method, wire: &c.wire}
	var observing sync.Mutex
	var events []interceptor.Reason
	observe := interceptor.WithObserver(func(_ context.Context, event interceptor.Event) {
		observing.Lock()
		events = append(events, reasonOf(event.Denial))
		observing.Unlock()
		if c.observe != nil {
			c.observe(s, event)
		}
	})
	c.wire.over = make(chan struct{})
	options = append(slices.Clone(options), observe)
	guard := Expiring(t, c.lifetime, options...)
	if c.verifier != nil {
		guard = interceptor.New(c.verifier(t), Rules(t), options...)
	}
	client := framework.Serve(t, guard, &c.wire,
		func(ctx context.Context, stream ServerStream) error {
			if caller := interceptor.ClaimsFromContext(ctx).Subject(); (caller == "a") == (c.service == "Public") {
				t.Errorf("the caller is %q", caller)
			}
			s.ServerStream, s.ctx = stream, ctx
			return c.handler(s)
		})
	start := time.Now() // the bubble's clock
	got := exchange(t, client, c.service, method, c.in, c.open)
	took := time.Since(start) // the bubble's clock
	<-c.wire.over
	c.want.Challenge = ""
	answer, want := framework.Answer(got.err), c.want
	if want.Reason == "" {
		answer.Text, want.Text = "", "" // some frameworks do not send the text of an ordinary error
	}
	if answer.Answer != want || answer.More != 0 {
		t.Errorf("the client gets\n     %+v\nwant %+v", answer, c.want)
	}
	if !slices.Equal(got.texts, c.texts) {
		t.Errorf("the client receives %q, want %q", got.texts, c.texts)
	}
	if got.sees != c.sees {
		t.Errorf("the client sees %q, want %q", got.sees, c.sees)
	}
	if took != c.took {
		t.Errorf("it took %v, want %v", took, c.took)
	}
	c.wire.check(t, framework, c)
	sleep(2 * time.Hour) // by then, the handler's goroutine must have ended
	synctest.Wait()
	if observing.Lock(); !slices.Equal(events, c.events) {
		t.Errorf("events %q, want %q", events, c.events)
	}
	observing.Unlock()
}

func plainAnswer(err error) (got Answer) {
	if denial, ok := errors.AsType[*interceptor.Denial](err); ok {
		got.Code, got.Text, got.More = int(denial.Code()), denial.Error(), 1
		got.Explain(denial.ErrorInfo())
	} else if err != nil {
		got.Answer = unknown(err)
	}
	return got
}

func reasonOf(denial *interceptor.Denial) interceptor.Reason {
	if denial == nil {
		return ""
	}
	return denial.Reason()
}

// check compares the error that the guard has returned.
func (w *Wire) check(t testing.TB, framework *Framework, c *streamCase) {
	t.Helper()
	denial, refused := errors.AsType[*interceptor.Denial](w.err)
	switch {
	case c.want.Reason != "":
		if !refused || string(denial.Reason()) != c.want.Reason {
			t.Errorf("the call ends with %v", w.err)
		}
	case c.panicked != "":
	case refused || c.err != nil && !errors.Is(w.err, c.err) || framework.Answer(w.err).Text != c.want.Text:
		t.Errorf("the call ends with %v, want %s", w.err, c.want.Text)
	}
	const expired = "token has expired since it was verified, while the call was under way: the client must call again with a new token"
	if reasonOf(denial) == interceptor.ReasonTokenExpired && c.lifetime > 0 && c.verifier == nil && (!errors.Is(w.err, token.ErrExpired) || denial.Unwrap().Error() != expired) {
		t.Errorf("the cause is %v", denial.Unwrap())
	}
	if got := fmt.Sprintf("%T %v", w.panicked, w.panicked); w.panicked != nil && got != c.panicked || (w.panicked == nil) != (c.panicked == "") {
		t.Errorf("it panics with %q, want %q", got, c.panicked)
	}
	if w.late {
		t.Error("a header that came too late is released")
	}
}
