package site

import (
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/voltage-edge/voltage/sdk"
)

// ChannelSpec is the channel as its plugin is given it.
func (s *Site) ChannelSpec(c *Channel) sdk.ChannelSpec {
	out := sdk.ChannelSpec{Name: c.Name, Config: c.Config.Values, Devices: make([]sdk.DeviceSpec, len(c.Devices))}
	for i, d := range c.Devices {
		out.Devices[i] = d.Spec()
	}
	return out
}

// Spec is the device as its plugin is given it.
func (d *Device) Spec() sdk.DeviceSpec {
	out := sdk.DeviceSpec{Name: d.Name, Every: d.Every, Config: d.Config.Values, Points: make([]sdk.PointSpec, len(d.Points))}
	for i, p := range d.Points {
		out.Points[i] = p.spec()
	}
	return out
}

func (p *Point) spec() sdk.PointSpec {
	out := sdk.PointSpec{
		Name: p.Name, Index: p.Index, Text: p.Text, Address: p.Address, Type: p.Type, Unit: p.Unit, Scale: p.Scale, Offset: p.Offset,
		Readable: p.Readable, Writable: p.Write != nil, Config: p.Config.Values,
	}
	if p.Write != nil {
		safe := p.Write.Safe
		out.Safe = &safe
	}
	return out
}

// Locate is the place of what a plugin complains about. A path that leads nowhere gives the nearest place that there is.
func (s *Site) Locate(c *Channel, path sdk.Path) hcl.Range {
	switch {
	case len(path) == 0:
		return c.Range
	case path[0] == configBlock:
		return c.Config.locate(path[1:])
	case path[0] != "device" || len(path) < 2:
		return c.Range
	}
	for _, d := range c.Devices {
		if d.Name == path[1] {
			return d.locate(path[2:])
		}
	}
	return c.Range
}

// LocateSink is Locate for a sink's plugin.
func (s *Site) LocateSink(k *Sink, path sdk.Path) hcl.Range {
	if len(path) > 0 && path[0] == configBlock {
		return k.Config.locate(path[1:])
	}
	return k.Range
}

// locate finds an attribute, or the innermost block around it that was written.
func (c Config) locate(path sdk.Path) hcl.Range {
	for n := len(path); n > 0; n-- {
		if r, ok := c.Ranges[strings.Join(path[:n], ".")]; ok {
			return r
		}
	}
	return c.Range
}

func (d *Device) locate(path sdk.Path) hcl.Range {
	switch {
	case len(path) > 0 && path[0] == configBlock:
		return d.Config.locate(path[1:])
	case len(path) < 2 || path[0] != "point":
		return d.Range
	}
	if p := d.Point(path[1]); p != nil {
		return p.locate(path[2:])
	}
	return d.Range
}

func (p *Point) locate(path sdk.Path) hcl.Range {
	if len(path) > 0 && path[0] == configBlock {
		path = path[1:]
	}
	if len(path) == 0 {
		return p.Range
	}
	for _, x := range p.places {
		if x.name == path[0] {
			return x.hclRange()
		}
	}
	switch {
	case p.Config.Ranges != nil:
		return p.Config.locate(path)
	case path[0] == "write" && p.Write != nil:
		return p.Write.Range
	}
	return p.Range
}

// Diagnose turns a plugin's complaints about a channel into diagnostics at their place in site.hcl.
func (s *Site) Diagnose(c *Channel, diags sdk.Diagnostics) hcl.Diagnostics {
	return diagnose(diags, func(p sdk.Path) hcl.Range { return s.Locate(c, p) })
}

// DiagnoseSink is Diagnose for a sink.
func (s *Site) DiagnoseSink(k *Sink, diags sdk.Diagnostics) hcl.Diagnostics {
	return diagnose(diags, func(p sdk.Path) hcl.Range { return s.LocateSink(k, p) })
}

func diagnose(diags sdk.Diagnostics, locate func(sdk.Path) hcl.Range) hcl.Diagnostics {
	var out hcl.Diagnostics
	for _, d := range diags {
		severity := hcl.DiagError
		if d.Severity == sdk.Warning {
			severity = hcl.DiagWarning
		}
		out = append(out, &hcl.Diagnostic{Severity: severity, Summary: d.Summary, Detail: d.Detail, Subject: locate(d.Path).Ptr()})
	}
	return out
}
