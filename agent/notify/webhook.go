// Package notify delivers what operators must know about alarms to places outside the site.
package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Alert is one alarm in a message.
type Alert struct {
	// Labels tell which alarm it is: alertname, site, priority.
	Labels map[string]string
	// Annotations are for people: the alarm's text, the value.
	Annotations map[string]string
	Starts      time.Time
	// Ends is zero while the alarm is active.
	Ends time.Time
}

// Message is one notification of a group of alarms.
type Message struct {
	Receiver string
	// Group tells messages of one group from those of another.
	Group string
	// GroupLabels are the labels by which the alerts were grouped.
	GroupLabels map[string]string
	Alerts      []Alert
	// Truncated counts the alerts that were left out of a flood.
	Truncated int
}

// Webhook posts messages as JSON in the form of Alertmanager's webhook, version 4. It follows no redirect: what it
// sends may be secret.
type Webhook struct {
	URL     string
	Headers map[string]string
	// Token is sent as a bearer token; empty: none.
	Token string
	// Transport is nil for http.DefaultTransport.
	Transport http.RoundTripper
	// Timeout of one attempt; 0: ten seconds.
	Timeout time.Duration
}

// Refused is an answer that another attempt would not change.
type Refused struct{ Host, Status string }

func (r *Refused) Error() string {
	return fmt.Sprintf("the webhook at %s refused the message (%s): check its url, token and headers", r.Host, r.Status)
}

type body struct {
	Version           string            `json:"version"`
	GroupKey          string            `json:"groupKey"`
	TruncatedAlerts   int               `json:"truncatedAlerts"`
	Status            string            `json:"status"`
	Receiver          string            `json:"receiver"`
	GroupLabels       map[string]string `json:"groupLabels"`
	CommonLabels      map[string]string `json:"commonLabels"`
	CommonAnnotations map[string]string `json:"commonAnnotations"`
	ExternalURL       string            `json:"externalURL"`
	Alerts            []alert           `json:"alerts"`
}

type alert struct {
	Status      string            `json:"status"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
}

// Send posts one message, once. A *Refused is final; any other error is worth another attempt. No error tells the
// URL's path or query, the headers or the token.
func (w *Webhook) Send(ctx context.Context, m Message) error {
	u, err := url.Parse(w.URL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return &Refused{Host: "the given url", Status: "not an http or https address"}
	}
	text, err := json.Marshal(m.body())
	if err != nil {
		return fmt.Errorf("writing the message for %s as JSON: %w", u.Host, err)
	}
	timeout := w.Timeout
	if timeout == 0 {
		timeout = 10 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(text))
	if err != nil {
		return &Refused{Host: u.Host, Status: "not a usable address"}
	}
	for k, v := range w.Headers {
		r.Header.Set(k, v)
	}
	r.Header.Set("Content-Type", "application/json")
	if w.Token != "" {
		r.Header.Set("Authorization", "Bearer "+w.Token)
	}
	client := http.Client{Transport: w.Transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	answer, err := client.Do(r)
	if err != nil {
		var inURL *url.Error
		if errors.As(err, &inURL) {
			err = inURL.Err
		}
		return fmt.Errorf("posting to the webhook at %s: %w", u.Host, err)
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, 64<<10)
	switch c := answer.StatusCode; {
	case c >= 200 && c < 300:
		return nil
	case c == http.StatusTooManyRequests || c == http.StatusRequestTimeout || c >= 500:
		return fmt.Errorf("the webhook at %s cannot take the message now (status %d)", u.Host, c)
	default:
		return &Refused{Host: u.Host, Status: fmt.Sprintf("status %d", c)}
	}
}

func (m Message) body() body {
	b := body{Version: "4", GroupKey: m.Group, TruncatedAlerts: m.Truncated, Status: "resolved", Receiver: m.Receiver,
		GroupLabels: filled(m.GroupLabels), Alerts: make([]alert, 0, len(m.Alerts))}
	var labels, annotations []map[string]string
	for _, a := range m.Alerts {
		status := "resolved"
		if a.Ends.IsZero() {
			status, b.Status = "firing", "firing"
		}
		b.Alerts = append(b.Alerts, alert{status, filled(a.Labels), filled(a.Annotations), a.Starts.UTC(), a.Ends.UTC()})
		labels, annotations = append(labels, a.Labels), append(annotations, a.Annotations)
	}
	b.CommonLabels, b.CommonAnnotations = common(labels), common(annotations)
	return b
}

func filled(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// common are the pairs that all have.
func common(all []map[string]string) map[string]string {
	out := map[string]string{}
	if len(all) == 0 {
		return out
	}
next:
	for k, v := range all[0] {
		for _, m := range all[1:] {
			if got, ok := m[k]; !ok || got != v {
				continue next
			}
		}
		out[k] = v
	}
	return out
}
