package site

import (
	"net"
	"slices"
	"time"

	// The time zones, for machines that have none.
	_ "time/tzdata"

	"github.com/Masterminds/semver/v3"

	"github.com/voltage-edge/voltage/agent/spelling"
)

// libraryNames are the libraries that a library block may be about.
var libraryNames = []string{"models", "alarms", "rules", "routes"}

// single decodes a block that stands once; with its defaults when it is not there.
func (l *loader) single(kind string) *content {
	for _, b := range l.blocks[kind] {
		c := l.decode(b.body, l.shapes[kind], b.rng, l.scope)
		c.label, c.labelRange = b.name, b.label
		return c
	}
	return &content{shape: l.shapes[kind]}
}

func (l *loader) loadSettings() {
	s := l.site
	c := l.single("site")
	s.Name, s.Description = c.label, c.text("description")
	s.Location = l.zone(c, time.UTC)
	l.loadStore(l.single("store"))
	c = l.single("journal")
	s.Journal = Journal{
		MaxBytes: int64(c.number("max_size")), MaxAge: c.duration("max_age"), Sync: c.duration("sync"), Range: c.rng,
	}
	l.loadAPI(l.single("api"))
	for _, b := range l.blocks["plugin"] {
		l.loadPlugin(b)
	}
	for _, b := range l.blocks["library"] {
		l.loadLibrary(b)
	}
}

func (l *loader) loadStore(c *content) {
	st := Store{
		Embedded: true, Addresses: c.list("address"), Mode: c.text("mode"), Master: c.text("master"), Username: c.text("username"),
		Password: c.text("password"), DB: int(c.number("db")), TLS: c.flag("tls"), CA: c.text("ca"), Executable: c.text("executable"),
		MaxMemory: int64(c.number("max_memory")), Range: c.rng,
	}
	st.Embedded = len(st.Addresses) == 0
	if st.CA != "" {
		st.CA = l.path(st.CA)
	}
	l.site.Store = st
	if st.Embedded {
		for _, name := range []string{"mode", "master", "username", "password", "db", "tls", "ca"} {
			if c.given(name) {
				l.fail(c.at(name), "Attribute without a use", "%q is for a server of your own: give its address too.", name)
			}
		}
		return
	}
	for _, name := range []string{"executable", "max_memory"} {
		if c.given(name) {
			l.fail(c.at(name), "Attribute without a use", "%q is for the embedded server, and an address of another one is given.", name)
		}
	}
	for _, a := range st.Addresses {
		if !goodAddress(a) && !c.bad {
			l.fail(c.at("address"), "Wrong value", "\"address\": each is host:port, or unix:/path.")
		}
	}
	switch {
	case st.Mode == "sentinel" && st.Master == "":
		l.fail(c.rng, "Missing attribute", "With mode \"sentinel\" a store block needs \"master\", the name of the master that the Sentinels watch.")
	case st.Mode == "single" && len(st.Addresses) > 1:
		l.fail(c.at("address"), "Several addresses", "There are %d addresses; say with mode what they are: \"cluster\" or \"sentinel\".", len(st.Addresses))
	case st.Mode == "cluster" && st.DB != 0:
		l.fail(c.at("db"), "Wrong value", "\"db\": a Cluster has only the data base 0.")
	}
}

func goodAddress(a string) bool {
	if len(a) > 5 && a[:5] == "unix:" {
		return true
	}
	_, port, err := net.SplitHostPort(a)
	if err != nil {
		return false
	}
	_, err = net.LookupPort("tcp", port)
	return err == nil
}

func (l *loader) loadAPI(c *content) {
	api := API{Listen: c.text("listen"), CertFile: c.text("tls_cert"), KeyFile: c.text("tls_key"), Token: c.text("token"), Range: c.rng}
	if api.CertFile != "" {
		api.CertFile = l.path(api.CertFile)
	}
	if api.KeyFile != "" {
		api.KeyFile = l.path(api.KeyFile)
	}
	l.site.API = api
	if (api.CertFile == "") != (api.KeyFile == "") && !c.bad {
		l.fail(c.rng, "Missing attribute", "TLS takes both \"tls_cert\" and \"tls_key\".")
	}
	if api.Listen == "" {
		return
	}
	host, _, err := net.SplitHostPort(api.Listen)
	if err != nil {
		l.fail(c.at("listen"), "Wrong value", "\"listen\" is host:port, as in \"127.0.0.1:8480\".")
		return
	}
	ip := net.ParseIP(host)
	loopback := host == "localhost" || ip != nil && ip.IsLoopback()
	if !loopback && !c.bad && (api.CertFile == "" || api.Token == "") {
		l.fail(c.at("listen"), "Unprotected API", "Beyond loopback the API needs \"tls_cert\", \"tls_key\" and \"token\": whoever reaches it can write to devices. Give them, or listen on 127.0.0.1.")
	}
}

func (l *loader) constraint(c *content, name string) string {
	text := c.text(name)
	if text == "" {
		return ""
	}
	if _, err := semver.NewConstraint(text); err != nil {
		l.fail(c.at(name), "Wrong value", "%q: %q is no constraint on a version; write it as \">= 1.2, < 2\".", name, text)
	}
	return text
}

func (l *loader) loadPlugin(b *block) {
	c := l.decode(b.body, l.shapes["plugin"], b.rng, l.scope)
	p := &Plugin{Name: b.name, Version: l.constraint(c, "version"), Env: c.texts("env"), Range: b.rng}
	if path := c.text("path"); path != "" {
		p.Path = l.path(path)
	}
	l.site.Plugins = append(l.site.Plugins, p)
}

func (l *loader) loadLibrary(b *block) {
	c := l.decode(b.body, l.shapes["library"], b.rng, l.scope)
	if !slices.Contains(libraryNames, b.name) {
		l.fail(b.label, "Unknown library", "There is no library %q, but %s.%s", b.name, thereAre(libraryNames), spelling.DidYouMean(b.name, libraryNames))
		return
	}
	lib := &Library{Name: b.name, Version: l.constraint(c, "version"), Range: b.rng}
	if file := c.text("file"); file != "" {
		lib.File = l.path(file)
		content, err := readFile(lib.File, largestSource)
		if err != nil {
			l.fail(c.at("file"), "File not readable", "%s.", capital(err.Error()))
			return
		}
		l.read(lib.File, content)
	}
	l.site.Libraries = append(l.site.Libraries, lib)
}

// declareAll makes the names of all blocks known before any is read, so that they can refer to each other in any order.
func (l *loader) declareAll() {
	for _, kind := range []string{"channel", "device", "model", "alarm", "rule", "chain", "window", "sequence", "sink", "route", "schedule", rootContact, rootNotification} {
		for _, b := range l.blocks[kind] {
			l.declare(b)
		}
	}
	for _, m := range l.blocks["model"] {
		if d := l.site.index.find("device", m.name); d != nil {
			l.fail(m.label, "Duplicate name", "There is a device %q already, at %s; devices and models share one space of names.", m.name, lineOf(d.rng))
		}
	}
	for i, kind := range flowKinds {
		for _, b := range l.blocks[kind] {
			for _, other := range flowKinds[:i] {
				if d := l.site.index.find(other, b.name); d != nil {
					l.fail(b.label, "Duplicate name", "There is a %s %q already, at %s; rules, chains, windows and sequences share one space of names, as requests and events go by them.", other, b.name, lineOf(d.rng))
				}
			}
		}
	}
}

// flowKinds are the blocks that share the rules' space of names: requests and events go by them.
var flowKinds = []string{"rule", "chain", "window", "sequence"}

func (l *loader) declare(b *block) {
	b.entry = &entry{kind: b.kind.Name, name: b.name, rng: b.rng, items: map[string]any{}}
	l.site.index.put(b.entry)
}

// each expands a block and calls f for each of its instances.
func (l *loader) instances(b *block, f func(in instance)) {
	all, each, ok := l.expand(b)
	b.entry.each, b.entry.broken = each, !ok
	for _, in := range all {
		b.entry.keys = append(b.entry.keys, in.key)
		f(in)
	}
}

// commonZones are for suggestions only.
var commonZones = []string{
	"UTC", "Europe/Berlin", "Europe/Vienna", "Europe/Zurich", "Europe/Paris", "Europe/London", "Europe/Madrid", "Europe/Rome", "Europe/Amsterdam",
	"Europe/Brussels", "Europe/Copenhagen", "Europe/Stockholm", "Europe/Oslo", "Europe/Helsinki", "Europe/Warsaw", "Europe/Prague", "Europe/Lisbon",
	"Europe/Dublin", "Europe/Athens", "Europe/Istanbul", "Europe/Kyiv", "Asia/Shanghai", "Asia/Tokyo", "Asia/Kolkata", "Asia/Singapore", "Asia/Dubai",
	"America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Sao_Paulo", "America/Toronto", "Africa/Johannesburg",
	"Australia/Sydney", "Australia/Melbourne", "Pacific/Auckland",
}
