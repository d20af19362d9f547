package site

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Virtual devices are on no channel: the agent itself makes their frames (agent/virtual), of what it knows and conditions
// may want to read. Their names have a dot, which those of devices on channels have not.

// The kinds of blocks that virtual devices come from.
const (
	SourceAlarm    = "alarm"
	SourceSchedule = "schedule"
	SourceWindow   = "window"
)

// The points of alarms and schedules are conditions, in this order. Those of a window are its aggregates.
var (
	alarmPoints    = []string{"acked", "active", "confirmed", "enabled", "latched", "out_of_service", "shelved", "suppressed"}
	schedulePoints = []string{"active"}
)

// virtualDevice makes the device of a block: its name is source.full.
func virtualDevice(source, full string, points []string, rng hcl.Range) *Device {
	d := &Device{Name: source + "." + full, Source: source, Range: rng, byName: map[string]*Point{}}
	for i, name := range points {
		p := &Point{Device: d, Name: name, Index: i, Bool: true, Scale: 1, Readable: true, Range: rng}
		d.Points = append(d.Points, p)
		d.byName[name] = p
	}
	return d
}

// resolveVirtual resolves alarm.NAME.FIELD, window.NAME.AGGREGATE, and schedule.NAME, which is short for schedule.NAME.active.
func (s *Scope) resolveVirtual(root string, t hcl.Traversal) (Ref, bool, hcl.Diagnostics) {
	item, rest, quiet, diags := s.findItem(root, t)
	if quiet || diags.HasErrors() {
		return Ref{}, quiet, diags
	}
	var d *Device
	switch x := item.(type) {
	case *Schedule:
		if d = x.Device; len(rest) == 0 {
			return Ref{Point: d.Points[0]}, false, nil
		}
	case *Alarm:
		if len(rest) == 0 {
			return Ref{}, false, complaint(t.SourceRange(), "Name of an alarm", "%s is a whole alarm. Name a part of its state: %s.", traversalText(t), thereAre(alarmPoints))
		}
		d = s.stateDevice(x)
	case *Window:
		if d = x.results; x.results == nil {
			return Ref{}, true, nil // it is wrong, which has been told
		}
		if len(rest) == 0 {
			return Ref{}, false, complaint(t.SourceRange(), "Name of a window", "%s is a whole window. Name one of its aggregates: %s.", traversalText(t), thereAre(pointNames(d)))
		}
		if s.site.virtual == nil {
			x.Device = d
		}
	}
	name, at, ok := attributeOf(append(hcl.Traversal{hcl.TraverseRoot{}}, rest...))
	if p := d.Point(name); ok && len(rest) == 1 && p != nil {
		return Ref{Point: p}, false, nil
	}
	what := "state"
	if root == rootWindow {
		what = "aggregate"
	}
	return Ref{}, false, noSuch(at, what, name, root+" "+d.Name[len(root)+1:], pointNames(d))
}

// stateDevice is the virtual device of an alarm's state. It is made with the first name that refers to it while the site is
// loaded; a site that is loaded is not changed any more.
func (s *Scope) stateDevice(a *Alarm) *Device {
	if a.Device != nil {
		return a.Device
	}
	d := virtualDevice(SourceAlarm, a.Name, alarmPoints, a.Range)
	if s.site.virtual == nil {
		a.Device = d
	}
	return d
}

// keepVirtual lists the virtual devices of the site.
func (l *loader) keepVirtual() {
	s := l.site
	s.virtual = map[string]*Device{}
	for _, x := range s.Schedules {
		s.Virtual = append(s.Virtual, x.Device)
	}
	for _, a := range s.Alarms {
		if a.Device != nil {
			s.Virtual = append(s.Virtual, a.Device)
		}
	}
	for _, w := range s.Windows {
		if w.Device != nil {
			s.Virtual = append(s.Virtual, w.Device)
		}
	}
	for _, d := range s.Virtual {
		s.virtual[d.Name] = d
	}
}

// IsVirtual tells whether a device of this name is a virtual one.
func IsVirtual(device string) bool { return strings.Contains(device, ".") }

// VirtualDevice finds a virtual device by its name ("schedule.night"); nil: there is none.
func (s *Site) VirtualDevice(name string) *Device { return s.virtual[name] }

// ValueName is the full name of a value: of a schedule's "schedule.night" it is "schedule.night.active".
func (s *Site) ValueName(name string) string {
	if d := s.VirtualDevice(name); d != nil && d.Source == SourceSchedule {
		return d.Points[0].FullName()
	}
	return name
}

// AllDevices are the devices on channels, then the virtual ones.
func (s *Site) AllDevices() []*Device { return slices.Concat(s.Devices, s.Virtual) }
