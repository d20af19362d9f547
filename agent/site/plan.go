package site

import (
	"fmt"
	"slices"
	"strings"

	"github.com/voltage-edge/voltage/sdk"
)

// Plan is what a reload would change.
type Plan struct {
	// Changes in the order in which people read them: by kind, then by name.
	Changes []Change `json:"changes"`
	// Outputs are the points that take set-points and that a change touches: their limits differ, their channel starts anew,
	// they are new or gone.
	Outputs []string `json:"outputs,omitempty"`
	// Restart says why the agent has to be started anew: what a reload can't change.
	Restart []string `json:"restart,omitempty"`
}

// The actions of a Change.
const (
	ActionAdd    = "add"
	ActionChange = "change"
	ActionRemove = "remove"
)

// Change is one item that differs.
type Change struct {
	Action string `json:"action"` // add, change or remove
	Kind   string `json:"kind"`   // channel, device, model, alarm, rule, sink, …
	Name   string `json:"name,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// planKinds are the kinds of items, in the order of a plan.
var planKinds = []string{"site", "store", "journal", "api", "library", "plugin", "channel", "device", "model", "alarm", "rule", "chain", "window", "sequence", "schedule", "sink", "route", rootContact, rootNotification}

// Diff says what differs between two sites without errors. An old one of nil is an empty site.
func Diff(old, new *Site) Plan {
	if old == nil {
		old = &Site{Store: new.Store}
	}
	before, after := old.hashes, new.hashes
	if len(before) == 0 {
		before = map[string]string{"store ": after["store "], "journal ": after["journal "], "api ": after["api "]}
	}
	var p Plan
	for _, key := range sortedKeys(before) {
		switch now, ok := after[key]; {
		case !ok:
			p.add(ActionRemove, key, "")
		case now != before[key]:
			p.add(ActionChange, key, detailOf(old, new, key))
		}
	}
	for _, key := range sortedKeys(after) {
		if _, ok := before[key]; !ok {
			p.add(ActionAdd, key, "")
		}
	}
	slices.SortStableFunc(p.Changes, func(a, b Change) int {
		if a.Kind != b.Kind {
			return slices.Index(planKinds, a.Kind) - slices.Index(planKinds, b.Kind)
		}
		return strings.Compare(a.Name, b.Name)
	})
	p.Outputs = touchedOutputs(old, new)
	p.restarts(old, new)
	return p
}

func (p *Plan) add(action, key, detail string) {
	kind, name, _ := strings.Cut(key, " ")
	p.Changes = append(p.Changes, Change{Action: action, Kind: kind, Name: name, Detail: detail})
}

// restarts says what only a restart can change.
func (p *Plan) restarts(old, new *Site) {
	if old.hashes == nil {
		return
	}
	if old.Name != new.Name {
		p.Restart = append(p.Restart, fmt.Sprintf("The site is called %s, and was %s: everything that is kept goes by its name.", new.Name, old.Name))
	}
	if old.hashes["store "] != new.hashes["store "] {
		p.Restart = append(p.Restart, "The store block differs: Redis is connected to once, at the start.")
	}
}

// Hash is the hash of an item's content ("channel", "lan"): what it does, and not how it is laid out. A channel's covers
// its devices and their points. It is empty for what is not there.
func (s *Site) Hash(kind, name string) string { return s.hashes[kind+" "+name] }

// Changed tells whether an item differs between the two sites of the plan, was added or removed.
func (p Plan) Changed(kind, name string) bool {
	return slices.ContainsFunc(p.Changes, func(c Change) bool { return c.Kind == kind && c.Name == name })
}

// Empty tells whether nothing differs.
func (p Plan) Empty() bool { return len(p.Changes) == 0 }

// String is the plan for a terminal.
func (p Plan) String() string {
	if p.Empty() {
		return "Nothing changes.\n"
	}
	var b strings.Builder
	signs := map[string]string{ActionAdd: "+", ActionChange: "~", ActionRemove: "-"}
	for _, c := range p.Changes {
		line := signs[c.Action] + " " + c.Kind
		if c.Name != "" {
			line += " " + c.Name
		}
		if c.Detail != "" {
			line += ": " + c.Detail
		}
		b.WriteString(line + "\n")
	}
	if len(p.Outputs) > 0 {
		b.WriteString("Outputs touched: " + strings.Join(p.Outputs, ", ") + "\n")
	}
	for _, r := range p.Restart {
		b.WriteString("Needs a restart of the agent: " + r + "\n")
	}
	return b.String()
}

// touchedOutputs are outputs that are new or gone, whose limits differ, or whose channel starts anew.
func touchedOutputs(old, new *Site) []string {
	hash := func(s *Site) map[string]string {
		out := map[string]string{}
		for _, d := range s.Devices {
			for _, p := range d.Points {
				if p.Write == nil {
					continue
				}
				h := newDigest()
				h.write(p.Write)
				h.text(s.hashes["channel "+d.Channel.Name])
				out[p.FullName()] = h.sum()
			}
		}
		return out
	}
	before, after := hash(old), hash(new)
	var out []string
	for _, name := range sortedKeys(before) {
		if before[name] != after[name] {
			out = append(out, name)
		}
	}
	for name := range after {
		if _, ok := before[name]; !ok {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// detailOf says in words what differs in an item that is there before and after.
func detailOf(old, new *Site, key string) string {
	kind, name, _ := strings.Cut(key, " ")
	switch kind {
	case "device":
		return deviceDetail(old.Device(name), new.Device(name))
	case "channel":
		return channelDetail(old, new, old.Channel(name), new.Channel(name))
	case "rule":
		return ruleDetail(old.Rule(name), new.Rule(name))
	case "chain", "window", "sequence":
		return flowDetail(old.Flow(name), new.Flow(name))
	case "alarm":
		return alarmDetail(old.Alarm(name), new.Alarm(name))
	}
	return ""
}

func enabledDetail(disabled bool) string {
	if disabled {
		return "no longer enabled"
	}
	return "enabled"
}

func ruleDetail(a, b *Rule) string {
	switch {
	case a == nil || b == nil:
	case a.Disabled != b.Disabled:
		return enabledDetail(b.Disabled)
	case a.Priority != b.Priority:
		return fmt.Sprintf("priority %d, was %d", b.Priority, a.Priority)
	}
	return ""
}

func channelDetail(old, new *Site, a, b *Channel) string {
	if a == nil || b == nil {
		return ""
	}
	var parts []string
	ha, hb := newDigest(), newDigest()
	ha.values(a.Config.Values)
	hb.values(b.Config.Values)
	if a.Plugin != b.Plugin {
		parts = append(parts, fmt.Sprintf("plugin %s, was %s", b.Plugin, a.Plugin))
	} else {
		if old.hashes["plugin "+a.Plugin] != new.hashes["plugin "+b.Plugin] {
			parts = append(parts, "its plugin")
		}
		if ha.sum() != hb.sum() {
			parts = append(parts, "its config")
		}
	}
	var devices []string
	for _, d := range a.Devices {
		if after := new.Device(d.Name); after == nil || after.Channel != b || after.specHash != d.specHash {
			devices = append(devices, d.Name)
		}
	}
	for _, d := range b.Devices {
		if before := old.Device(d.Name); before == nil || before.Channel != a {
			devices = append(devices, d.Name)
		}
	}
	if len(devices) > 0 {
		parts = append(parts, "devices "+thereAre(devices))
	}
	if len(parts) == 0 {
		return "starts anew"
	}
	return "starts anew for " + strings.Join(parts, ", ")
}

func deviceDetail(a, b *Device) string {
	if a == nil || b == nil {
		return ""
	}
	var parts []string
	if a.Channel.Name != b.Channel.Name {
		parts = append(parts, fmt.Sprintf("on channel %s, was %s", b.Channel.Name, a.Channel.Name))
	}
	if a.Every != b.Every {
		parts = append(parts, fmt.Sprintf("read every %s, was %s", FormatDuration(b.Every), FormatDuration(a.Every)))
	}
	var added, changed, removed []string
	for _, p := range b.Points {
		switch q := a.Point(p.Name); {
		case q == nil:
			added = append(added, p.Name)
		case !samePoint(p, q):
			changed = append(changed, p.Name)
		}
	}
	for _, q := range a.Points {
		if b.Point(q.Name) == nil {
			removed = append(removed, q.Name)
		}
	}
	for _, x := range []struct {
		what  string
		names []string
	}{{"new points ", added}, {"changed points ", changed}, {"points gone ", removed}} {
		if len(x.names) > 0 {
			parts = append(parts, x.what+thereAre(x.names))
		}
	}
	return strings.Join(parts, "; ")
}

func samePoint(a, b *Point) bool {
	of := func(p *Point) string {
		d := newDigest()
		d.point(p)
		d.spec(sdk.DeviceSpec{Points: []sdk.PointSpec{p.spec()}})
		return d.sum()
	}
	return of(a) == of(b)
}
