package daemon

import (
	"context"
	"errors"
	"strings"

	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/replay"
	"github.com/voltage-edge/voltage/agent/sink"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/store"
)

// routingOf is what goes to a sink: what its routes say, or, when it has none, its own include and exclude.
func (a *Agent) routingOf(k *site.Sink, programs *compile.Programs) *sink.Routing {
	for _, r := range programs.Routes {
		if r.Sink.Name == k.Name {
			return a.routed(r)
		}
	}
	return sink.Everything(site.NewSelection(k.Include, k.Exclude).Match)
}

func (a *Agent) routed(r *compile.Routing) *sink.Routing {
	out := &sink.Routing{Shaper: shaper{a}}
	if len(r.Program.Chunks) > 0 {
		out.Revision = r.Program.Revision
	}
	for _, d := range r.Devices {
		t := replay.TableOf(d)
		out.Tables = append(out.Tables, &t)
	}
	for _, x := range r.Routes {
		route := sink.Route{Name: x.Name, Events: x.Events}
		if x.Points && len(x.Tags) == 0 { // the tags of a point that is gone are not known
			route.Takes = takesGone(x)
		}
		out.Routes = append(out.Routes, route)
	}
	for _, g := range r.Groups {
		group := sink.Group{Route: g.Route, Text: g.Text, Shaped: g.Shaped}
		if g.Device != nil {
			group.Device = g.Device.Name
		}
		for _, s := range g.Streams {
			stream := sink.Stream{Device: s.Device, Name: s.Name, Unit: s.Unit, Tags: s.Tags}
			if s.Point != nil {
				stream.Point, stream.FromUnit, stream.Slot = s.Point.Name, s.Point.Unit, s.Point.Index
			} else {
				stream.Unit = g.Unit
			}
			group.Streams = append(group.Streams, stream)
		}
		out.Groups = append(out.Groups, group)
	}
	return out
}

// takesGone tells whether a route takes a point that a device has no longer. What the agent's own devices have are no points.
func takesGone(r *site.Route) func(string) bool {
	chosen := site.NewSelection(r.Include, r.Exclude)
	return func(name string) bool {
		device := name[:max(strings.LastIndexByte(name, '.'), 0)]
		return !site.IsVirtual(device) && chosen.Match(name)
	}
}

// shaper has the store run the routes' programs.
type shaper struct{ a *Agent }

// Shape is the store's.
func (x shaper) Shape(ctx context.Context, r sink.ShapeRequest) (sink.ShapeReply, error) {
	req := store.ShapeRequest{Sink: r.Sink, Revision: r.Revision, Base: r.Base, From: r.From, To: r.To, Frames: make([]store.Frame, len(r.Frames))}
	for i, f := range r.Frames {
		req.Frames[i] = store.Frame{Device: f.Device, Millis: f.Millis, Packed: f.Packed}
	}
	got, err := x.a.store.Shape(ctx, req)
	var d *store.Displaced
	if errors.As(err, &d) {
		return sink.ShapeReply{}, &sink.Misplaced{Base: d.Base, To: d.To}
	}
	if err != nil {
		return sink.ShapeReply{}, err
	}
	reply := sink.ShapeReply{Fresh: got.Fresh, Samples: got.Samples}
	for _, c := range got.Counts {
		reply.Counts = append(reply.Counts, sink.GroupCounts{Group: c.Group, Counts: sink.Counts{
			Taken: c.Taken, Passed: c.Passed, Early: c.Early, Unchanged: c.Unchanged, Refused: c.Refused, Failed: c.Failed,
		}})
	}
	return reply, nil
}

// Forget is the store's.
func (x shaper) Forget(ctx context.Context, name string) error {
	return x.a.store.ForgetRoutes(ctx, name)
}

// routingKey differs when what goes to a sink, or how it is shaped, does.
func routingKey(s *site.Site, k *site.Sink, programs *compile.Programs) string {
	var b strings.Builder
	for _, r := range programs.Routes {
		if r.Sink.Name != k.Name {
			continue
		}
		b.WriteString(r.Program.Revision)
		for _, x := range r.Routes {
			b.WriteString(" " + x.Name + " " + s.Hash("route", x.Name))
		}
		for _, g := range r.Groups {
			if g.Device != nil {
				b.WriteString(" " + s.Hash("device", g.Device.Name))
			}
		}
	}
	return b.String()
}
