package site

import (
	"time"

	"github.com/hashicorp/hcl/v2"
)

// leastStale is the age at which a device's values become unknown when nothing is said and it is read often.
const leastStale = 3 * time.Second

func (l *loader) loadDevices() {
	for _, b := range l.blocks["device"] {
		l.instances(b, func(in instance) {
			d := l.device(in)
			b.entry.items[in.key] = d
			if d.Channel != nil {
				d.Channel.Devices = append(d.Channel.Devices, d)
			}
			l.site.Devices = append(l.site.Devices, d)
		})
	}
}

func (l *loader) device(in instance) *Device {
	d := &Device{Name: in.full, Range: in.rng}
	var p *pluginInfo
	if e := l.find(in.body, "channel"); e != nil {
		if d.Channel = l.channelOf(e, in.scope); d.Channel != nil && d.Channel.Plugin != "" {
			p = l.driverOf(d.Channel.Plugin, d.Channel.Range)
		}
	}
	before := l.count
	config, body := l.configOf(in.body, "a device block")
	c := l.decode(body, l.deviceShape(p), in.rng, in.scope)
	d.broken = c.bad || p == nil
	d.Profile, d.Description = c.text("profile"), c.text("description")
	if p == nil {
		l.hideByName(config)
	} else {
		var ok bool
		if d.Config, ok = l.config(config, p.device, in.rng, in.scope); !ok {
			d.broken = true
		}
	}
	l.timing(d, c)
	l.points(d, c, p, in)
	d.broken = d.broken || d.incomplete || l.count > before
	return d
}

// deviceShape is the shape of a device block whose points have the plugin's attributes too.
func (l *loader) deviceShape(p *pluginInfo) *shape { return l.withPoints("device", p) }

func (l *loader) withPoints(kind string, p *pluginInfo) *shape {
	name := kind
	if p != nil {
		name += ":" + p.name
	}
	if sh := l.shapes[name+":points"]; sh != nil {
		return sh
	}
	base := *l.shapes[kind]
	point := *base.blocks["point"]
	if p != nil {
		point.shape = p.point
	} else {
		point.shape = l.hostPoint()
	}
	base.blocks = map[string]*nestedShape{"point": &point}
	l.shapes[name+":points"] = &base
	return &base
}

func (l *loader) timing(d *Device, c *content) {
	switch {
	case c.given("every"):
		d.Every = c.duration("every")
	case d.Channel != nil:
		d.Every = d.Channel.Every
	}
	d.StaleAfter = max(3*d.Every, leastStale)
	if !c.given("stale") || c.value("stale") == nil {
		return
	}
	d.StaleAfter = c.duration("stale")
	if d.StaleAfter < 3*d.Every {
		l.fail(c.at("stale"), "Stale too early", "The device is read every %s, so its values may count as stale after %s at the earliest: a single lost reading is no failure.",
			FormatDuration(d.Every), FormatDuration(3*d.Every))
	}
}

// points gathers a device's points: those of its profile, then of its table, then its own, which change those before.
func (l *loader) points(d *Device, c *content, p *pluginInfo, in instance) {
	var all []*content
	at := map[string]int{}
	add := func(rows []*content) {
		for _, r := range rows {
			if i, ok := at[r.label]; ok {
				all[i] = merged(all[i], r)
				continue
			}
			at[r.label] = len(all)
			all = append(all, r)
		}
	}
	take := func(t *pointTable) {
		if t == nil {
			d.incomplete = true
			return
		}
		d.broken, d.incomplete = d.broken || t.broken, d.incomplete || t.broken
		add(t.rows)
	}
	e := c.expression("points")
	switch {
	case p == nil && (c.given("profile") || e != nil):
		d.incomplete = true
	case p != nil:
		if d.Profile != "" {
			take(l.profile(p, d.Profile, c.at("profile")))
		}
		if e != nil {
			take(l.table(e, p, in.scope))
		}
	}
	before := l.count
	add(l.ownPoints(c))
	d.incomplete = d.incomplete || l.count > before
	d.Points = make([]*Point, 0, len(all))
	d.byName = make(map[string]*Point, len(all))
	for _, r := range all {
		pt := l.point(d, r, p)
		if pt == nil {
			continue
		}
		d.Points = append(d.Points, pt)
		d.byName[pt.Name] = pt
	}
	l.number(d)
	for _, r := range all {
		if pt := d.byName[r.label]; pt != nil && pt.Write != nil {
			l.readBack(d, pt, r)
		}
	}
	if len(all) == 0 && !d.incomplete {
		l.fail(in.rng, "Device without points", "Device %s has no points. Give it a profile, a table (points = csv(\"FILE\")) or point blocks.", d.Name)
	}
}

// number gives the readable points their slots in the frame.
func (l *loader) number(d *Device) {
	numbers, texts := 0, 0
	for _, p := range d.Points {
		switch {
		case !p.Readable:
			p.Index = -1
		case p.Text:
			p.Index = texts
			texts++
		default:
			p.Index = numbers
			numbers++
		}
	}
}

// ownPoints are the point blocks of a device or profile, with those that stand twice told.
func (l *loader) ownPoints(c *content) []*content {
	rows := make([]*content, 0, len(c.blocks))
	seen := make(map[string]hcl.Range, len(c.blocks))
	c.each("point", func(p *content) {
		if !l.goodName(p.label, p.labelRange) {
			return
		}
		if before, ok := seen[p.label]; ok {
			l.fail(p.labelRange, "Duplicate name", "There is a point %q already, at %s.", p.label, lineOf(before))
			return
		}
		seen[p.label] = p.labelRange
		rows = append(rows, p)
	})
	return rows
}

// merged is a point with what a later block says of it in the place of what it was.
func merged(base, over *content) *content {
	out := &content{shape: over.shape, kind: over.kind, label: over.label, rng: over.rng, labelRange: over.labelRange, bad: base.bad || over.bad, table: base.table}
	out.attrs = append(out.attrs, base.attrs...)
	for _, a := range over.attrs {
		if old := out.find(a.name); old != nil {
			*old = a
		} else {
			out.attrs = append(out.attrs, a)
		}
	}
	for _, b := range base.blocks {
		if over.block(b.kind) == nil {
			out.blocks = append(out.blocks, b)
		}
	}
	for _, b := range over.blocks {
		if old := base.block(b.kind); old != nil && b.kind == "write" {
			b = merged(old, b)
		}
		out.blocks = append(out.blocks, b)
	}
	return out
}
