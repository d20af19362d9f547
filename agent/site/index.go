package site

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// index finds what a name stands for.
type index struct {
	entries map[string]map[string]*entry // by kind, then by the block's label
	// brokenNames are variables and locals that are there but wrong ("var.peak"): what refers to them is wrong too, and
	// needs no complaint of its own.
	brokenNames map[string]bool
}

// entry is one block with its instances.
type entry struct {
	kind, name string
	rng        hcl.Range
	// each tells that it has for_each; keys are its instances' then.
	each  bool
	keys  []string
	items map[string]any // by key; "" without for_each
	// broken: what instances there are is not known, or all are wrong; it has been told.
	broken bool
}

func newIndex() *index {
	return &index{entries: map[string]map[string]*entry{}, brokenNames: map[string]bool{}}
}

func (x *index) find(kind, name string) *entry { return x.entries[kind][name] }

func (x *index) put(e *entry) {
	if x.entries[e.kind] == nil {
		x.entries[e.kind] = map[string]*entry{}
	}
	x.entries[e.kind][e.name] = e
}

func (x *index) names(kinds ...string) []string {
	var out []string
	for _, k := range kinds {
		out = append(out, sortedKeys(x.entries[k])...)
	}
	return out
}

// InstanceName is the name of an instance of a block with for_each.
func InstanceName(name, key string) string { return name + "[" + key + "]" }

// SplitInstance takes an instance's name apart; the key is "" without for_each.
func SplitInstance(full string) (name, key string) {
	name, rest, ok := strings.Cut(full, "[")
	if !ok {
		return full, ""
	}
	return name, strings.TrimSuffix(rest, "]")
}

func lookup[T any](s *Site, kind, full string, all []T, nameOf func(T) string) (found T) {
	if s.index != nil {
		// A template's parts have names of their own: peak[north].charge.
		if e := s.index.find(kind, full); e != nil && e.items[""] != nil {
			found, _ = e.items[""].(T)
			return found
		}
		name, key := SplitInstance(full)
		if e := s.index.find(kind, name); e != nil {
			found, _ = e.items[key].(T)
		}
		return found
	}
	for _, x := range all {
		if nameOf(x) == full {
			return x
		}
	}
	return found
}

// Channel finds a channel by its name; nil: there is none. So do the others.
func (s *Site) Channel(name string) *Channel {
	return lookup(s, "channel", name, s.Channels, func(c *Channel) string { return c.Name })
}

// Device finds a device.
func (s *Site) Device(name string) *Device {
	return lookup(s, "device", name, s.Devices, func(d *Device) string { return d.Name })
}

// Model finds a model.
func (s *Site) Model(name string) *Model {
	return lookup(s, "model", name, s.Models, func(m *Model) string { return m.Name })
}

// Alarm finds an alarm.
func (s *Site) Alarm(name string) *Alarm {
	return lookup(s, "alarm", name, s.Alarms, func(a *Alarm) string { return a.Name })
}

// Rule finds a rule.
func (s *Site) Rule(name string) *Rule {
	return lookup(s, "rule", name, s.Rules, func(r *Rule) string { return r.Name })
}

// Sink finds a sink.
func (s *Site) Sink(name string) *Sink {
	return lookup(s, "sink", name, s.Sinks, func(k *Sink) string { return k.Name })
}

// Template finds a template.
func (s *Site) Template(name string) *Template {
	for _, t := range s.Templates {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// Point finds a point by its full name ("battery.soc").
func (s *Site) Point(full string) *Point {
	device, name, ok := cutLast(full)
	if !ok {
		return nil
	}
	d := s.Device(device)
	if d == nil {
		d = s.VirtualDevice(device)
	}
	if d != nil {
		return d.Point(name)
	}
	return nil
}

// Mapping finds what a measurement is mapped to by its full name ("bess.soc").
func (s *Site) Mapping(full string) *Mapping {
	model, name, ok := cutLast(full)
	if !ok {
		return nil
	}
	if m := s.Model(model); m != nil {
		return m.measurement(name)
	}
	return nil
}

// Action finds what an action sets by its full name ("bess.power").
func (s *Site) Action(full string) *ActionMapping {
	model, name, ok := cutLast(full)
	if !ok {
		return nil
	}
	if m := s.Model(model); m != nil {
		return m.action(name)
	}
	return nil
}

// Output finds the point that is written under a name: that of the point itself ("battery.setpoint"), or of an action
// ("bess.power"). It is nil for what can't be written.
func (s *Site) Output(name string) *Point {
	if a := s.Action(name); a != nil {
		return a.Output
	}
	if p := s.Point(name); p != nil && p.Write != nil {
		return p
	}
	return nil
}

// cutLast cuts at the last dot: neither keys of for_each nor names of points have one.
func cutLast(full string) (before, after string, ok bool) {
	i := strings.LastIndexByte(full, '.')
	if i < 0 {
		return "", "", false
	}
	return full[:i], full[i+1:], true
}

// Point finds a point of the device; nil: there is none.
func (d *Device) Point(name string) *Point {
	if d.byName != nil {
		return d.byName[name]
	}
	for _, p := range d.Points {
		if p.Name == name {
			return p
		}
	}
	return nil
}

func (m *Model) measurement(name string) *Mapping {
	for _, x := range m.Measurements {
		if x.Measurement.Name == name {
			return x
		}
	}
	return nil
}

func (m *Model) action(name string) *ActionMapping {
	for _, x := range m.Actions {
		if x.Action.Name == name {
			return x
		}
	}
	return nil
}
