package api

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/voltage-edge/voltage/agent/event"
)

const (
	// maxWait bounds how long a set may wait for its outcome.
	maxWait = 2 * time.Minute
	// maxEvents and defaultEvents bound a list of events.
	maxEvents, defaultEvents = 10000, 200
)

// table is every operation of the API.
func table() []route {
	return slices.Concat(liveRoutes(), pastRoutes(), alarmRoutes(), notificationRoutes(), ruleRoutes(), manageRoutes(), shadowRoutes())
}

func liveRoutes() []route {
	return []route{
		{
			method: "GET", path: "/api/v1/status", id: "status", tag: "agent", reply: Status{},
			summary: "How the agent, its store, plugins, channels, devices, libraries and sinks do",
			do:      func(c *call) (any, error) { return c.agent.Status(c.Context()) },
		},
		{
			method: "GET", path: "/api/v1/values", id: "values", tag: "values", reply: []Value{},
			summary: "The newest values, by name",
			query:   []parameter{{name: "match", doc: "a pattern of names, such as battery.*; may be given several times", kind: "string", many: true}},
			do:      func(c *call) (any, error) { return c.agent.Values(c.Context(), c.query["match"]) },
		},
		{
			method: "GET", path: "/api/v1/values/{name}", id: "value", tag: "values", reply: Value{},
			summary: "One value with unit, quality and age",
			do:      func(c *call) (any, error) { return c.agent.Value(c.Context(), c.PathValue("name")) },
		},
		{
			method: "PUT", path: "/api/v1/values/{name}", id: "set", tag: "outputs", body: setBody{}, reply: Outcome{},
			summary: "Ask for an output or a model's action, and wait for what becomes of it; the value null withdraws",
			do:      set,
		},
		{
			method: "GET", path: "/api/v1/outputs", id: "outputs", tag: "outputs", reply: []Output{},
			summary: "The outputs and who holds them",
			do:      func(c *call) (any, error) { return c.agent.Outputs(c.Context()) },
		},
		{
			method: "GET", path: "/api/v1/outputs/{name}/why", id: "why", tag: "outputs", reply: Why{},
			summary: "Why an output has its value: who asked, who lost, what was written, what the device answered",
			do:      func(c *call) (any, error) { return c.agent.Why(c.Context(), c.PathValue("name")) },
		},
	}
}

func set(c *call) (any, error) {
	var b setBody
	if err := c.decode(&b, false); err != nil {
		return nil, err
	}
	req := SetRequest{
		Name: c.PathValue("name"), Value: b.Value, TTL: time.Duration(b.TTL), Priority: defaultPriority,
		Owner: b.Owner, Reason: b.Reason, Wait: time.Duration(b.Wait),
	}
	if b.Priority != nil {
		req.Priority = *b.Priority
	}
	if req.Priority < 0 || req.Priority > 100 {
		return nil, invalid("the priority is %d; it must be 0 to 100", req.Priority)
	}
	if req.Wait > maxWait {
		return nil, invalid("the wait is %v; it must be at most %v", req.Wait, maxWait)
	}
	owner, err := c.owner(b.Owner)
	if err != nil {
		return nil, err
	}
	req.Owner = owner
	return c.agent.Set(c.Context(), req)
}

// owner is the name under which a caller makes requests: cli.USER only from the agent's machine, api.NAME else. Nobody can
// speak for a rule.
func (c *call) owner(name string) (string, error) {
	if user, ok := strings.CutPrefix(name, "cli."); ok && c.local && plainName(user) {
		return name, nil
	}
	if name == "" {
		return "api", nil
	}
	user := strings.TrimPrefix(name, "api.")
	if !plainName(user) || strings.HasPrefix(name, "rule.") || strings.HasPrefix(name, "cli.") {
		return "", invalid("the owner is %q; it must be a name of at most 64 letters, digits, or any of - _ . @", name)
	}
	return "api." + user, nil
}

func plainName(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for _, r := range s {
		if r != '-' && r != '_' && r != '@' && r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return false
		}
	}
	return true
}

var spanQuery = []parameter{
	{name: "since", doc: "a time (2026-01-31T08:00:00Z), or a span back from now (10m, 24h, 7d)", kind: "string"},
	{name: "until", doc: "as since; the default is now", kind: "string"},
}

func pastRoutes() []route {
	return []route{
		{
			method: "GET", path: "/api/v1/history/{name}", id: "history", tag: "values", reply: History{},
			summary: "A value's past in buckets",
			query:   append(slices.Clone(spanQuery), parameter{name: "every", doc: "the length of a bucket, such as 10s; the default is a 120th of the span", kind: "string"}),
			do:      history,
		},
		{
			method: "GET", path: "/api/v1/events", id: "events", tag: "agent", reply: []event.Event{},
			summary: "What happened: alarms, requests, writes, restarts; in the order of time",
			query: append(slices.Clone(spanQuery),
				parameter{name: "kind", doc: "a kind of event, of " + strings.Join(event.Kinds, ", ") + "; may be given several times", kind: "string", many: true},
				parameter{name: "renewals", doc: "true: also requests that only say again what stands, before their time is over", kind: "boolean"},
				parameter{name: "limit", doc: fmt.Sprintf("the most events, up to %d; the default is %d", maxEvents, defaultEvents), kind: "integer"}),
			do: events,
		},
	}
}

// truth reads a parameter that is true or false; left out: false.
func (c *call) truth(name string) (bool, error) {
	text := c.query.Get(name)
	if text == "" {
		return false, nil
	}
	v, err := strconv.ParseBool(text)
	if err != nil {
		return false, invalid("%s is %q; it must be true or false", name, text)
	}
	return v, nil
}

// span reads since and until.
func (c *call) span(back time.Duration) (since, until time.Time, err error) {
	if until, err = c.moment("until", c.now); err != nil {
		return since, until, err
	}
	if since, err = c.moment("since", until.Add(-back)); err != nil {
		return since, until, err
	}
	if !since.Before(until) {
		return since, until, invalid("since is %s and until %s; since must be earlier", since.Format(time.RFC3339), until.Format(time.RFC3339))
	}
	return since, until, nil
}

// maxBuckets bounds a history.
const maxBuckets = 100_000

func history(c *call) (any, error) {
	since, until, err := c.span(time.Hour)
	if err != nil {
		return nil, err
	}
	req := HistoryRequest{Name: c.PathValue("name"), Since: since, Until: until}
	if text := c.query.Get("every"); text != "" {
		if req.Every, err = parseSpan(text); err != nil {
			return nil, invalid("every: %v", err)
		}
	}
	if req.Every == 0 {
		req.Every = max((until.Sub(since) / 120).Round(time.Second), time.Second)
	}
	if n := until.Sub(since) / req.Every; req.Every < time.Millisecond || n > maxBuckets {
		return nil, invalid("every %v makes %d buckets; at most %d are given at once", req.Every, n, maxBuckets)
	}
	return c.agent.History(c.Context(), req)
}

func events(c *call) (any, error) {
	since, until, err := c.span(24 * time.Hour)
	if err != nil {
		return nil, err
	}
	req := EventsRequest{Since: since, Until: until, Kinds: c.query["kind"], Limit: defaultEvents}
	for _, kind := range req.Kinds {
		if !slices.Contains(event.Kinds, kind) {
			return nil, invalid("there are no events of the kind %q, but of %s", kind, strings.Join(event.Kinds, ", "))
		}
	}
	if req.Renewals, err = c.truth("renewals"); err != nil {
		return nil, err
	}
	if text := c.query.Get("limit"); text != "" {
		if req.Limit, err = strconv.Atoi(text); err != nil || req.Limit < 1 || req.Limit > maxEvents {
			return nil, invalid("the limit is %q; it must be 1 to %d", text, maxEvents)
		}
	}
	return c.agent.Events(c.Context(), req)
}

// alarmCommands are the commands of a person to an alarm.
var alarmCommands = []string{
	"ack", "confirm", "reset", "shelve", "unshelve", "suppress", "unsuppress", "out_of_service", "in_service", "disable", "enable",
}

func alarmRoutes() []route {
	return []route{
		{
			method: "GET", path: "/api/v1/alarms", id: "alarms", tag: "alarms", reply: []Alarm{},
			summary: "The alarms that want attention, or all",
			query:   []parameter{{name: "all", doc: "true: also those that are quiet", kind: "boolean"}},
			do: func(c *call) (any, error) {
				all, err := c.truth("all")
				if err != nil {
					return nil, err
				}
				return c.agent.Alarms(c.Context(), all)
			},
		},
		{
			method: "POST", path: "/api/v1/alarms/{name}/{command}", id: "alarmCommand", tag: "alarms", body: alarmBody{}, bodyOptional: true, reply: Alarm{},
			summary: "What a person does to an alarm: " + strings.Join(alarmCommands, ", "),
			do:      alarmCommand,
		},
	}
}

func alarmCommand(c *call) (any, error) {
	var b alarmBody
	if err := c.decode(&b, true); err != nil {
		return nil, err
	}
	command := c.PathValue("command")
	if !slices.Contains(alarmCommands, command) {
		return nil, &Error{Code: "not_found", Detail: fmt.Sprintf("there is no alarm command %q", command), Hint: "there are: " + strings.Join(alarmCommands, ", ")}
	}
	if b.By == "" {
		b.By = "api"
	}
	if !plainName(b.By) {
		return nil, invalid("by is %q; it must be a name of at most 64 letters, digits, or any of - _ . @", b.By)
	}
	return c.agent.AlarmCommand(c.Context(), AlarmCommand{
		Name: c.PathValue("name"), Command: command, By: b.By, Comment: b.Comment, Mode: b.Mode,
		Duration: time.Duration(b.Duration), Occurrence: b.Occurrence,
	})
}

func manageRoutes() []route {
	return []route{
		{
			method: "GET", path: "/api/v1/routes", id: "routes", tag: "sinks", reply: []Route{},
			summary: "What goes to the sinks by routes, in which shape, and how much of it went",
			do:      func(c *call) (any, error) { return c.agent.Routes(c.Context()) },
		},
		{
			method: "GET", path: "/api/v1/libraries", id: "libraries", tag: "libraries", reply: []Library{},
			summary: "The function libraries on Redis",
			do:      func(c *call) (any, error) { return c.agent.Libraries(c.Context()) },
		},
		{
			method: "POST", path: "/api/v1/libraries/{name}/load", id: "loadLibrary", tag: "libraries", body: loadBody{}, bodyOptional: true, reply: Library{},
			summary: "Load a library from a file on the agent's machine, or the bundled one", privileged: true,
			do: func(c *call) (any, error) {
				var b loadBody
				if err := c.decode(&b, true); err != nil {
					return nil, err
				}
				return c.agent.LoadLibrary(c.Context(), c.PathValue("name"), b.File)
			},
		},
		{
			method: "POST", path: "/api/v1/libraries/{name}/rollback", id: "rollbackLibrary", tag: "libraries", reply: Library{},
			summary: "Go back to the library before this one", privileged: true,
			do: func(c *call) (any, error) { return c.agent.RollbackLibrary(c.Context(), c.PathValue("name")) },
		},
		{
			method: "POST", path: "/api/v1/plugins/{name}/restart", id: "restartPlugin", tag: "agent", reply: done{},
			summary: "End a plugin's process and start it anew", privileged: true,
			do: func(c *call) (any, error) {
				return done{Done: true}, c.agent.RestartPlugin(c.Context(), c.PathValue("name"))
			},
		},
		{
			method: "GET", path: "/api/v1/plan", id: "plan", tag: "agent", reply: Plan{},
			summary: "What a reload of the site would change",
			do:      func(c *call) (any, error) { return c.agent.Plan(c.Context()) },
		},
		{
			method: http.MethodPost, path: "/api/v1/reload", id: "reload", tag: "agent", reply: Plan{},
			summary: "Run the site as it is written now", privileged: true,
			do: func(c *call) (any, error) { return c.agent.Reload(c.Context()) },
		},
	}
}
