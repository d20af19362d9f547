package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	influxdb "github.com/influxdata/influxdb-client-go/v2"
	"github.com/influxdata/influxdb-client-go/v2/api"
	influxhttp "github.com/influxdata/influxdb-client-go/v2/api/http"

	"github.com/voltage-edge/voltage/sdk"
)

const (
	// conflictRest is how long the samples of a point whose type the server does not take are refused without asking.
	conflictRest = 10 * time.Minute
	// conflictLimit bounds how many such points are remembered.
	conflictLimit = 10_000
	// longestWait bounds what a server may ask for by Retry-After.
	longestWait = 10 * time.Minute
)

// writer writes to one bucket. Nothing is retried here: the agent does that.
type writer struct {
	address, bucket, org string
	encoder              *encoder
	transport            *http.Transport
	client               influxdb.Client
	api                  api.WriteAPIBlocking

	notBefore time.Time // the server asked to be left alone until then
	conflicts map[series]conflict
}

type series struct{ device, point string }

type conflict struct {
	until  time.Time
	reason string
}

func newWriter(req sdk.SinkOpenRequest, address *url.URL) *writer {
	c := req.Config
	w := &writer{
		address: address.Redacted(), bucket: c.String("bucket"), org: c.String("org"),
		encoder: newEncoder(req.Site, c), transport: http.DefaultTransport.(*http.Transport).Clone(), conflicts: map[series]conflict{},
	}
	options := influxdb.DefaultOptions().SetUseGZip(c.Bool("gzip")).SetPrecision(time.Nanosecond).SetApplicationName("voltage")
	options.SetHTTPClient(&http.Client{Transport: w.transport, Timeout: c.Duration("timeout")})
	w.client = influxdb.NewClientWithOptions(strings.TrimSuffix(address.String(), "/"), c.String("token"), options)
	w.api = w.client.WriteAPIBlocking(w.org, w.bucket)
	return w
}

// Close frees the connections.
func (w *writer) Close() error {
	w.client.Close()
	w.transport.CloseIdleConnections()
	return nil
}

// Write writes a batch.
func (w *writer) Write(ctx context.Context, req sdk.SinkWriteRequest, resp *sdk.SinkWriteResponse) error {
	if wait := time.Until(w.notBefore); wait > 0 {
		return fmt.Errorf("InfluxDB at %s asked to wait, for another %v", w.address, wait.Round(time.Second))
	}
	b := batch{req}
	items := make([]int, 0, b.len())
	for i := range b.len() {
		if reason := w.refused(b.sample(i)); reason != "" {
			reject(resp, 1, reason)
		} else {
			items = append(items, i)
		}
	}
	return w.put(ctx, b, items, resp)
}

// refused says why a sample need not be sent, empty when it must be.
func (w *writer) refused(s *sdk.Sample) string {
	if s == nil {
		return ""
	}
	if y := s.Time.Year(); y < 1678 || y > 2261 {
		return fmt.Sprintf("%s.%s: the time %s is out of InfluxDB's range", s.Device, s.Point, s.Time.Format(time.RFC3339))
	}
	c, ok := w.conflicts[series{s.Device, s.Point}]
	if !ok || time.Now().After(c.until) {
		return ""
	}
	return c.reason
}

func reject(resp *sdk.SinkWriteResponse, n int, reason string) {
	resp.Rejected += n
	resp.Reason = reason
}

// put writes items. What the server refuses for good is divided until the bad ones are alone; the good ones are written
// more than once then, which leaves the same rows.
func (w *writer) put(ctx context.Context, b batch, items []int, resp *sdk.SinkWriteResponse) error {
	text, lines := w.encoder.encode(b, items)
	if lines == 0 {
		return nil
	}
	err := w.api.WriteRecord(ctx, text)
	if err == nil {
		return nil
	}
	reason, forGood := refusal(err)
	switch {
	case !forGood:
		return w.explain(err)
	case len(items) == 1 || droppedLines(reason) >= lines && !isConflict(reason):
		w.remember(b.sample(items[0]), reason)
		reject(resp, len(items), reason)
		return nil
	}
	half := len(items) / 2
	if err := w.put(ctx, b, items[:half], resp); err != nil {
		return err
	}
	return w.put(ctx, b, items[half:], resp)
}

// remember keeps a point whose type the server does not take.
func (w *writer) remember(s *sdk.Sample, reason string) {
	if s == nil || !isConflict(reason) {
		return
	}
	if len(w.conflicts) >= conflictLimit {
		clear(w.conflicts)
	}
	w.conflicts[series{s.Device, s.Point}] = conflict{until: time.Now().Add(conflictRest), reason: reason}
}

func isConflict(reason string) bool { return strings.Contains(reason, "field type conflict") }

// droppedLines is how many lines the server says that it left out, while it wrote the others; 0 when it does not say.
func droppedLines(reason string) int {
	_, after, ok := strings.Cut(reason, "dropped=")
	if !ok {
		return 0
	}
	digits := strings.IndexFunc(after, func(r rune) bool { return r < '0' || r > '9' })
	if digits < 0 {
		digits = len(after)
	}
	n, _ := strconv.Atoi(after[:digits])
	return n
}

// blames are what a server says when the fault is with the data, and not with the request, the account or the server.
// What it says otherwise is an error: nothing is thrown away for it.
var blames = []string{
	"unable to parse", "partial write", "field type conflict", "failure writing points", "points beyond", "invalid field",
	"line protocol", "line too long", "timestamp", "outside of time range",
}

// refusal tells whether the server refused what was sent for good, and why.
func refusal(err error) (reason string, forGood bool) {
	var e *influxhttp.Error
	if !errors.As(err, &e) {
		return "", false
	}
	switch e.StatusCode {
	case http.StatusRequestEntityTooLarge:
		return "too large", true
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		reason = strings.TrimSpace(e.Message)
		return reason, slices.ContainsFunc(blames, func(b string) bool { return strings.Contains(reason, b) })
	}
	return "", false
}

// explain says what went wrong, and what to do.
func (w *writer) explain(err error) error {
	var e *influxhttp.Error
	if !errors.As(err, &e) || e.StatusCode == 0 {
		return fmt.Errorf("write to InfluxDB at %s: %w", w.address, err)
	}
	said := strings.TrimSpace(e.Message)
	if said == "" {
		said = http.StatusText(e.StatusCode)
	}
	switch e.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("InfluxDB at %s does not let the token write to bucket %q (%d: %s): give token one that may", w.address, w.bucket, e.StatusCode, said)
	case http.StatusNotFound:
		return fmt.Errorf("InfluxDB at %s has no bucket %q (404: %s): create it, or correct bucket and org", w.address, w.bucket, said)
	}
	if wait := retryAfter(e, time.Now()); wait > 0 {
		w.notBefore = time.Now().Add(min(wait, longestWait))
		return fmt.Errorf("InfluxDB at %s is busy (%d: %s) and asks to wait %v", w.address, e.StatusCode, said, wait)
	}
	if e.StatusCode >= 500 || e.StatusCode == http.StatusTooManyRequests {
		return fmt.Errorf("InfluxDB at %s is not well (%d: %s)", w.address, e.StatusCode, said)
	}
	return fmt.Errorf("what answers at %s does not take writes (%d: %s): check url, org and bucket", w.address, e.StatusCode, said)
}

// retryAfter is how long the server wants to be left alone; the header holds seconds or a date.
func retryAfter(e *influxhttp.Error, now time.Time) time.Duration {
	if e.RetryAfter > 0 {
		return time.Duration(e.RetryAfter) * time.Second
	}
	at, err := http.ParseTime(e.Header.Get("Retry-After"))
	if err != nil {
		return 0
	}
	return at.Sub(now)
}
