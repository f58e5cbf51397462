package probe

import (
	"log/slog"
	"time"
)

// linePause is the time between two lines of the log.
const linePause = time.Second

// tell logs a change. The log decides nothing, so tell drops its panics.
func (p *probe) tell(err error) {
	defer func() { _ = recover() }()
	text := ""
	if err != nil {
		text = err.Error()
	}
	if !p.changed(text, time.Now()) {
		return
	}
	if err != nil {
		slog.Warn("protoauthz: the server is not ready", "cause", text)
	} else {
		slog.Info("protoauthz: the server is ready again")
	}
}

// changed reports whether the log should tell a text now.
func (p *probe) changed(text string, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if text == p.told || now.Sub(p.toldAt) < linePause {
		return false
	}
	p.told, p.toldAt = text, now
	return true
}
