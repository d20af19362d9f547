package site

import (
	"errors"
	"fmt"
	"sync"

	"github.com/hashicorp/hcl/v2"

	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/schema"
)

// pluginInfo is what a plugin says of itself.
type pluginInfo struct {
	name                 string
	driver               *sdk.SchemaResponse
	sink                 *sdk.SinkSchemaResponse
	driverErr, sinkErr   error
	told                 bool
	channel, device, out *shape
	point                *shape
}

var errNoSchemas = errors.New("no plugins can be asked here")

// askPlugins asks all plugins of the site for their schemas, at the same time: each has to be started for it.
func (l *loader) askPlugins() {
	drivers, sinks := l.pluginNames("channel"), l.pluginNames("sink")
	for name := range l.pluginNames("profile") {
		drivers[name] = true
	}
	var wait sync.WaitGroup
	for name := range drivers {
		p := l.plugin(name)
		wait.Go(func() { p.askDriver(l) })
	}
	for name := range sinks {
		p := l.plugin(name)
		wait.Go(func() { p.askSink(l) })
	}
	wait.Wait()
	for _, p := range l.plugins {
		p.makeShapes(l)
	}
}

// pluginNames are the plugins that blocks name in plain text. Others are asked when they are met.
func (l *loader) pluginNames(kind string) map[string]bool {
	names := map[string]bool{}
	for _, b := range l.blocks[kind] {
		e := l.find(b.body, "plugin")
		if e == nil {
			continue
		}
		if v, diags := e.Value(nil); !diags.HasErrors() && isText(v) {
			names[v.AsString()] = true
		}
	}
	return names
}

func (l *loader) plugin(name string) *pluginInfo {
	if l.plugins[name] == nil {
		l.plugins[name] = &pluginInfo{name: name}
	}
	return l.plugins[name]
}

func (p *pluginInfo) askDriver(l *loader) {
	if p.driver != nil || p.driverErr != nil {
		return
	}
	if l.options.Schemas == nil {
		p.driverErr = errNoSchemas
		return
	}
	p.driver, p.driverErr = l.options.Schemas.Driver(l.ctx, p.name)
	if p.driver == nil && p.driverErr == nil {
		p.driverErr = fmt.Errorf("plugin %s has no driver", p.name)
	}
}

func (p *pluginInfo) askSink(l *loader) {
	if p.sink != nil || p.sinkErr != nil {
		return
	}
	if l.options.Schemas == nil {
		p.sinkErr = errNoSchemas
		return
	}
	p.sink, p.sinkErr = l.options.Schemas.Sink(l.ctx, p.name)
	if p.sink == nil && p.sinkErr == nil {
		p.sinkErr = fmt.Errorf("plugin %s has no sink", p.name)
	}
}

func (p *pluginInfo) makeShapes(l *loader) {
	config := "the config block of %s for plugin " + p.name
	if p.driver != nil && p.channel == nil {
		p.channel = pluginShape(fmt.Sprintf(config, "a channel"), &p.driver.Channel)
		p.device = pluginShape(fmt.Sprintf(config, "a device"), &p.driver.Device)
		p.point = l.shapes["device"].blocks["point"].with(&p.driver.Point)
		if t := p.point.attrs["type"]; len(p.driver.PointTypes) > 0 {
			typed := *t
			typed.OneOf = p.driver.PointTypes
			p.point.attrs["type"] = &typed
			p.point.defaults = append(p.point.defaults, attr{name: "type", value: p.driver.PointTypes[0]})
		}
	}
	if p.sink != nil && p.out == nil {
		p.out = pluginShape(fmt.Sprintf(config, "a sink"), &p.sink.Config)
	}
}

// driverOf is the plugin of a channel or profile; nil when it can't be asked, which is told once.
func (l *loader) driverOf(name string, rng hcl.Range) *pluginInfo {
	p := l.plugin(name)
	p.askDriver(l)
	p.makeShapes(l)
	return p.usable(l, p.driverErr, rng)
}

// sinkOf is the plugin of a sink.
func (l *loader) sinkOf(name string, rng hcl.Range) *pluginInfo {
	p := l.plugin(name)
	p.askSink(l)
	p.makeShapes(l)
	return p.usable(l, p.sinkErr, rng)
}

func (p *pluginInfo) usable(l *loader, err error, rng hcl.Range) *pluginInfo {
	if err == nil {
		return p
	}
	if !p.told {
		p.told = true
		l.fail(rng, "Plugin not usable", "%s.", capital(err.Error()))
	}
	return nil
}

// config decodes the config block of a block by the plugin's shape.
func (l *loader) config(b *hcl.Block, sh *shape, header hcl.Range, s *Scope) (Config, bool) {
	var c *content
	if b == nil {
		c = l.decode(nil, sh, header, s)
	} else {
		c = l.decode(b.Body, sh, b.DefRange, s)
	}
	if c.bad {
		return Config{Range: c.rng}, false
	}
	return c.config(), true
}

// hostPoint is the shape of points when the plugin could not be asked: what it might know is taken without a word.
func (l *loader) hostPoint() *shape {
	sh := l.shapes["device"].blocks["point"].with(&schema.Block{})
	sh.loose = true
	return sh
}
