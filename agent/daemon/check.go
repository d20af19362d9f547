package daemon

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/plugin"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/sdk"
)

const diagError = hcl.DiagError

// CheckOptions say which site to check.
type CheckOptions struct {
	Site string
	// Data is where plugins may be found, and what they said of themselves is kept. It need not exist.
	Data      string
	Variables map[string]string
}

// Checked is a site that was read, and all that is wrong with it.
type Checked struct {
	Site        *site.Site
	Programs    *compile.Programs
	Diagnostics hcl.Diagnostics
	Sources     map[string]*hcl.File
}

// InvalidSite is the error of a site that can't be run.
type InvalidSite struct {
	Diagnostics hcl.Diagnostics
	Sources     map[string]*hcl.File
}

func (e *InvalidSite) Error() string { return "the site has errors: " + e.Diagnostics.Error() }

// Check reads a site, asks its plugins, and compiles its expressions, without running anything of it.
func Check(ctx context.Context, o CheckOptions) *Checked {
	host, err := checkHost(o, false)
	if err != nil {
		return &Checked{Diagnostics: hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "The plugins can't be asked", Detail: err.Error()}}}
	}
	defer host.Close(context.WithoutCancel(ctx))
	return check(ctx, host, source{path: o.Site, variables: o.Variables})
}

// CheckLast is Check of the site that the agent of a data folder ran last without trouble, as it was then. Only Data and
// Variables of the options count.
func CheckLast(ctx context.Context, o CheckOptions) (*Checked, error) {
	last := lastGoodOf(o.Data)
	path, err := last.site()
	if err != nil {
		return nil, fmt.Errorf("find the site that ran last in %s: %w; name one with --site", o.Data, err)
	}
	good, err := last.read(path)
	if err != nil {
		return nil, fmt.Errorf("read the site that ran last: %w; name one with --site", err)
	}
	o.Site = path
	host, err := checkHost(o, false)
	if err != nil {
		return nil, err
	}
	defer host.Close(context.WithoutCancel(ctx))
	return check(ctx, host, good.source(path, o.Variables)), nil
}

// checkHost is a host that starts plugins to ask them; with trust also those whose checksums are not the locked ones.
func checkHost(o CheckOptions, trust bool) (*plugin.Host, error) {
	dir, err := agentDir()
	if err != nil {
		return nil, err
	}
	data := o.Data
	if info, err := os.Stat(data); err != nil || !info.IsDir() {
		data = ""
	}
	return plugin.NewHost(plugin.Options{AgentDir: dir, DataDir: data, LockPath: lockPath(o.Site), Trust: trust})
}

// source is what a site is read from.
type source struct {
	// path is a file or folder.
	path      string
	variables map[string]string
	// overlay are files that are read in the place of those on disk.
	overlay map[string][]byte
	// made is what was made while the site ran.
	made madeRules
}

// check does it with a host that there is, whose settings of plugins are those of the site then.
func check(ctx context.Context, host *plugin.Host, from source) *Checked {
	s, diags := load(ctx, host, from)
	if from.made.problem != nil {
		diags = append(diags, &hcl.Diagnostic{Severity: diagError, Summary: "Rules can't be read", Detail: from.made.problem.Error()})
	}
	c := &Checked{Site: s, Diagnostics: diags}
	if s == nil {
		return c
	}
	c.Sources = s.Sources
	for _, ch := range s.Channels {
		c.Diagnostics = append(c.Diagnostics, checkChannel(ctx, host, s, ch)...)
	}
	programs, more := compile.Compile(s)
	c.Programs, c.Diagnostics = programs, once(append(c.Diagnostics, more...))
	return c
}

func load(ctx context.Context, host *plugin.Host, from source) (*site.Site, hcl.Diagnostics) {
	return site.Load(ctx, from.path, site.Options{
		Schemas: host, Plugins: func(p []*site.Plugin) { host.Configure(p) }, Variables: from.variables, Getenv: os.LookupEnv, Overlay: from.overlay,
		Additions: from.made.additions(), Switches: from.made.switches,
	})
}

// once drops what is said twice: an expression that several others use is looked at each time.
func once(diags hcl.Diagnostics) hcl.Diagnostics {
	seen := map[string]bool{}
	return slices.DeleteFunc(diags, func(d *hcl.Diagnostic) bool {
		key := place(d) + "\x00" + d.Summary + "\x00" + d.Detail
		was := seen[key]
		seen[key] = true
		return was
	})
}

// checkChannel asks the plugin, and finds the places in site.hcl that its complaints are about.
func checkChannel(ctx context.Context, host *plugin.Host, s *site.Site, ch *site.Channel) hcl.Diagnostics {
	found, err := host.Check(ctx, ch.Plugin, s.ChannelSpec(ch))
	if err != nil {
		r := ch.Range
		return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "The plugin can't check the channel", Detail: err.Error(), Subject: &r}}
	}
	var diags hcl.Diagnostics
	for _, d := range found {
		r := s.Locate(ch, d.Path)
		severity := hcl.DiagError
		if d.Severity == sdk.Warning {
			severity = hcl.DiagWarning
		}
		diags = append(diags, &hcl.Diagnostic{Severity: severity, Summary: d.Summary, Detail: d.Detail, Subject: &r})
	}
	return diags
}

// Lock writes the checksums of a site's plugins beside it.
func Lock(ctx context.Context, o CheckOptions) ([]plugin.Locked, error) {
	host, err := checkHost(o, true)
	if err != nil {
		return nil, err
	}
	defer host.Close(context.WithoutCancel(ctx))
	s, diags := load(ctx, host, source{path: o.Site, variables: o.Variables})
	if s == nil || diags.HasErrors() {
		return nil, fmt.Errorf("the site can't be read, so its plugins are not known; see `voltage validate %s`", o.Site)
	}
	return host.LockPlugins(ctx, pluginNames(s))
}

func pluginNames(s *site.Site) []string {
	var names []string
	seen := map[string]bool{}
	add := func(name string) {
		if name != "" && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	for _, c := range s.Channels {
		add(c.Plugin)
	}
	for _, k := range s.Sinks {
		add(k.Plugin)
	}
	for _, p := range s.Plugins {
		add(p.Name)
	}
	return names
}

// Diagnostics are diagnostics as programs read them.
func Diagnostics(diags hcl.Diagnostics, sources map[string]*hcl.File) []api.Diagnostic {
	plain := site.PlainDiagnostics(sources, diags)
	out := make([]api.Diagnostic, len(plain))
	for i, d := range plain {
		out[i] = api.Diagnostic(d)
	}
	return out
}

// place is where a diagnostic points, for a log.
func place(d *hcl.Diagnostic) string {
	if d.Subject == nil {
		return ""
	}
	return d.Subject.String()
}
