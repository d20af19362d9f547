package site

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/voltage-edge/voltage/agent/spelling"
)

// profileFolder is where a site keeps register maps of its own.
const profileFolder = "profiles"

// loadProfiles reads the profile blocks, used or not, so that all that is wrong is told.
func (l *loader) loadProfiles() {
	for _, b := range l.blocks["profile"] {
		name := l.find(b.body, "plugin")
		var p *pluginInfo
		if name != nil {
			if v, diags := name.Value(l.scope.Constants); !diags.HasErrors() && isText(v) {
				p = l.driverOf(v.AsString(), name.Range())
			}
		}
		c := l.decode(b.body, l.withPoints("profile", p), b.rng, l.scope)
		t := &pointTable{broken: c.bad || p == nil}
		if e := c.expression("points"); e != nil && p != nil {
			if base := l.table(e, p, l.scope); base != nil {
				t.rows = append(t.rows, base.rows...)
				t.broken = t.broken || base.broken
			} else {
				t.broken = true
			}
		}
		for _, own := range l.ownPoints(c) {
			own.table = own.block("write") == nil
			if i := slices.IndexFunc(t.rows, func(r *content) bool { return r.label == own.label }); i >= 0 {
				own = merged(t.rows[i], own)
				t.rows[i] = own
				continue
			}
			t.rows = append(t.rows, own)
		}
		if len(t.rows) == 0 && !t.broken {
			l.fail(b.rng, "Profile without points", "Profile %s has no points. Give it a table (points = csv(\"FILE\")) or point blocks.", b.name)
		}
		plugin := ""
		if p != nil {
			plugin = p.name
		}
		l.profileBlocks[b.name] = profileBlockOf{table: t, plugin: plugin}
	}
}

// profileBlockOf is a profile block, read.
type profileBlockOf struct {
	table  *pointTable
	plugin string
}

// profile finds a profile: a block, a file of the site, or one that comes with the plugin. Nil: there is none, or it
// can't be read, which has been told.
func (l *loader) profile(p *pluginInfo, name string, rng hcl.Range) *pointTable {
	if b, ok := l.profileBlocks[name]; ok {
		if b.plugin != "" && b.plugin != p.name {
			l.fail(rng, "Profile of another plugin", "Profile %s is for plugin %s, and the device's channel is of plugin %s.", name, b.plugin, p.name)
			return nil
		}
		return b.table
	}
	key := p.name + "\x00" + name
	if t, ok := l.profiles[key]; ok {
		if t == nil {
			l.noProfile(p, name, rng)
		}
		return t
	}
	t := l.findProfile(p, name, rng)
	l.profiles[key] = t
	return t
}

func (l *loader) findProfile(p *pluginInfo, name string, rng hcl.Range) *pointTable {
	if filepath.Base(name) == name {
		path := filepath.Join(l.folder, profileFolder, name+".csv")
		if _, err := os.Stat(path); err == nil {
			return l.fileTable(path, p, rng)
		}
	}
	resp, err := l.options.Schemas.Profile(l.ctx, p.name, name)
	if err != nil {
		l.fail(rng, "Profile not readable", "Asking plugin %s for profile %s: %s.", p.name, name, err)
		return &pointTable{broken: true}
	}
	if resp == nil || resp.CSV == nil {
		l.noProfile(p, name, rng)
		return nil
	}
	l.read("profile:"+p.name+"/"+name, resp.CSV)
	return l.parseTable(p.name+":"+profileFolder+"/"+name+".csv", resp.CSV, p)
}

func (l *loader) noProfile(p *pluginInfo, name string, rng hcl.Range) {
	names := sortedKeys(l.profileBlocks)
	if files, err := filepath.Glob(filepath.Join(l.folder, profileFolder, "*.csv")); err == nil {
		for _, f := range files {
			names = append(names, strings.TrimSuffix(filepath.Base(f), ".csv"))
		}
	}
	if resp, err := l.options.Schemas.Profile(l.ctx, p.name, name); err == nil && resp != nil {
		names = append(names, resp.Names...)
	}
	slices.Sort(names)
	hint := spelling.DidYouMean(name, names)
	if hint == "" && len(names) > 0 {
		hint = " There are " + thereAre(names) + "."
	}
	l.fail(rng, "Unknown profile", "There is no profile %q: no profile block, no file %s/%s.csv, and none in plugin %s.%s", name, profileFolder, name, p.name, hint)
}
