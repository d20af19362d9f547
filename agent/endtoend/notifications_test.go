package endtoend

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/agent/notify/message"
	"github.com/voltage-edge/voltage/examples/plant/plantsim"
)

// inbox takes what is posted to webhooks, by the path of the contact.
type inbox struct {
	*httptest.Server
	mu   sync.Mutex
	got  map[string][]message.Message
	away bool
}

func newInbox(t *testing.T) *inbox {
	t.Helper()
	i := &inbox{got: map[string][]message.Message{}}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m message.Message
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil || r.Header.Get("Authorization") != "Bearer hush-hush" {
			t.Errorf("%s, header %v: %v", r.URL.Path, r.Header, err)
		}
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.away {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		i.got[r.URL.Path[1:]] = append(i.got[r.URL.Path[1:]], m)
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *inbox) setAway(away bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.away = away
}

// kinds are those of the messages that a contact got, each once: what was under way when an agent was killed may come twice.
func (i *inbox) kinds(contact string) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	var out []string
	seen := map[string]bool{}
	for _, m := range i.got[contact] {
		if !seen[m.ID] {
			out = append(out, string(m.Kind))
		}
		seen[m.ID] = true
	}
	return strings.Join(out, " ")
}

// A meter is lost: one message, to the next person when nobody acknowledges it, and to both when it is back, though the agent is killed and
// the far end is away in between.
func TestAnAlarmReachesPeople(t *testing.T) {
	short(t)
	t.Parallel()
	in := newInbox(t)
	plant := newPlant(t, 60)
	contact := func(name string) string {
		return fmt.Sprintf("contact %q {\n  webhook {\n    url     = %q\n    headers = { Authorization = \"Bearer hush-hush\" }\n  }\n}\n", name, in.URL+"/"+name)
	}
	a := newAgent(t, peakSite(plant.Address(), 80, contact("duty")+contact("boss")+`
notification "all" {
  contacts = [contact.duty]
  group {
    wait     = "500ms"
    interval = "0s"
  }
  escalate {
    after = "3s"
    to    = [contact.boss]
  }
}
`))
	a.start()
	got := func(contact, want string) {
		t.Helper()
		a.eventually(contact+" got "+want, func() error {
			if is := in.kinds(contact); is != want {
				return fmt.Errorf("%s got %q", contact, is)
			}
			return nil
		})
	}
	if out := a.run("notifications", "test", "duty"); !strings.Contains(out, "took the test message") {
		t.Error(out)
	}
	got("duty", "test")
	if err := plant.SetFault(plantsim.Fault{Kind: plantsim.Dead, Unit: meterUnit}); err != nil {
		t.Fatal(err)
	}
	got("duty", "test new")
	in.setAway(true)
	a.kill()
	time.Sleep(3 * time.Second) // the escalation is due while nobody runs
	a.start()
	a.eventually("the escalation is tried", func() error {
		if out := a.run("notifications"); !strings.Contains(out, "503") {
			return fmt.Errorf("%s", out)
		}
		return nil
	})
	in.setAway(false)
	got("boss", "escalation")
	a.run("ack", "meter_lost")
	if err := plant.ClearFault(meterUnit); err != nil {
		t.Fatal(err)
	}
	got("duty", "test new resolved")
	got("boss", "escalation resolved")
	in.mu.Lock()
	for _, m := range in.got["boss"] {
		if len(m.Alarms) != 1 || m.Alarms[0].Name != "meter_lost" {
			t.Errorf("%+v", m)
		}
	}
	in.mu.Unlock()
	for _, command := range [][]string{{"notifications"}, {"notifications", "--json"}, {"events", "--json"}, {"status", "--json"}, {"plan"}} {
		if out := a.run(command...); strings.Contains(out, "hush-hush") {
			t.Errorf("voltage %v tells the secret:\n%s", command, out)
		}
	}
	t.Log(a.run("notifications"))
	t.Log(a.run("events", "--kind", "notification"))
}
