package api

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/voltage-edge/voltage/agent/event"
)

func TestWatchOverTheSocket(t *testing.T) {
	a := newLiteral()
	_, data := start(t, a, nil)
	c := dial(t, data)
	ctx, cancel := context.WithCancel(t.Context())
	ch, err := c.Subscribe(ctx, []string{"battery.*"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	first := collect(t, ch, 1)[0]
	if !first.Snapshot || first.Value.Name != "battery.soc" || first.Value.Value != 55.5 {
		t.Fatalf("%+v", first)
	}
	a.hub.Values(valueOf("grid.power", 1), valueOf("battery.soc", 56))
	a.hub.Event(event.New(noon, event.Write, "output", "battery.setpoint", "outcome", "written"))
	got := collect(t, ch, 2)
	if got[0].Value.Value != 56.0 || got[1].Event.Get("outcome") != "written" {
		t.Fatalf("%+v", got)
	}
	cancel()
	for range ch {
	}
	a.hub.Values(valueOf("battery.soc", 57))
	ch, err = c.Subscribe(t.Context(), []string{"battery.*"}, got[1].Sequence)
	if err != nil {
		t.Fatal(err)
	}
	if next := collect(t, ch, 1)[0]; next.Value.Value != 57.0 || next.Sequence != got[1].Sequence+1 {
		t.Errorf("%+v", next)
	}
	a.hub.Close() // the agent stops: the stream ends
	for range ch {
	}
}

func TestSlowClientIsClosedWithAReason(t *testing.T) {
	a := newLiteral()
	s, _ := start(t, a, nil)
	conn, _, err := websocket.Dial(t.Context(), s.URL()+"/api/v1/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	if err := conn.Write(t.Context(), websocket.MessageText, []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := conn.Read(t.Context()); err != nil { // the subscription stands
		t.Fatal(err)
	}
	// It reads nothing, until the hub's memory has gone past it.
	long := Value{Name: "battery.text", Value: strings.Repeat("x", 4096), Quality: "good"}
	for range 20_000 {
		a.hub.Values(long)
	}
	for {
		_, _, err := conn.Read(t.Context())
		if err == nil {
			continue
		}
		var closed websocket.CloseError
		if !errors.As(err, &closed) || closed.Code != websocket.StatusTryAgainLater || !strings.Contains(closed.Reason, "slow") {
			t.Errorf("%v", err)
		}
		return
	}
}

func TestSubscriptionsThatAreRefused(t *testing.T) {
	s, _ := start(t, newLiteral(), nil)
	for _, message := range []string{`nonsense`, `{"patterns":"x"}`, `{"after":-1}`, strings.Repeat("x", maxBody+1)} {
		conn, _, err := websocket.Dial(t.Context(), s.URL()+"/api/v1/ws", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Write(t.Context(), websocket.MessageText, []byte(message)); err != nil {
			t.Fatal(err)
		}
		_, _, err = conn.Read(t.Context())
		if code := websocket.CloseStatus(err); code != websocket.StatusPolicyViolation && code != websocket.StatusMessageTooBig {
			t.Errorf("%.20s: %v", message, err)
		}
		conn.CloseNow()
	}
	for _, origin := range []string{"https://evil.example", "null", "http://localhost:1"} {
		conn, resp, err := websocket.Dial(t.Context(), s.URL()+"/api/v1/ws", &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {origin}}})
		if err == nil {
			conn.CloseNow()
			t.Errorf("a page of %s was let in", origin)
		} else if resp == nil || resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %v", origin, err)
		}
	}
	if code, _ := fetch(t, "GET", s.URL()+"/api/v1/ws", ""); code != http.StatusUpgradeRequired {
		t.Errorf("without an upgrade: %d", code)
	}
}

func TestStopEndsWatchersAndIdleConnections(t *testing.T) {
	a := newLiteral()
	s, err := New(Options{Agent: a, Data: shortFolder(t), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	watcher, _, err := websocket.Dial(t.Context(), s.URL()+"/api/v1/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.CloseNow()
	if err := watcher.Write(t.Context(), websocket.MessageText, []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	silent, _, err := websocket.Dial(t.Context(), s.URL()+"/api/v1/ws", nil) // says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.CloseNow()
	half, err := net.Dial("unix", s.Socket()) // sends half a header
	if err != nil {
		t.Fatal(err)
	}
	defer half.Close()
	half.Write([]byte("GET /api/v1/status HTTP/1.1\r\nHost: x\r\nX-Slow: "))
	go func() { // a client that reads takes part in the closing
		for {
			if _, _, err := watcher.Read(context.Background()); err != nil {
				return
			}
		}
	}()
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(s.Socket()); err == nil {
		t.Error("the socket is still there")
	}
	a.hub.Close()
}
