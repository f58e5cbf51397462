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

// logPanic logs the stack of a recovered panic, without arguments. Of the value logPanic logs the type,
// since the value of a handler may hold a secret, and the text only if the runtime wrote the text.
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

// raise raises the panic of a streaming handler again, where net/http, interceptors that recover
// and other guards expect the panic. The stack of the panic has been logged.
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

// runtimeError returns the error with which the runtime has panicked: the text of the error names types
// and numbers. A type outside of the runtime that implements [runtime.Error] may hold anything.
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

// panicked does not repeat what the panic says, which may be a secret, unless the
// runtime says it.
func panicked(who string, p any) *Denial {
	const remedy = "its stack is in the log of slog.Default: the server must repair it"
	if err, ok := runtimeError(p); ok {
		return failed(fmt.Errorf("panic in the %s: %w: %s", who, err, remedy))
	}
	return failed(fmt.Errorf("panic in the %s with a %T: %s", who, p, remedy))
}
