package intake

import (
	"context"

	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/store"
	"github.com/voltage-edge/voltage/agent/virtual"
)

// replaceVirtual makes the virtual devices of a site anew. What the clock alone says of them is known at once, the states of
// alarms and the results of windows when the libraries were asked. accept is held, or nothing runs yet.
func (in *Intake) replaceVirtual(s *site.Site) {
	in.virtual = virtual.New(s)
	in.askStates = in.virtual.Follows()
	now := max(in.clock, in.millis())
	in.clock = now
	in.giveVirtual(in.virtual.Start(now))
}

// advanceVirtual takes the frames of virtual devices that the clock brings up to now. accept is held.
func (in *Intake) advanceVirtual(now int64) { in.giveVirtual(in.virtual.Advance(now)) }

// giveVirtual takes frames of virtual devices. accept is held.
func (in *Intake) giveVirtual(frames []virtual.Frame) {
	byName := in.live.layout.Load().byName
	for _, f := range frames {
		d := byName[f.Device]
		if d == nil {
			continue
		}
		v, err := d.open(f.Packed)
		if err != nil {
			in.log.Error("can't read a frame made here", "device", d.name, "error", err)
			continue
		}
		in.clock = max(in.clock, f.Millis)
		d.ever = true
		in.take(d, v, in.clock)
	}
}

// passTime takes what the clock brings of virtual devices up to now, and tells when it brings more; 0: never.
func (in *Intake) passTime(now int64) int64 {
	in.accept.Lock()
	defer in.accept.Unlock()
	in.advanceVirtual(max(now, in.clock))
	return in.virtual.Due()
}

// follow takes what a batch changed in virtual devices.
func (in *Intake) follow(res store.Result) {
	if len(res.Events)+len(res.Windows) == 0 {
		return
	}
	in.accept.Lock()
	defer in.accept.Unlock()
	if !in.virtual.Follows() {
		return
	}
	for _, e := range res.Events {
		in.giveVirtual(in.virtual.Follow(e, in.stamp()))
	}
	in.giveVirtual(in.virtual.Results(res.Windows, in.stamp()))
}

// forgot notes that Redis lost the frames that are made of what it keeps itself, or that a batch's answer was lost, and with it
// the results of windows.
func (in *Intake) forgot() {
	in.accept.Lock()
	defer in.accept.Unlock()
	in.askStates = in.virtual.Follows()
}

// learnStates asks for the states of alarms and the results of windows when they are not known. Until it succeeds they stay unknown to conditions.
func (in *Intake) learnStates(ctx context.Context) {
	in.accept.Lock()
	ask := in.askStates && in.o.States != nil
	in.accept.Unlock()
	if !ask {
		return
	}
	states, err := in.o.States(ctx)
	if err != nil {
		in.log.Warn("the states of alarms and the results of windows that conditions read are not known yet; they are asked for again", "error", err)
		return
	}
	in.accept.Lock()
	defer in.accept.Unlock()
	in.askStates = false
	in.giveVirtual(in.virtual.Learn(states, in.stamp()))
}
