package notify

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestWebhookBody(t *testing.T) {
	var got map[string]any
	var auth, extra string
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		auth, extra = r.Header.Get("Authorization"), r.Header.Get("X-Site")
		b, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(b, &got); err != nil {
			t.Errorf("the body is not JSON: %v", err)
		}
	}))
	defer s.Close()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	w := &Webhook{URL: s.URL, Token: "secret", Headers: map[string]string{"X-Site": "hall"}}
	err := w.Send(context.Background(), Message{Receiver: "operators", Group: "g", Truncated: 198, Alerts: []Alert{
		{Labels: map[string]string{"alertname": "grid_lost", "site": "hall"}, Starts: at, Ends: at.Add(time.Minute)},
		{Labels: map[string]string{"alertname": "grid_high", "site": "hall"}, Starts: at},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if auth != "Bearer secret" || extra != "hall" {
		t.Errorf("headers: %q %q", auth, extra)
	}
	alerts := got["alerts"].([]any)
	first, second := alerts[0].(map[string]any), alerts[1].(map[string]any)
	labels := got["commonLabels"].(map[string]any)
	if got["version"] != "4" || got["status"] != "firing" || got["truncatedAlerts"] != 198.0 ||
		first["status"] != "resolved" || second["status"] != "firing" || first["startsAt"] != "2026-01-02T03:04:05Z" ||
		len(labels) != 1 || labels["site"] != "hall" {
		t.Errorf("body: %v", got)
	}
}

func TestWebhookAnswers(t *testing.T) {
	for status, final := range map[int]bool{302: true, 400: true, 401: true, 404: true, 408: false, 429: false, 500: false, 503: false} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
		}))
		err := (&Webhook{URL: s.URL + "/path-secret?key=query-secret", Token: "token-secret"}).Send(context.Background(), Message{})
		var refused *Refused
		if err == nil || errors.As(err, &refused) != final {
			t.Errorf("%d: %v, want final %v", status, err, final)
		}
		s.Close()
		gone := (&Webhook{URL: s.URL + "/path-secret?key=query-secret", Token: "token-secret"}).Send(context.Background(), Message{})
		if gone == nil || errors.As(gone, &refused) {
			t.Errorf("nobody listens: %v", gone)
		}
		for _, e := range []error{err, gone} {
			if e != nil && strings.Contains(e.Error(), "secret") {
				t.Errorf("the error tells a secret: %v", e)
			}
		}
	}
}

func TestWebhookChecksTheCertificate(t *testing.T) {
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	err := (&Webhook{URL: s.URL}).Send(context.Background(), Message{})
	var refused *Refused
	if err == nil || errors.As(err, &refused) {
		t.Errorf("an unknown certificate: %v", err)
	}
}
