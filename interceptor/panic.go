package interceptor

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"runtime"
	"strings"
)

// logPanic logs the stack of a recovered panic, without arguments, and the type of its value. The value
// of a handler may hold a secret, so logPanic logs its text only if the runtime has made the value.
func logPanic(ctx context.Context, who, procedure string, value any) {
	stack, again := panicStack()
	if again || value == http.ErrAbortHandler { //nolint:errorlint // so does net/http
		return
	}
	defer func() { _ = recover() }() // a logger must not end the process
	what := fmt.Sprintf("%T", value)
	if err, ok := runtimeError(value); ok {
		what += ": " + err.Error()
	}
	slog.LogAttrs(ctx, slog.LevelError, "protoauthz: "+who+" panicked",
		slog.String("procedure", procedure), slog.String("panic", what), slog.String("stack", stack))
}

// raise raises the panic of a streaming handler again, on the goroutine where net/http, interceptors that
// recover and other guards expect the panic. The stack of the panic was logged before.
func raise(value any) { panic(value) }

// panicStack returns the stack of the panic that is being recovered, in the layout of
// [runtime/debug.Stack], and whether raise stands in it.
func panicStack() (stack string, again bool) {
	callers := make([]uintptr, 256)
	frames := runtime.CallersFrames(callers[:runtime.Callers(4, callers)]) // from the panic on
	var text strings.Builder
	for more := true; more; {
		var frame runtime.Frame
		frame, more = frames.Next()
		again = again || frame.Function == "github.com/protoauthz/protoauthz/interceptor.raise"
		_, _ = fmt.Fprintf(&text, "%s(...)\n\t%s:%d\n", frame.Function, frame.File, frame.Line)
	}
	return text.String(), again
}

// runtimeError returns the error with which the runtime has panicked. The text of such an error holds
// types and numbers alone. A type of another package that implements [runtime.Error] may hold anything.
func runtimeError(value any) (runtime.Error, bool) {
	err, ok := value.(runtime.Error)
	if !ok {
		return nil, false
	}
	kind := reflect.TypeOf(err)
	if kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	return err, kind.PkgPath() == "runtime"
}

// panicked refuses a call in which a verifier or an observer has panicked. The cause holds the text of
// the panic, which may be a secret, only if the runtime has made its value.
func panicked(who string, p any) *Denial {
	const remedy = "its stack is in the log of slog.Default: the server must repair it"
	if err, ok := runtimeError(p); ok {
		return failed(fmt.Errorf("panic in the %s: %w: %s", who, err, remedy))
	}
	return failed(fmt.Errorf("panic in the %s with a %T: %s", who, p, remedy))
}
