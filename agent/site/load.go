package site

import (
	"context"
	"os"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/voltage-edge/voltage/sdk"
)

// Schemas is how a site learns what plugins take.
type Schemas interface {
	// Driver describes the blocks of a protocol plugin.
	Driver(ctx context.Context, plugin string) (*sdk.SchemaResponse, error)
	// Sink describes the block of a sink plugin.
	Sink(ctx context.Context, plugin string) (*sdk.SinkSchemaResponse, error)
	// Profile gives a register map that comes with a plugin; an unknown name gives no CSV and the names that there are.
	Profile(ctx context.Context, plugin, name string) (*sdk.ProfileResponse, error)
}

// Options are what a site is loaded with.
type Options struct {
	Schemas Schemas
	// Plugins is told the plugin blocks before Schemas is asked about any plugin; nil: nobody is.
	Plugins func([]*Plugin)
	// Variables are values for variable blocks, as text; they go before VOLTAGE_VAR_name of the environment.
	Variables map[string]string
	// Getenv looks into the environment; nil: the process's own.
	Getenv func(string) (string, bool)
	// Overlay are files that are read in place of, or beside, those on disk, by name within the folder: a rule that is
	// checked before it is stored.
	Overlay map[string][]byte
	// Additions are read beside the site's own files, in this order.
	Additions []Addition
	// Switches enable (true) or disable rules and flows by name, whatever their blocks say. The name of a block that makes several
	// switches those that have no switch of their own.
	Switches map[string]bool
}

// Addition is a piece of the site that is not in its folder: a rule that was made while the site ran. It is told from the site's own files
// by its path, which need not be there.
type Addition struct {
	Path    string
	Content []byte
}

// Load reads a site: one file, or all *.hcl and *.hcl.json of a folder. It tells all that is wrong at once. The site is
// never nil: with errors it holds what is sound, so that more can be checked (the compiler finds more), but it must not
// be run.
func Load(ctx context.Context, path string, o Options) (*Site, hcl.Diagnostics) {
	if o.Getenv == nil {
		o.Getenv = os.LookupEnv
	}
	l := newLoader(ctx, o)
	if l.readAll(path) {
		l.load()
	}
	l.finish()
	return l.site, l.diags
}

// loader loads one site.
type loader struct {
	complaints
	ctx     context.Context
	options Options
	folder  string
	site    *Site
	files   []*source
	inputs  map[string][]byte // hashes of all that was read, by name

	grammar map[string]*construct
	shapes  map[string]*shape
	blocks  map[string][]*block

	scope         *Scope
	locals        map[string]*local
	plugins       map[string]*pluginInfo
	profiles      map[string]*pointTable
	profileBlocks map[string]profileBlockOf
	tables        map[string]*pointTable
	nodes         []*liveNode
	// ownParts tells whose a property, measurement or action is: the template's own, or one that it extends.
	ownParts map[any]*Template

	// made is the shape of a rule block that uses a template, and uses what such blocks make.
	made *shape
	uses map[*block][]*templateUse

	calls   []chainCall
	windows []declaredWindow

	secrets map[string]bool
	hidden  []hcl.Range
	// undecoded are config blocks whose plugin could not be asked.
	undecoded []hcl.Range
	strings   map[string]string
	shared    map[string]sdk.Values
}

func newLoader(ctx context.Context, o Options) *loader {
	l := &loader{
		ctx: ctx, options: o,
		site: &Site{
			Location: time.UTC, Sources: map[string]*hcl.File{}, index: newIndex(), hashes: map[string]string{}, switched: map[string]bool{},
		},
		inputs: map[string][]byte{}, grammar: map[string]*construct{}, shapes: map[string]*shape{}, blocks: map[string][]*block{},
		locals: map[string]*local{}, plugins: map[string]*pluginInfo{}, profiles: map[string]*pointTable{}, profileBlocks: map[string]profileBlockOf{}, tables: map[string]*pointTable{},
		ownParts: map[any]*Template{}, secrets: map[string]bool{}, strings: map[string]string{}, shared: map[string]sdk.Values{},
	}
	l.uses, l.made = map[*block][]*templateUse{}, hostShape("a rule with a template", madeRule())
	l.made.taken = []string{eachAttribute}
	for _, c := range constructs() {
		l.grammar[c.Name] = c
		sh := hostShape(withArticle(c.Name)+" block", &c.Body)
		if c.Config != "" {
			sh.taken = append(sh.taken, configBlock)
		}
		if c.ForEach {
			sh.taken = append(sh.taken, eachAttribute)
		}
		if c.Name == "rule_template" {
			sh.taken = append(sh.taken, "rule", "alarm")
		}
		l.shapes[c.Name] = sh
	}
	return l
}

// load reads the blocks in the order in which they need each other.
func (l *loader) load() {
	l.collect()
	l.buildScope()
	l.loadSettings()
	l.loadTemplates()
	l.loadRuleTemplates()
	l.declareAll()
	if l.options.Plugins != nil {
		l.options.Plugins(l.site.Plugins)
	}
	l.askPlugins()
	l.loadProfiles()
	l.loadChannels()
	l.loadDevices()
	l.declareWindows()
	l.loadModels()
	l.loadSchedules()
	checkAlarms := l.loadAlarms()
	l.checkNodes(l.nodes)
	l.bindTemplates()
	checkAlarms()
	l.loadRules()
	l.loadFlows()
	l.loadSinks()
	l.loadRoutes()
	l.loadContacts()
	l.loadNotifications()
	l.keepSound()
	l.keepVirtual()
	l.hashAll()
}

// intern keeps one copy of a text that stands in thousands of places.
func (l *loader) intern(s string) string {
	if kept, ok := l.strings[s]; ok {
		return kept
	}
	l.strings[s] = s
	return s
}

func (l *loader) getenv(name string) (string, bool) { return l.options.Getenv(name) }
