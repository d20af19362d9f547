package site

import "slices"

func (l *loader) sequence(in instance, c *content) (*Sequence, bool) {
	q := &Sequence{
		Name: in.full, Description: c.text("description"), Every: c.flag("every"), Group: int(c.number("group")), Within: c.duration("within"),
		Strict: c.flag("strict"), Priority: int(c.number("priority")), Disabled: l.switched(in.full, !c.flag("enabled")), Range: in.rng,
	}
	r := &stepReader{loader: l, scope: in.scope, devices: map[string]*Device{}, lists: map[string]bool{}, sound: true}
	c.each("step", func(b *content) { q.Steps = append(q.Steps, r.step(b)) })
	if c.given("group") && !q.Every {
		l.fail(c.at("group"), "Attribute without a use", "\"group\" says when the next attempt begins, and without every = true there is one only.")
	}
	if q.Group > len(q.Steps) && len(q.Steps) > 0 {
		l.fail(c.at("group"), "Wrong value", "\"group\": the sequence has %d steps only.", len(q.Steps))
	}
	does, ok := l.someFiring(c, in.scope, captured(r.devices, r.lists), true)
	q.Actions = does
	return q, r.sound && ok && !c.bad
}

// stepReader reads the steps of a sequence: what comes later may read what was captured before.
type stepReader struct {
	*loader
	scope   *Scope
	devices map[string]*Device
	lists   map[string]bool
	names   []string
	sound   bool
}

// name takes the name of a step or part.
func (r *stepReader) name(c *content) {
	if !r.ownName(c.label, c.labelRange) {
		r.sound = false
		return
	}
	if slices.Contains(r.names, c.label) {
		r.fail(c.labelRange, "Duplicate name", "This sequence has a step or part %q already.", c.label)
	}
	r.names = append(r.names, c.label)
}

func (r *stepReader) step(c *content) Step {
	r.name(c)
	var s Step
	all, anyOf, repeat := c.block("all"), c.block("any"), c.block("repeat")
	several := all != nil || anyOf != nil
	s.Range = c.rng
	if several {
		for _, name := range []string{"device", "where", "absent", "for"} {
			if c.given(name) || c.expression(name) != nil {
				r.fail(c.at(name), "Attribute without a use", "A step with all or any says in its parts what is looked for.")
			}
		}
		if all != nil && anyOf != nil || repeat != nil {
			r.fail(c.rng, "Two kinds of step", "A step repeats, or has all of several parts, or any of them. Make several steps of it.")
		}
		for _, group := range []struct {
			block *content
			into  *[]Part
		}{{all, &s.All}, {anyOf, &s.Any}} {
			if group.block == nil {
				continue
			}
			var parts []*content
			group.block.each("part", func(b *content) {
				r.name(b)
				parts = append(parts, b)
			})
			for _, b := range parts {
				*group.into = append(*group.into, r.part(b, group.block == all))
			}
		}
		return s
	}
	if repeat != nil {
		s.Repeat, s.Min, s.Max = true, int(repeat.number("min")), int(repeat.number("max"))
		r.lists[c.label] = true
		if s.Max > 0 && s.Max < s.Min {
			r.fail(repeat.at("max"), "Wrong value", "\"max\" is less than \"min\".")
		}
	}
	s.Part = r.part(c, false)
	if repeat != nil && s.Absent {
		r.fail(repeat.rng, "Two kinds of step", "What must not come can't repeat.")
	}
	return s
}

// part reads a step or part. timeless: an absence need not have a time.
func (r *stepReader) part(c *content, timeless bool) Part {
	p := Part{As: c.label, Absent: c.flag("absent"), For: c.duration("for"), Range: c.rng}
	if c.expression("device") == nil && !c.misspelt["device"] {
		r.fail(c.rng, "Missing attribute", "%s needs \"device\": whose frames it looks at.", capital(c.shape.title))
	}
	p.Device = r.deviceNamed(c, "device", r.scope)
	if !p.Absent {
		r.devices[c.label] = p.Device
	}
	where, ok := r.optional(c, "where", r.scope, firstOf(pointsOf(p.Device), captured(r.devices, r.lists)))
	p.Where = where
	r.sound = r.sound && ok && p.Device != nil
	switch {
	case p.Absent && !c.given("for") && !timeless && !c.misspelt["for"]:
		r.fail(c.rng, "Missing attribute", "%s that is absent needs \"for\": for how long nothing may come.", capital(c.shape.title))
	case !p.Absent && c.given("for"):
		r.fail(c.at("for"), "Attribute without a use", "\"for\" says for how long nothing may come, and goes with absent = true.")
	}
	if p.Absent {
		p.As = ""
	}
	return p
}
