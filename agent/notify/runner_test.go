package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/journal"
	"github.com/voltage-edge/voltage/agent/notify/message"
	"github.com/voltage-edge/voltage/agent/site"
)

// receiver is a webhook that answers with the statuses that it is given, the last of them for ever.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	statuses []int
	taken    chan posted
}

type posted struct {
	message message.Message
	header  http.Header
	body    []byte
	status  int
}

func newReceiver(t *testing.T, statuses ...int) *receiver {
	r := &receiver{statuses: statuses, taken: make(chan posted, 100)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		p := posted{header: q.Header, status: http.StatusOK}
		p.body, _ = io.ReadAll(q.Body)
		if err := json.Unmarshal(p.body, &p.message); err != nil {
			t.Errorf("the body is no message: %v", err)
		}
		r.mu.Lock()
		if len(r.statuses) > 0 {
			p.status = r.statuses[0]
			r.statuses = r.statuses[1:]
		}
		r.mu.Unlock()
		w.WriteHeader(p.status)
		r.taken <- p
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) next(t *testing.T) posted {
	t.Helper()
	select {
	case p := <-r.taken:
		return p
	case <-time.After(30 * time.Second):
		t.Fatal("nothing was posted within 30 s")
		return posted{}
	}
}

func loadSite(t *testing.T, url string) *site.Site {
	t.Helper()
	file := filepath.Join(t.TempDir(), "site.hcl")
	text := fmt.Sprintf(`site "bakery" {}
contact "duty" {
  webhook {
    url     = "%s/hook?key=in-the-url"
    headers = { Authorization = "Bearer in-a-header" }
    secret  = "of-the-signature"
  }
}
notification "all" {
  contacts = [contact.duty]
  group {
    wait     = "300ms"
    interval = "0s"
  }
}
`, url)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, diags := site.Load(context.Background(), file, site.Options{})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return s
}

func alarmEvent(name, what string, active bool, annunciate string) event.Event {
	flag := "0"
	if active {
		flag = "1"
	}
	return event.New(time.Now(), event.Alarm, "alarm", name, "event", what, "active", flag, "acked", "0", "enabled", "1", "suppressed", "0",
		"out_of_service", "0", "shelving", "unshelved", "priority", "high", "text", "too much", "occurrence", "1", "annunciate", annunciate)
}

// Alarms that come together are one message, which is tried again until it is taken, and is not sent again after a restart;
// that they returned is told too. No secret is in what is shown.
func TestAlarmsReachAWebhook(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	r := newReceiver(t, http.StatusServiceUnavailable)
	defer r.Close()
	s := loadSite(t, r.URL)
	j, err := journal.Open(journal.Options{Dir: filepath.Join(t.TempDir(), "journal")})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	var mu sync.Mutex
	var shown []string
	o := Options{
		Dir: filepath.Join(t.TempDir(), "notifications"), Journal: j, Site: s, Now: time.Now,
		Alarms: func(context.Context) ([]Alarm, error) { return nil, context.Canceled },
		Emit: func(e event.Event) {
			mu.Lock()
			defer mu.Unlock()
			shown = append(shown, fmt.Sprint(e))
		},
	}
	n, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.AppendEvents([]event.Event{alarmEvent("grid", "activate", true, "1"), alarmEvent("heat", "activate", true, "1")}); err != nil {
		t.Fatal(err)
	}
	first := r.next(t)
	if m := first.message; m.Kind != message.New || len(m.Alarms) != 2 || first.status != http.StatusServiceUnavailable {
		t.Fatalf("first %d %+v", first.status, m)
	}
	if first.header.Get("Authorization") != "Bearer in-a-header" || !strings.HasPrefix(first.header.Get(signatureHeader), "t=") {
		t.Errorf("headers %v", first.header)
	}
	if err := n.Stop(); err != nil {
		t.Fatal(err)
	}
	if n, err = Start(o); err != nil {
		t.Fatal(err)
	}
	again := r.next(t)
	if again.message.ID != first.message.ID || again.status != http.StatusOK {
		t.Errorf("again %d %s, first %s", again.status, again.message.ID, first.message.ID)
	}
	for n.Status().Contacts[0].Sent != 1 {
		time.Sleep(time.Millisecond)
	}
	if err := n.Stop(); err != nil {
		t.Fatal(err)
	}
	if n, err = Start(o); err != nil {
		t.Fatal(err)
	}
	if err := j.AppendEvents([]event.Event{alarmEvent("grid", "return", false, "0"), alarmEvent("heat", "return", false, "0")}); err != nil {
		t.Fatal(err)
	}
	if m := r.next(t).message; m.Kind != message.Resolved || m.Group.ID != first.message.Group.ID || m.Counts.Returned != 2 {
		t.Errorf("at the end %+v", m)
	}
	text := fmt.Sprintf("%+v %v %+v", n.Status(), s.Contacts[0], *s.Contacts[0])
	if err := n.Stop(); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, secret := range []string{"in-the-url", "in-a-header", "of-the-signature"} {
		if strings.Contains(text+strings.Join(shown, " "), secret) {
			t.Errorf("%q is shown: %s %v", secret, text, shown)
		}
	}
}
