package virtual

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/store"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// WindowResult is what a window put out last.
type WindowResult struct {
	Name string
	// Millis is when, and Captures the aggregates by name, as JSON; null: unknown.
	Millis   int64
	Captures string
}

// resultsOf takes the results of windows out of the rules and flows as the library lists them.
func resultsOf(list []store.Standing) []WindowResult {
	var out []WindowResult
	for _, x := range list {
		if x.Captures != "" {
			out = append(out, WindowResult{Name: x.Name, Millis: int64(x.Fired), Captures: x.Captures})
		}
	}
	return out
}

func isWindow(device string) bool { return strings.HasPrefix(device, site.SourceWindow+".") }

// window is the results of a window.
type window struct {
	device
	window string
	points []string
	lasts  int64 // ms; 0: for ever
	// until is when what is known ends, in ms; 0: nothing is, or for ever.
	until int64
}

func newWindow(w *site.Window) *window {
	return &window{device: newDevice(w.Device), window: w.Name, points: w.Device.Table().Numbers, lasts: int64(w.Lasts() / time.Millisecond)}
}

func (w *window) due() int64 { return w.until }

func (w *window) advance(now int64) bool {
	if w.until == 0 || now < w.until {
		return false
	}
	w.until = 0
	for i := range w.points {
		w.b.SetBad(i, frame.Stale)
	}
	return true
}

func (w *window) follow(e event.Event) bool {
	if e.Kind == event.Rule && e.Get("event") != "fired" {
		return false
	}
	return w.take(WindowResult{Millis: e.Millis, Captures: e.Get("captures")})
}

// take takes a result, and tells whether there is one.
func (w *window) take(r WindowResult) bool {
	var values map[string]*float64
	if json.Unmarshal([]byte(r.Captures), &values) != nil || values == nil {
		return false
	}
	for i, name := range w.points {
		if v := values[name]; v != nil {
			w.b.Set(i, *v)
		} else {
			w.b.SetBad(i, frame.NotANumber)
		}
	}
	if w.lasts > 0 {
		w.until = r.Millis + w.lasts
	}
	return true
}
