package virtual

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"strings"
	"time"

	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/store"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// LastResult is what a window put out last.
type LastResult struct {
	Name string
	// Millis is when, and Captures the aggregates by name, as JSON; null: unknown.
	Millis   int64
	Captures string
}

// resultsOf takes the results of windows out of the rules and flows as the library lists them.
func resultsOf(list []store.Standing) []LastResult {
	var out []LastResult
	for _, x := range list {
		if x.Captures != "" {
			out = append(out, LastResult{Name: x.Name, Millis: int64(x.Fired), Captures: x.Captures})
		}
	}
	return out
}

func isWindow(device string) bool { return strings.HasPrefix(device, site.SourceWindow+".") }

// window is the results of a window.
type window struct {
	device
	window string
	of     string // as in a store.WindowResult
	points []string
	lasts  int64 // ms; 0: for ever
	// until is when what is known ends, in ms; 0: nothing is, or for ever.
	until int64
}

func newWindow(w *site.Window) *window {
	points := w.Device.Table().Numbers
	return &window{
		device: newDevice(w.Device), window: w.Name, of: strings.Join(append([]string{w.Name}, points...), "\x00"),
		points: points, lasts: int64(w.Lasts() / time.Millisecond),
	}
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

// take takes a result, and tells whether it is one.
func (w *window) take(r store.WindowResult) bool {
	if len(r.Packed) != 8*len(w.points) {
		return false
	}
	for i := range w.points {
		w.value(i, math.Float64frombits(binary.LittleEndian.Uint64([]byte(r.Packed[8*i:]))))
	}
	w.came(r.Millis)
	return true
}

// learn takes the last result as the library lists it, and tells whether there is one.
func (w *window) learn(r LastResult) bool {
	var values map[string]*float64
	if json.Unmarshal([]byte(r.Captures), &values) != nil || values == nil {
		return false
	}
	for i, name := range w.points {
		if v := values[name]; v != nil {
			w.value(i, *v)
		} else {
			w.value(i, math.NaN())
		}
	}
	w.came(r.Millis)
	return true
}

// value gives a point a value, unknown if it is no number.
func (w *window) value(i int, v float64) {
	if math.IsNaN(v) {
		w.b.SetBad(i, frame.NotANumber)
	} else {
		w.b.Set(i, v)
	}
}

// came notes when a result came.
func (w *window) came(millis int64) {
	if w.lasts > 0 {
		w.until = millis + w.lasts
	}
}
