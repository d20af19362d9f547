// Package virtual makes the frames of virtual devices: those that are on no channel, and whose values the agent itself knows.
// They go the way of all frames, so that models, alarms and rules read them like any other, and the journal keeps them.
// It is a pure function of the site, the clock that it is given, and what the libraries told: run again, it makes the same
// frames. Only Ask, by which a start learns what the libraries know already, calls anybody.
//
// A further kind of virtual device has its points in package site, its Source there, and here a type with the methods of
// source.
package virtual

import (
	"context"
	"math"
	"time"

	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/store"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// Frame is a frame of a virtual device.
type Frame struct {
	Device string
	// Millis is the clock at which it counts, and its source time.
	Millis int64
	Packed []byte
}

// source makes the frames of one virtual device.
type source interface {
	// due is when a value changes by the clock alone, in ms; 0: it does not.
	due() int64
	// advance brings the values to the clock, and tells whether one changed.
	advance(now int64) bool
	// pack gives a frame of the values at now.
	pack(now int64) Frame
	// worth is the value of a point of the device of this name; false when it is another's.
	worth(device string, i int) (float64, frame.Quality, bool)
}

// device packs the frames of a virtual device.
type device struct {
	name string
	b    *frame.Builder
	// last is the time of the last frame: that of the next is behind it.
	last int64
}

func newDevice(d *site.Device) device {
	// The table of a virtual device is far from the bounds of a frame, which is all that can be wrong.
	b, err := frame.NewBuilder(d.Table())
	if err != nil {
		panic(err)
	}
	return device{name: d.Name, b: b}
}

// set gives point i a condition, and tells whether it is another than before.
func (d *device) set(i int, is bool) bool {
	v := 0.0
	if is {
		v = 1
	}
	before, q := d.b.Value(i)
	d.b.Set(i, v)
	return q.IsBad() || before != v
}

func (d *device) worth(device string, i int) (float64, frame.Quality, bool) {
	if d.name != device {
		return 0, 0, false
	}
	v, q := d.b.Value(i)
	return v, q, true
}

func (d *device) pack(now int64) Frame {
	d.last = max(now, d.last+1)
	return Frame{Device: d.name, Millis: now, Packed: d.b.Pack(nil, time.UnixMilli(d.last))}
}

// Devices are the virtual devices of a site. They are not safe for concurrent use.
type Devices struct {
	sources []source
	// alarms by the name of the alarm, and windows by what the library calls their results.
	alarms  map[string]*alarm
	windows map[string]*window
	next    int64
}

// New makes the virtual devices of a site. Their values are unknown until Start, and those of alarms and windows until Learn.
func New(s *site.Site) *Devices {
	v := &Devices{alarms: map[string]*alarm{}, windows: map[string]*window{}}
	for _, x := range s.Schedules {
		v.sources = append(v.sources, &timed{device: newDevice(x.Device), times: x.Times})
	}
	for _, x := range s.Alarms {
		if x.Device != nil {
			a := newAlarm(x.Device)
			v.alarms[x.Name] = a
			v.sources = append(v.sources, a)
		}
	}
	for _, x := range s.Windows {
		if x.Device != nil {
			w := newWindow(x)
			v.windows[w.of] = w
			v.sources = append(v.sources, w)
		}
	}
	return v
}

// Start gives the frames of what holds at now by the clock alone. They come before all others.
func (v *Devices) Start(now int64) []Frame {
	var out []Frame
	v.next = 0
	for _, s := range v.sources {
		if s.advance(now) {
			out = append(out, s.pack(now))
		}
		v.note(s.due())
	}
	return out
}

// Value is that of a virtual device's point now.
func (v *Devices) Value(p *site.Point) (float64, frame.Quality) {
	for _, s := range v.sources {
		if v, q, ok := s.worth(p.Device.Name, p.Index); ok {
			return v, q
		}
	}
	return math.NaN(), frame.Bad
}

func (v *Devices) note(due int64) {
	if due != 0 && (v.next == 0 || due < v.next) {
		v.next = due
	}
}

// Due is when the next value changes by the clock alone, in ms; 0: none does.
func (v *Devices) Due() int64 { return v.next }

// longJump is how far a clock may jump for all that happened in between still to happen.
const longJump = 24 * 60 * 60 * 1000

// Advance gives the frames of what changed by the clock alone up to now, each at its time. After a jump of the clock by
// more than a day it is only what holds now.
func (v *Devices) Advance(now int64) []Frame {
	if v.next == 0 || v.next > now {
		return nil
	}
	if now-v.next > longJump {
		return v.Start(now)
	}
	var out []Frame
	for v.next != 0 && v.next <= now {
		out = append(out, v.Start(v.next)...)
	}
	return out
}

// Follow gives the frames of what an event of the libraries changed, at the clock now.
func (v *Devices) Follow(e event.Event, now int64) []Frame {
	if e.Kind != event.Alarm {
		return nil
	}
	if a := v.alarms[e.Get("alarm")]; a != nil && a.follow(e) {
		return []Frame{a.pack(now)}
	}
	return nil
}

// Results gives the frames of what windows came to, at the clock now.
func (v *Devices) Results(results []store.WindowResult, now int64) []Frame {
	var out []Frame
	for _, r := range results {
		if w := v.windows[r.Of]; w != nil && w.take(r) {
			v.note(w.due())
			out = append(out, w.pack(now))
		}
	}
	return out
}

// Follows tells whether anything is read of what the libraries keep: the state of an alarm, the result of a window.
func (v *Devices) Follows() bool { return len(v.alarms)+len(v.windows) > 0 }

// States are what virtual devices are made of that the libraries keep.
type States struct {
	Alarms  []AlarmState
	Windows []LastResult
}

// Ask asks the libraries of a site for what conditions read of them.
func Ask(ctx context.Context, libraries *store.Store, s *site.Site) (States, error) {
	var out States
	alarms, err := libraries.AlarmList(ctx, true)
	if err != nil {
		return out, err
	}
	out.Alarms = statesOf(alarms)
	var windows []string
	for _, w := range s.Windows {
		if w.Device != nil {
			windows = append(windows, w.Name)
		}
	}
	if len(windows) == 0 {
		return out, nil
	}
	rules, err := libraries.RuleList(ctx, windows...)
	out.Windows = resultsOf(rules)
	return out, err
}

// Learn takes the states as the libraries have them, and gives the frames of those that are read, known or not before. A result that does
// not last until now is none, and a window without a result is unknown.
func (v *Devices) Learn(states States, now int64) []Frame {
	byName := make(map[string]*AlarmState, len(states.Alarms))
	for i := range states.Alarms {
		byName[states.Alarms[i].Name] = &states.Alarms[i]
	}
	results := make(map[string]*LastResult, len(states.Windows))
	for i := range states.Windows {
		results[states.Windows[i].Name] = &states.Windows[i]
	}
	var out []Frame
	for _, s := range v.sources {
		switch s := s.(type) {
		case *alarm:
			if state := byName[s.alarm]; state != nil {
				s.take(*state)
				out = append(out, s.pack(now))
			}
		case *window:
			if r := results[s.window]; r != nil && s.learn(*r) {
				s.advance(now)
				v.note(s.due())
			}
			out = append(out, s.pack(now)) // unknown is an answer too
		}
	}
	return out
}

// FromLibraries tells whether a device's values are what the libraries keep: a server that lost its state makes them
// unknown.
func FromLibraries(device string) bool { return isAlarm(device) || isWindow(device) }
