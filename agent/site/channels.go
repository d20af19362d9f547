package site

import (
	"github.com/hashicorp/hcl/v2"
)

func (l *loader) loadChannels() {
	for _, b := range l.blocks["channel"] {
		l.instances(b, func(in instance) {
			config, body := l.configOf(in.body, "a channel block")
			c := l.decode(body, l.shapes["channel"], in.rng, in.scope)
			ch := &Channel{
				Name: in.full, Plugin: c.text("plugin"), Description: c.text("description"), Every: c.duration("every"), Range: in.rng, broken: c.bad,
			}
			b.entry.items[in.key] = ch
			var p *pluginInfo
			if ch.Plugin != "" {
				p = l.driverOf(ch.Plugin, c.at("plugin"))
			}
			if p == nil {
				ch.broken = true
				l.hideByName(config)
				return
			}
			var ok bool
			if ch.Config, ok = l.config(config, p.channel, in.rng, in.scope); !ok {
				ch.broken = true
			}
			l.site.Channels = append(l.site.Channels, ch)
		})
	}
}

// channelOf is the channel that a device names; nil: there is none, which has been told.
func (l *loader) channelOf(e hcl.Expression, s *Scope) *Channel {
	t, ok := s.asTraversal(e)
	if !ok || t.RootName() != "channel" {
		l.fail(e.Range(), "Wrong value", "A channel is wanted: channel.NAME.")
		return nil
	}
	item, rest, quiet, diags := s.findItem("channel", t)
	if l.take(diags); quiet || diags.HasErrors() {
		return nil
	}
	if len(rest) > 0 {
		l.fail(rest.SourceRange(), "Name too long", "A channel is wanted: %s.", traversalText(t[:len(t)-len(rest)]))
		return nil
	}
	return item.(*Channel)
}

func (l *loader) loadSinks() {
	for _, b := range l.blocks["sink"] {
		l.instances(b, func(in instance) {
			config, body := l.configOf(in.body, "a sink block")
			c := l.decode(body, l.shapes["sink"], in.rng, in.scope)
			k := &Sink{
				Name: in.full, Plugin: c.text("plugin"), Description: c.text("description"), Include: c.list("include"), Exclude: c.list("exclude"),
				BatchSize: int(c.number("batch_size")), FlushInterval: c.duration("flush_interval"), Range: in.rng,
			}
			for _, name := range []string{"include", "exclude"} {
				l.checkPatterns(c, name)
			}
			b.entry.items[in.key] = k
			var p *pluginInfo
			if k.Plugin != "" {
				p = l.sinkOf(k.Plugin, c.at("plugin"))
			}
			if p == nil {
				l.hideByName(config)
				return
			}
			var ok bool
			if k.Config, ok = l.config(config, p.out, in.rng, in.scope); ok && !c.bad {
				l.site.Sinks = append(l.site.Sinks, k)
			}
		})
	}
}
