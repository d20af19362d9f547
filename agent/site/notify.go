package site

import (
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/voltage-edge/voltage/agent/notify/message"
	"github.com/voltage-edge/voltage/agent/spelling"
)

const (
	rootContact      = "contact"
	rootNotification = "notification"
)

// Contact is somebody who is told about alarms. It has Webhook or Email.
type Contact struct {
	Name        string
	Description string
	Webhook     *Webhook
	Email       *Email
	// GiveUpAfter is how old a message may become before it is given up.
	GiveUpAfter time.Duration
	Range       hcl.Range
}

// Webhook is where messages are posted.
type Webhook struct {
	URL     string            `json:"-"`
	Headers map[string]string `json:"-"`
	// Secret is the key of the signature; empty: there is none.
	Secret string `json:"-"`
	// Body is a template of the body; nil: the message as JSON.
	Body        *message.Template
	ContentType string
	// CA are certificates in PEM; empty: the system's.
	CA      string
	Timeout time.Duration

	body string
}

// Email is where mails go, and how.
type Email struct {
	To   []string
	From string
	Host string
	Port int
	// TLS is starttls, tls or none.
	TLS      string
	Username string
	Password string `json:"-"`
	// CA are certificates in PEM; empty: the system's.
	CA      string
	Timeout time.Duration
}

// Notification says which alarms are told to whom.
type Notification struct {
	Name        string
	Description string
	// Contacts are names of contacts.
	Contacts    []string
	MinPriority string
	// Alarms and Except are patterns of names; empty Alarms: all.
	Alarms, Except []string
	By             []string // alarm, block, key, priority
	Wait, Interval time.Duration
	Repeat         time.Duration // 0: never
	Escalate       []Escalation  // by After
	Resolved       bool
	MaxPerHour     int
	// Quiet is nil when it never is.
	Quiet *Quiet
	Link  string
	Range hcl.Range

	chosen *Selection
}

// Covers tells whether it is about an alarm of a name, by Alarms and Except.
func (n *Notification) Covers(alarm string) bool { return n.chosen.Match(alarm) }

// Escalation is who is told when nobody acknowledged.
type Escalation struct {
	After time.Duration
	To    []string
}

// Quiet is when only the most urgent is told.
type Quiet struct {
	During      *Schedule
	MinPriority string
}

// String is the contact without its secrets.
func (c Contact) String() string {
	switch {
	case c.Webhook != nil:
		return "contact " + c.Name + " (" + c.Webhook.Place() + ")"
	case c.Email != nil:
		return "contact " + c.Name + " (" + c.Email.Place() + ")"
	}
	return "contact " + c.Name
}

// GoString is String.
func (c Contact) GoString() string { return c.String() }

// Place is the host, which is all that may be printed of the address.
func (w Webhook) Place() string {
	u, err := url.Parse(w.URL)
	if err != nil {
		return "webhook"
	}
	return "webhook at " + u.Host
}

// String is Place.
func (w Webhook) String() string { return w.Place() }

// GoString is String.
func (w Webhook) GoString() string { return w.String() }

// Place says who gets mails, and over which server.
func (e Email) Place() string { return "e-mail to " + strings.Join(e.To, ", ") + " over " + e.Host }

// String is Place.
func (e Email) String() string { return e.Place() }

// GoString is String.
func (e Email) GoString() string { return e.String() }

func (l *loader) loadContacts() {
	for _, b := range l.blocks[rootContact] {
		l.instances(b, func(in instance) {
			before := l.count
			c := l.contact(in)
			b.entry.items[in.key] = c
			if l.count == before {
				l.site.Contacts = append(l.site.Contacts, c)
			}
		})
	}
}

func (l *loader) contact(in instance) *Contact {
	c := l.decode(in.body, l.shapes[rootContact], in.rng, in.scope)
	x := &Contact{Name: in.full, Description: c.text("description"), GiveUpAfter: c.duration("give_up_after"), Range: in.rng}
	hook, email := c.block("webhook"), c.block("email")
	switch {
	case hook != nil && email != nil:
		l.fail(email.rng, "Two kinds of contact", "A contact has a webhook or an email block, not both. Make two contacts of it, and name both in the notification.")
	case hook == nil && email == nil && !c.misspelt["webhook"] && !c.misspelt["email"] && !c.bad:
		l.fail(c.rng, "Missing block", "A contact block needs a webhook or an email block.")
	}
	if hook != nil {
		x.Webhook = l.webhook(hook)
	}
	if email != nil {
		x.Email = l.email(email)
	}
	return x
}

func (l *loader) webhook(c *content) *Webhook {
	w := &Webhook{
		URL: c.text("url"), Headers: c.texts("headers"), Secret: c.text("secret"), ContentType: c.text("content_type"), CA: l.certificates(c),
		Timeout: c.duration("timeout"), body: c.text("body"),
	}
	if c.given("url") && !c.bad {
		if u, err := url.Parse(w.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			l.fail(c.at("url"), "Wrong value", "\"url\" is an http or https address, as in \"https://hooks.example.org/alarms\".")
		}
	}
	for name, value := range w.Headers {
		if !token(name) || strings.ContainsAny(value, "\r\n\x00") {
			l.fail(c.at("headers"), "Wrong value", "\"headers\": %q is no header that can be sent.", name)
		} else if slices.Contains([]string{"Content-Length", "Host", "Transfer-Encoding", "Connection"}, http.CanonicalHeaderKey(name)) {
			l.fail(c.at("headers"), "Wrong value", "\"headers\": %s is made by the agent itself.", name)
		}
	}
	if w.body == "" {
		return w
	}
	var err error
	if w.Body, err = message.ParseTemplate(w.body, strings.Contains(w.ContentType, "json")); err != nil {
		l.fail(c.at("body"), "Wrong template", "\"body\": %s.", err)
	}
	return w
}

// token tells whether a text is a token of RFC 9110, as names of headers are.
func token(s string) bool {
	for _, r := range s {
		if r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r) {
			return false
		}
	}
	return s != ""
}

// certificates reads the file that "ca" names.
func (l *loader) certificates(c *content) string {
	if c.text("ca") == "" {
		return ""
	}
	path := l.path(c.text("ca"))
	b, err := readFile(path, largestFile)
	if err != nil {
		l.fail(c.at("ca"), "File not readable", "%s.", capital(err.Error()))
		return ""
	}
	l.read(path, b)
	if !x509.NewCertPool().AppendCertsFromPEM(b) {
		l.fail(c.at("ca"), "Wrong value", "\"ca\": there is no certificate in %s.", path)
	}
	return string(b)
}

func (l *loader) email(c *content) *Email {
	e := &Email{To: c.list("to"), From: c.text("from"), Timeout: c.duration("timeout")}
	for _, to := range e.To {
		l.address(c, "to", to)
	}
	if c.given("to") && len(e.To) == 0 {
		l.fail(c.at("to"), "Wrong value", "\"to\": an address is wanted.")
	}
	if c.given("from") {
		l.address(c, "from", e.From)
	}
	s := c.block("server")
	if s == nil {
		return e
	}
	e.Host, e.Port, e.TLS = s.text("host"), int(s.number("port")), s.text("tls")
	e.Username, e.Password, e.CA = s.text("username"), s.text("password"), l.certificates(s)
	if e.Port == 0 {
		e.Port = map[string]int{"starttls": 587, "tls": 465, "none": 25}[e.TLS]
	}
	ip := net.ParseIP(e.Host)
	loopback := e.Host == "localhost" || ip != nil && ip.IsLoopback()
	switch {
	case s.bad:
	case strings.ContainsAny(e.Host, ":/ ") && ip == nil:
		l.fail(s.at("host"), "Wrong value", "\"host\" is the name of a server alone, as in \"mail.example.org\"; the port has an attribute of its own.")
	case e.TLS == "none" && e.Password != "" && !loopback:
		l.fail(s.at("password"), "Password in the clear", "With tls = \"none\" the password of %s would go over the network as it is. Use \"starttls\" or \"tls\".", e.Host)
	case (e.Username == "") != (e.Password == ""):
		l.fail(s.rng, "Missing attribute", "To log in, a server block needs both \"username\" and \"password\".")
	case e.TLS == "none" && e.CA != "":
		l.fail(s.at("ca"), "Attribute without a use", "\"ca\" is for TLS, and tls is \"none\".")
	}
	return e
}

func (l *loader) address(c *content, name, text string) {
	if _, err := mail.ParseAddress(text); err != nil && !c.bad {
		l.fail(c.at(name), "Wrong value", "%q: %q is no address of e-mail; write \"duty@example.org\" or \"Duty <duty@example.org>\".", name, text)
	}
}

func (l *loader) loadNotifications() {
	for _, b := range l.blocks[rootNotification] {
		before := l.count
		c := l.decode(b.body, l.shapes[rootNotification], b.rng, l.scope)
		n := l.notification(b, c)
		b.entry.items[""] = n
		if l.count == before {
			l.site.Notifications = append(l.site.Notifications, n)
		}
	}
}

func (l *loader) notification(b *block, c *content) *Notification {
	n := &Notification{
		Name: b.name, Description: c.text("description"), Contacts: l.contacts(c, "contacts"), MinPriority: c.text("min_priority"),
		Alarms: c.list("alarms"), Except: c.list("except"), Repeat: c.duration("repeat"), Resolved: c.flag("resolved"),
		MaxPerHour: int(c.number("max_per_hour")), Link: c.text("link"), Range: b.rng,
	}
	n.chosen = NewSelection(n.Alarms, n.Except)
	for _, name := range []string{"alarms", "except"} {
		l.alarmPatterns(c, name)
	}
	if n.Repeat != 0 && n.Repeat < time.Minute && !c.bad {
		l.fail(c.at("repeat"), "Wrong value", "\"repeat\" is 0 or at least a minute.")
	}
	g := c.block("group")
	if g == nil {
		g = &content{shape: l.shapes[rootNotification].blocks["group"].shape}
	}
	n.By, n.Wait, n.Interval = g.list("by"), g.duration("wait"), g.duration("interval")
	for i, key := range n.By {
		if !slices.Contains(groupKeys, key) {
			l.fail(g.at("by"), "Wrong value", "\"by\": there is no %q, but %s.%s", key, thereAre(groupKeys), spelling.DidYouMean(key, groupKeys))
		} else if slices.Contains(n.By[:i], key) {
			l.fail(g.at("by"), "Wrong value", "\"by\": %q stands here twice.", key)
		}
	}
	c.each("escalate", func(e *content) {
		n.Escalate = append(n.Escalate, Escalation{After: e.duration("after"), To: l.contacts(e, "to")})
	})
	slices.SortStableFunc(n.Escalate, func(a, b Escalation) int { return int(a.After - b.After) })
	if q := c.block("quiet"); q != nil {
		n.Quiet = &Quiet{During: l.quietSchedule(q), MinPriority: q.text("min_priority")}
	}
	return n
}

// alarmPatterns tells of patterns that no alarm fits: a slip of the pen would be silent for ever.
func (l *loader) alarmPatterns(c *content, name string) {
	for _, p := range c.list(name) {
		if p == "" {
			l.fail(c.at(name), "Wrong value", "%q: an empty pattern fits nothing.", name)
		} else if names := l.site.index.names(rootAlarm); !strings.ContainsAny(p, "*?[") && l.site.index.find(rootAlarm, p) == nil {
			l.warn(c.at(name), "Pattern that fits nothing", "%q: there is no alarm %q.%s", name, p, spelling.DidYouMean(p, names))
		}
	}
}

// contacts are the names of the contacts that an attribute refers to: contact.NAME, or "NAME".
func (l *loader) contacts(c *content, name string) []string {
	e := c.expression(name)
	if e == nil {
		return nil
	}
	list, diags := hcl.ExprList(e)
	if diags.HasErrors() {
		list = []hcl.Expression{e}
	}
	if len(list) == 0 {
		l.fail(e.Range(), "Wrong value", "%q: a contact is wanted, as in [contact.duty].", name)
	}
	var out []string
	for _, x := range list {
		contact, ok := namedItem[*Contact](l, rootContact, x)
		if ok && !slices.Contains(out, contact.Name) {
			out = append(out, contact.Name)
		}
	}
	return out
}

func (l *loader) quietSchedule(c *content) *Schedule {
	e := c.expression("during")
	if e == nil {
		return nil
	}
	s, _ := namedItem[*Schedule](l, rootSchedule, e)
	return s
}

// namedItem finds the block of a kind that an expression names: KIND.NAME, KIND.NAME["key"], or "NAME". It tells what is
// wrong with it.
func namedItem[T any](l *loader, kind string, e hcl.Expression) (T, bool) {
	var none T
	t, ok := l.scope.asTraversal(e)
	if !ok || t.RootName() != kind {
		if ok && t.RootName() != rootVariable && t.RootName() != rootLocal {
			l.fail(e.Range(), "Wrong reference", "%s is wanted here: %s.NAME.", capital(withArticle(kind)), kind)
			return none, false
		}
		name, ok := l.constantText(e, l.scope)
		if !ok {
			return none, false
		}
		base, key := SplitInstance(name)
		entry := l.site.index.find(kind, base)
		if entry == nil {
			l.take(l.scope.noBlock(kind, name, e.Range()))
			return none, false
		}
		item, ok := entry.items[key].(T)
		if !ok && !entry.broken {
			l.take(noSuch(e.Range(), "instance", key, kind+" "+base, entry.keys))
		}
		return item, ok
	}
	item, rest, quiet, diags := l.scope.findItem(kind, t)
	l.take(diags)
	if quiet || item == nil {
		return none, false
	}
	if len(rest) > 0 {
		l.fail(rest.SourceRange(), "Name too long", "%s is wanted: %s.", capital(withArticle(kind)), traversalText(t[:len(t)-len(rest)]))
		return none, false
	}
	x, ok := item.(T)
	return x, ok
}

// Contact finds a contact.
func (s *Site) Contact(name string) *Contact {
	return lookup(s, rootContact, name, s.Contacts, func(c *Contact) string { return c.Name })
}

func (d *digest) contact(c *Contact) {
	d.text(c.Name, c.Description)
	d.int(int64(c.GiveUpAfter))
	if w := c.Webhook; w != nil {
		d.text("webhook", w.URL, w.Secret, w.ContentType, w.CA, w.body)
		d.any(w.Headers)
		d.int(int64(w.Timeout))
	}
	if e := c.Email; e != nil {
		d.text("email", e.From, e.Host, e.TLS, e.Username, e.Password, e.CA, fmt.Sprintf("%q", e.To))
		d.int(int64(e.Port), int64(e.Timeout))
	}
}

func (d *digest) notification(n *Notification) {
	d.text(n.Name, n.Description, n.MinPriority, n.Link, fmt.Sprintf("%q %q %q %q", n.Contacts, n.Alarms, n.Except, n.By))
	d.int(int64(n.Wait), int64(n.Interval), int64(n.Repeat), int64(n.MaxPerHour))
	d.flag(n.Resolved, n.Quiet != nil)
	for _, e := range n.Escalate {
		d.text(fmt.Sprintf("%q", e.To))
		d.int(int64(e.After))
	}
	if q := n.Quiet; q != nil {
		d.text(q.MinPriority)
		d.text(q.During.written...)
	}
}
