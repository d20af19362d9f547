package compile

import (
	"fmt"
	"strings"

	"github.com/voltage-edge/voltage/agent/site"
)

// deeds are what a rule or flow does when it fires, checked.
type deeds struct {
	site.Actions
	// sets has the value of each set, fields those of each effect, by name.
	sets   []*node
	fields []map[string]*node
	ok     bool
}

// deeds checks what a rule or flow does; check reads an expression.
func (c *compiler) deeds(a site.Actions, check func(site.Expr) *node) deeds {
	x := deeds{Actions: a, sets: make([]*node, len(a.Sets)), fields: make([]map[string]*node, len(a.Effects)), ok: true}
	for i, set := range a.Sets {
		x.sets[i] = c.setValue(set, check(set.Value))
		x.ok = x.ok && x.sets[i] != nil
	}
	for i, e := range a.Effects {
		x.fields[i] = map[string]*node{}
		for _, name := range sortedKeys(e.Fields) {
			n := check(e.Fields[name])
			x.fields[i][name] = n
			x.ok = x.ok && n != nil
		}
	}
	return x
}

// nodes are all that the actions read.
func (x deeds) nodes() []*node {
	out := append([]*node{}, x.sets...)
	for _, fields := range x.fields {
		for _, name := range sortedKeys(fields) {
			out = append(out, fields[name])
		}
	}
	return out
}

// write writes the fields set and effects. False: an expression is too large, which has been told.
func (x deeds) write(c *compiler, d *devices, o *object) bool {
	o.note(d, x.nodes()...)
	sets := make([]string, len(x.sets))
	for i, set := range x.Sets {
		lua, fits := c.set(d, o, set, x.sets[i], i)
		if !fits {
			return false
		}
		sets[i] = lua
	}
	o.raw("set", list(sets))
	if len(x.Effects) == 0 {
		return true
	}
	effects := make([]string, len(x.Effects))
	for i, e := range x.Effects {
		lua, fits := c.effect(d, o, e, x.fields[i])
		if !fits {
			return false
		}
		effects[i] = lua
	}
	o.raw("effects", list(effects))
	return true
}

func (c *compiler) effect(d *devices, o *object, e *site.Effect, values map[string]*node) (string, bool) {
	s := &object{takes: o.takes}
	s.text("kind", e.Kind)
	s.text("name", e.Name)
	if e.Kind == site.EffectRaise {
		s.text("priority", e.Priority)
		s.text("message", e.Message)
	}
	if e.Kind == site.EffectPublish {
		var fields []string
		for _, name := range sortedKeys(values) {
			f := &object{takes: o.takes}
			f.text("name", name)
			lua, ok := d.whole(values[name])
			if !ok {
				c.tooLarge(e.Fields[name].Range())
				return "", false
			}
			f.expression("value", values[name], lua)
			fields = append(fields, "{ "+f.b.String()+" }")
			s.revised.WriteString(f.revised.String())
		}
		s.raw("fields", "{"+strings.Join(fields, ", ")+"}")
	}
	fmt.Fprintf(&o.revised, "effect={%s};", s.revised.String())
	return "{ " + s.b.String() + " }", true
}
