package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"time"
)

// A floodPlan tells the clients of a flood what to do.
type floodPlan struct {
	URL      string
	Good     []string      // a token for each good caller
	New      []string      // tokens that come once each
	Every    time.Duration // how often one of them does
	Forged   string        // all of a forged token but its signature
	Forgers  int
	Body     []byte
	Duration time.Duration
}

// A floodResult is what the clients saw.
type floodResult struct {
	Accepted, Refused int           // calls of good callers
	Refusal           string        // the last one
	P50, P99          time.Duration // of good calls
	NewP50, NewP99    time.Duration // of the first call with a token
	NewRefused        int
	Reasons           map[string]int // of refused forged calls
}

func (r floodResult) forged() (n int) {
	for _, times := range r.Reasons {
		n += times
	}
	return n
}

// floodProcess runs the clients in a child process, so that they have a garbage collector
// and a scheduler of their own.
func floodProcess(ctx context.Context, plan floodPlan) (result floodResult, err error) {
	program, err := os.Executable()
	if err != nil {
		return result, err
	}
	input, err := json.Marshal(plan)
	if err != nil {
		return result, err
	}
	child := exec.CommandContext(ctx, program, "-flood-client") //nolint:gosec // ourselves
	child.Stdin, child.Stderr = bytes.NewReader(input), os.Stderr
	output, err := child.Output()
	if err != nil {
		return result, fmt.Errorf("the clients: %w", err)
	}
	return result, json.Unmarshal(output, &result)
}

// serveFloodPlan is the child process.
func serveFloodPlan(ctx context.Context, in io.Reader, out io.Writer) error {
	var plan floodPlan
	if err := json.NewDecoder(in).Decode(&plan); err != nil {
		return err
	}
	result, err := plan.run(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(result)
}

// A floodTally counts what several clients see.
type floodTally struct {
	mu            sync.Mutex
	result        floodResult
	took, newTook []time.Duration
}

func (t *floodTally) forged(reason string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.result.Reasons[reason]++
}

func (t *floodTally) good(reason string, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if reason != "" {
		t.result.Refused++
		t.result.Refusal = reason
		return
	}
	t.result.Accepted++
	t.took = append(t.took, took)
}

func (t *floodTally) newcomer(reason string, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if reason != "" {
		t.result.NewRefused++
		return
	}
	t.newTook = append(t.newTook, took)
}

func (t *floodTally) sum() floodResult {
	elapsed := func(d time.Duration) float64 { return float64(d) }
	part := func(took []time.Duration, part float64) time.Duration {
		if len(took) == 0 {
			return 0
		}
		return time.Duration(quantile(took, part, elapsed))
	}
	r := t.result
	r.P50, r.P99 = part(t.took, 0.50), part(t.took, 0.99)
	r.NewP50, r.NewP99 = part(t.newTook, 0.50), part(t.newTook, 0.99)
	return r
}

// run lets all good callers make a call, so that their tokens are cached, begins the
// flood, and counts once it is under way. The flood lasts for the plan's duration, and until each
// good caller and a newcomer were answered.
func (p floodPlan) run(ctx context.Context) (floodResult, error) {
	callers := make([]*floodCaller, 0, len(p.Good))
	for _, raw := range p.Good {
		c := p.caller()
		if reason, err := c.call(ctx, raw); err != nil || reason != "" {
			return floodResult{}, errors.Join(fmt.Errorf("a good call before the flood: %q", reason), err)
		}
		callers = append(callers, c)
	}
	begin := time.Now().Add(p.Duration / 10)
	end := begin.Add(p.Duration)
	over := make(chan struct{})
	t := &floodTally{result: floodResult{Reasons: map[string]int{}}}
	errs := make(chan error, p.Forgers+len(callers)+1)
	var all sync.WaitGroup
	for range p.Forgers {
		all.Go(func() { errs <- p.forge(ctx, begin, over, t.forged) })
	}
	for n, c := range callers {
		all.Go(func() { errs <- c.keepCalling(ctx, begin, over, p.Good[n], t.good) })
	}
	all.Go(func() {
		defer close(over)
		errs <- p.arrive(ctx, begin, end, t.newcomer)
		<-time.After(time.Until(end))
	})
	all.Wait()
	close(errs)
	var err error
	for each := range errs {
		err = errors.Join(err, each)
	}
	if err == nil && len(t.took) == 0 {
		err = errors.New("no good call was answered")
	}
	return t.sum(), err
}

// arrive makes calls with tokens that the server has not seen before, once the flood is under way.
func (p floodPlan) arrive(ctx context.Context, begin, end time.Time, answered func(string, time.Duration)) error {
	c := p.caller()
	defer c.client.CloseIdleConnections()
	<-time.After(time.Until(begin))
	ticker := time.NewTicker(p.Every)
	defer ticker.Stop()
	for n, raw := range p.New {
		<-ticker.C
		start := time.Now()
		if n > 0 && !start.Before(end) {
			break
		}
		reason, err := c.call(ctx, raw)
		if err != nil {
			return err
		}
		answered(reason, time.Since(start))
	}
	return nil
}

// forge sends tokens with random signatures. Their first and middle bits are zero, so that
// R and S are below the curve's order and have to be looked at.
func (p floodPlan) forge(ctx context.Context, begin time.Time, over <-chan struct{}, answered func(reason string)) error {
	c := p.caller()
	defer c.client.CloseIdleConnections()
	signature := make([]byte, 96) // of ES384
	for !ended(over) {
		_, _ = rand.Read(signature) // never fails
		signature[0], signature[48] = signature[0]&0x7f, signature[48]&0x7f
		reason, err := c.call(ctx, p.Forged+base64.RawURLEncoding.EncodeToString(signature))
		switch {
		case err != nil:
			return err
		case reason == "":
			return errAccepted
		case time.Now().After(begin):
			answered(reason)
		}
	}
	return nil
}

func ended(over <-chan struct{}) bool {
	select {
	case <-over:
		return true
	default:
		return false
	}
}

// A floodCaller has a connection of its own.
type floodCaller struct {
	client *http.Client
	url    string
	body   []byte
}

func (p floodPlan) caller() *floodCaller {
	return &floodCaller{client: newClient(), url: p.URL, body: p.Body}
}

func (c *floodCaller) keepCalling(ctx context.Context, begin time.Time, over <-chan struct{}, raw string, answered func(string, time.Duration)) error {
	defer c.client.CloseIdleConnections()
	for counted := false; !counted || !ended(over); {
		start := time.Now()
		reason, err := c.call(ctx, raw)
		if err != nil {
			return err
		}
		if counted = start.After(begin) || counted; counted {
			answered(reason, time.Since(start))
		}
	}
	return nil
}

// call returns the reason of the refusal, or nothing. It is no connect client: that would
// take as much time as the server, which has to share the processors with it.
func (c *floodCaller) call(ctx context.Context, raw string) (reason string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(c.body))
	if err != nil {
		return "", err
	}
	request.Header["Content-Type"] = []string{"application/proto"}
	request.Header["Authorization"] = []string{"Bearer " + raw}
	response, err := c.client.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode == http.StatusOK {
		return "", err
	}
	var refusal struct {
		Code    string
		Details []struct{ Debug struct{ Reason string } }
	}
	if err := json.Unmarshal(body, &refusal); err != nil {
		return "", fmt.Errorf("status %d: %w", response.StatusCode, err)
	}
	if len(refusal.Details) == 0 {
		return "", fmt.Errorf("status %d without a reason: %s", response.StatusCode, refusal.Code)
	}
	return refusal.Details[0].Debug.Reason, nil
}
