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
	"strings"
	"sync"
	"time"
)

// A floodPlan tells the clients of a flood what to do.
type floodPlan struct {
	URL      string
	Good     []string      // a token for each good caller
	New      []string      // tokens of a newcomer, for one call each
	Every    time.Duration // between two calls of the newcomer
	Forged   string        // a forged token without its signature
	Forgers  int
	Body     []byte
	Duration time.Duration
}

// A floodResult holds the calls that began during a flood.
type floodResult struct{ Good, New, Forged floodCalls }

// floodCalls are the calls of one kind of callers.
type floodCalls struct {
	Took    []time.Duration // of calls that were let in
	Refused int
	Refusal string // the last one
}

func (c floodCalls) percentile(part float64) float64 {
	return quantile(c.Took, part, func(took time.Duration) float64 { return float64(took) })
}

// runInChild runs the clients in a child process, with a garbage collector and a scheduler of their own.
func (p floodPlan) runInChild(ctx context.Context) (result floodResult, err error) {
	program, err := os.Executable()
	if err != nil {
		return result, err
	}
	input, err := json.Marshal(p)
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

// run makes one call with each good token, so that the server has them cached, and starts all callers.
// Calls count when the flood is under way. The flood lasts until its time is over and one call of each
// caller has counted.
func (p floodPlan) run(ctx context.Context) (result floodResult, err error) {
	var all []*floodCaller
	for _, raw := range p.Good {
		c := p.caller(&result.Good, func() string { return raw })
		if refusal, err := c.call(ctx, raw); err != nil || refusal != "" {
			return result, errors.Join(fmt.Errorf("a good call before the flood: %s", refusal), err)
		}
		all = append(all, c)
	}
	ticker := time.NewTicker(p.Every)
	defer ticker.Stop()
	left := p.New
	all = append(all, p.caller(&result.New, func() string {
		<-ticker.C
		raw := left[0]
		left = left[1:]
		return raw
	}))
	for range p.Forgers {
		all = append(all, p.caller(&result.Forged, p.forge))
	}
	begin := time.Now().Add(p.Duration / 10)
	errs := make([]error, len(all))
	var mu sync.Mutex
	var callers sync.WaitGroup
	for n, c := range all {
		callers.Go(func() { errs[n] = c.keepCalling(ctx, &mu, begin, begin.Add(p.Duration)) })
	}
	callers.Wait()
	if len(result.Forged.Took) > 0 {
		errs = append(errs, errAccepted)
	}
	return result, errors.Join(errs...)
}

// forge makes a token with a random signature. The first and the middle bit of the signature are zero:
// R and S are below the order of the curve, so the server must compute.
func (p floodPlan) forge() string {
	signature := make([]byte, 96)
	_, _ = rand.Read(signature) // never fails
	signature[0], signature[48] = signature[0]&0x7f, signature[48]&0x7f
	return p.Forged + base64.RawURLEncoding.EncodeToString(signature)
}

// A floodCaller has a connection of its own.
type floodCaller struct {
	plan   floodPlan
	client *http.Client
	calls  *floodCalls   // of all callers of its kind
	next   func() string // the token of the next call
}

func (p floodPlan) caller(calls *floodCalls, next func() string) *floodCaller {
	return &floodCaller{plan: p, client: newClient(), calls: calls, next: next}
}

func (c *floodCaller) keepCalling(ctx context.Context, mu *sync.Mutex, begin, end time.Time) error {
	defer c.client.CloseIdleConnections()
	for counted := false; !counted || time.Now().Before(end); {
		raw := c.next()
		start := time.Now()
		refusal, err := c.call(ctx, raw)
		if err != nil {
			return err
		}
		if start.Before(begin) {
			continue
		}
		counted = true
		mu.Lock()
		if refusal == "" {
			c.calls.Took = append(c.calls.Took, time.Since(start))
		} else {
			c.calls.Refused++
			c.calls.Refusal = refusal
		}
		mu.Unlock()
	}
	return nil
}

// call returns the body of the refusal, or nothing. It does not use a client of connect-go, which
// would take as much processor time as the server.
func (c *floodCaller) call(ctx context.Context, raw string) (refusal string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.plan.URL, bytes.NewReader(c.plan.Body))
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
	refusal = fmt.Sprintf("status %d: %s", response.StatusCode, body)
	if !strings.Contains(refusal, `"reason":`) {
		return "", errors.New("not an answer of the guard: " + refusal)
	}
	return refusal, nil
}
