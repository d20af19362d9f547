package site

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"sort"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/voltage-edge/voltage/sdk"
)

// digest hashes the content of an item: what it does, not how it is laid out or where it stands.
type digest struct{ b []byte }

func newDigest() *digest { return &digest{} }

func (d *digest) sum() string {
	h := sha256.Sum256(d.b)
	return hex.EncodeToString(h[:])[:16]
}

func (d *digest) text(texts ...string) {
	for _, s := range texts {
		d.int(int64(len(s)))
		d.b = append(d.b, s...)
	}
}

func (d *digest) int(values ...int64) {
	for _, v := range values {
		d.b = binary.LittleEndian.AppendUint64(d.b, uint64(v))
	}
}

func (d *digest) number(values ...float64) {
	for _, v := range values {
		d.int(int64(math.Float64bits(v)))
	}
}

func (d *digest) flag(values ...bool) {
	for _, v := range values {
		if v {
			d.int(1)
		} else {
			d.int(0)
		}
	}
}

func (d *digest) values(v sdk.Values) {
	d.int(int64(len(v)))
	for _, name := range sortedKeys(v) {
		d.text(name)
		d.any(v[name])
	}
}

func (d *digest) any(v any) {
	switch v := v.(type) {
	case string:
		d.text("s", v)
	case float64:
		d.number(v)
	case bool:
		d.flag(v)
	case sdk.Values:
		d.values(v)
	case []sdk.Values:
		d.int(int64(len(v)))
		for _, e := range v {
			d.values(e)
		}
	case map[string]string:
		d.int(int64(len(v)))
		for _, k := range sortedKeys(v) {
			d.text(k, v[k])
		}
	default:
		d.text(fmt.Sprintf("%T%q", v, v))
	}
}

// spec hashes what a plugin is given of a device: only when that differs has its channel to start anew.
func (d *digest) spec(x sdk.DeviceSpec) {
	d.text(x.Name)
	d.int(int64(x.Every), int64(len(x.Points)))
	d.values(x.Config)
	for _, p := range x.Points {
		d.text(p.Name, p.Type, p.Unit, p.Address)
		d.number(p.Scale, p.Offset)
		d.flag(p.Text, p.Readable, p.Writable)
		if p.Safe != nil {
			d.number(*p.Safe)
		}
		d.values(p.Config)
	}
}

func specHash(x *Device) string {
	d := newDigest()
	d.spec(x.Spec())
	return d.sum()
}

// point hashes what the plugin is not told of a point.
func (d *digest) point(p *Point) {
	d.text(p.Name, p.Description)
	d.any(p.Tags)
	if v := p.Valid; v != nil {
		d.number(v.Min, v.Max)
	}
	if w := p.Write; w != nil {
		d.write(w)
	}
}

func (d *digest) write(w *Write) {
	d.number(w.Min, w.Max, w.Ramp, w.Safe)
	d.int(int64(w.MinInterval), int64(w.Refresh))
	if r := w.ReadBack; r != nil {
		d.number(r.Within)
		d.int(int64(r.After))
		if r.Point != nil {
			d.text(r.Point.Name)
		}
	}
}

func (d *digest) device(x *Device) {
	d.text(x.Channel.Name, x.Description)
	d.int(int64(x.StaleAfter))
	d.text(x.specHash)
	for _, p := range x.Points {
		d.point(p)
	}
}

// expression hashes an expression by its tokens, and the values of the constants that it names. Names over live values
// are hashed as they are written: what they stand for has hashes of its own, but a live local has not.
func (d *digest) expression(l *loader, e Expr) {
	if !e.Given() {
		d.text("")
		return
	}
	d.tokens(l, e.Range())
	for _, t := range e.Variables() {
		name, _, _ := attributeOf(t)
		switch root := t.RootName(); root {
		case rootParameter:
			d.parameter(l, e.Scope, name, t)
		case rootVariable, rootEach, rootLocal:
			if live, ok := e.Scope.Live[name]; ok && root == rootLocal {
				d.text(l.hashLocal(name, live))
				continue
			}
			v, diags := hcl.Traversal.TraverseAbs(t, e.Scope.Constants)
			if !diags.HasErrors() {
				d.value(v)
			}
		}
	}
}

// parameter hashes what a parameter of a rule template stands for.
func (d *digest) parameter(l *loader, s *Scope, name string, t hcl.Traversal) {
	b := s.bound[name]
	switch {
	case b != nil && b.mapping != nil:
		if x, ok := b.mapping.Value.Expression.(*hclsyntax.LiteralValueExpr); ok {
			d.value(x.Val)
			return
		}
		d.expression(l, b.mapping.Value)
	case b != nil:
		d.text(b.label)
	default:
		if v, diags := t.TraverseAbs(s.Constants); !diags.HasErrors() {
			d.value(v)
		}
	}
}

// hashLocal is the hash of a live local, made once: locals that refer to locals would take for ever else.
func (l *loader) hashLocal(name string, e Expr) string {
	x := l.locals[name]
	if x.hash == "" {
		d := newDigest()
		d.expression(l, e)
		x.hash = d.sum()
	}
	return x.hash
}

func (d *digest) value(v cty.Value) {
	v, _ = v.UnmarkDeep()
	if b, err := ctyjson.Marshal(v, v.Type()); err == nil {
		d.text(string(b))
	}
}

// tokens hashes a piece of source without its blanks and comments.
func (d *digest) tokens(l *loader, r hcl.Range) {
	f := l.site.Sources[r.Filename]
	if f == nil || r.Start.Byte < 0 || r.End.Byte > len(f.Bytes) || r.Start.Byte > r.End.Byte {
		d.text(r.String())
		return
	}
	tokens, _ := hclsyntax.LexExpression(f.Bytes[r.Start.Byte:r.End.Byte], r.Filename, r.Start)
	for _, t := range tokens {
		if t.Type != hclsyntax.TokenComment && t.Type != hclsyntax.TokenNewline {
			d.text(string(t.Bytes))
		}
	}
}

// hashAll gives each item the hash of its content.
func (l *loader) hashAll() {
	if l.diags.HasErrors() {
		return
	}
	s := l.site
	put := func(kind, name string, f func(d *digest)) {
		d := newDigest()
		f(d)
		s.hashes[kind+" "+name] = d.sum()
	}
	for _, x := range s.Devices {
		x.specHash = specHash(x)
		put("device", x.Name, func(d *digest) { d.device(x) })
	}
	for _, c := range s.Channels {
		put("channel", c.Name, func(d *digest) {
			d.plugin(l.site, c.Plugin)
			d.values(c.Config.Values)
			d.int(int64(len(c.Devices)))
			for _, x := range c.Devices {
				d.text(x.specHash)
			}
		})
	}
	for _, m := range s.Models {
		put("model", m.Name, func(d *digest) { d.model(l, m) })
	}
	for _, a := range s.Alarms {
		put("alarm", a.Name, func(d *digest) { d.alarm(l, a) })
	}
	for _, r := range s.Rules {
		put("rule", r.Name, func(d *digest) { d.rule(l, r) })
	}
	for _, x := range s.Schedules {
		put("schedule", x.Name, func(d *digest) { d.text(x.written...) })
	}
	for _, x := range s.Flows() {
		put(x.FlowKind(), x.FlowName(), func(d *digest) { d.flow(l, x) })
	}
	for _, k := range s.Sinks {
		put("sink", k.Name, func(d *digest) {
			d.plugin(l.site, k.Plugin)
			d.values(k.Config.Values)
			d.text(fmt.Sprintf("%q %q", k.Include, k.Exclude))
			d.int(int64(k.BatchSize), int64(k.FlushInterval))
		})
	}
	for _, r := range s.Routes {
		put("route", r.Name, func(d *digest) { d.route(l, r) })
	}
	for _, x := range s.Contacts {
		put(rootContact, x.Name, func(d *digest) { d.contact(x) })
	}
	for _, x := range s.Notifications {
		put(rootNotification, x.Name, func(d *digest) { d.notification(x) })
	}
	l.hashSettings(put)
}

func (l *loader) hashSettings(put func(kind, name string, f func(d *digest))) {
	s := l.site
	for _, p := range s.Plugins {
		put("plugin", p.Name, func(d *digest) { d.plugin(s, p.Name) })
	}
	for _, x := range s.Libraries {
		put("library", x.Name, func(d *digest) { d.text(x.File, x.Version, string(l.inputs[x.File])) })
	}
	put("site", s.Name, func(d *digest) { d.text(s.Name, s.Location.String()) })
	put("store", "", func(d *digest) {
		st := s.Store
		st.Range = hcl.Range{}
		type plain Store
		d.text(fmt.Sprintf("%+v", plain(st)))
	})
	put("journal", "", func(d *digest) { d.int(s.Journal.MaxBytes, int64(s.Journal.MaxAge), int64(s.Journal.Sync)) })
	put("api", "", func(d *digest) { d.text(s.API.Listen, s.API.CertFile, s.API.KeyFile, s.API.Token) })
}

// plugin hashes which program a plugin is: what it serves starts anew with it.
func (d *digest) plugin(s *Site, name string) {
	d.text(name)
	for _, p := range s.Plugins {
		if p.Name == name {
			d.text(p.Path, p.Version)
			d.any(p.Env)
		}
	}
}

func (d *digest) model(l *loader, m *Model) {
	d.text(m.Template.Name, m.Description)
	for _, name := range sortedKeys(m.Properties) {
		d.text(name)
		d.any(m.Properties[name])
	}
	for _, x := range m.Measurements {
		d.text(x.Measurement.Name, x.Measurement.Unit)
		d.expression(l, x.Value)
	}
	for _, a := range m.Actions {
		d.text(a.Action.Name, a.Action.Unit, a.Output.FullName())
		d.number(a.Factor)
	}
}

func (d *digest) alarm(l *loader, a *Alarm) {
	d.expression(l, a.When)
	d.expression(l, a.Value)
	d.kind(l, a.Kind)
	d.int(int64(a.For), int64(a.OffDelay), int64(a.ReAlarm), int64(a.MaxShelve))
	d.number(a.Deadband)
	d.text(a.Description, a.Priority, a.Message, string(a.Unknown), a.FirstOut)
	d.flag(a.Latching, a.Confirm, a.Disabled)
	by := append([]string{}, a.SuppressedBy...)
	sort.Strings(by)
	d.text(by...)
}

func (d *digest) rule(l *loader, r *Rule) {
	d.expression(l, r.When)
	d.text(r.Description, r.On, r.Initial, string(r.Unknown))
	d.int(int64(r.For), int64(r.KeepFor), int64(r.Cooldown), int64(r.Priority))
	d.flag(r.Disabled, r.Hysteresis != nil, r.Throttle != nil)
	if h := r.Hysteresis; h != nil {
		d.number(h.On, h.Off)
	}
	if t := r.Throttle; t != nil {
		d.int(int64(t.Count), int64(t.Per))
	}
	d.actions(l, Actions{Sets: r.Sets, Effects: r.Effects})
}
