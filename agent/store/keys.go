package store

// The libraries, in the order in which frames go through them.
const (
	Models = "models"
	Alarms = "alarms"
	Rules  = "rules"
	// Routes is asked for the sinks, apart from the others.
	Routes = "routes"
)

// libraries are all that the agent has a use for.
var libraries = [...]string{Models, Alarms, Rules, Routes}

// order is the calling order of the libraries that take frames.
var order = [...]string{Models, Alarms, Rules}

// batchFunction is the function of each library that takes frames.
var batchFunction = map[string]string{
	Models: "model_batch_sync",
	Alarms: "alarm_check_conditions",
	Rules:  "rules_batch_execute",
}

// keys are the names of a site's keys. All have one hash tag, so they lie in one slot of a cluster.
type keys struct {
	prefix                          string
	epoch, frames, requests, events string
}

func siteKeys(site string) keys { return keysUnder("v:{" + site + "}:") }

func keysUnder(prefix string) keys {
	return keys{
		prefix: prefix, epoch: prefix + "epoch", frames: prefix + "frames",
		requests: prefix + "requests", events: prefix + "events",
	}
}

// scratch is a key space beside the live one, in the same slot.
func (k keys) scratch(name string) keys { return keysUnder(k.prefix + name + ":") }

func (k keys) program(library string) string { return k.prefix + library + ":program" }
func (k keys) state(library string) string   { return k.prefix + library + ":state" }
func (k keys) timers(library string) string  { return k.prefix + library + ":timers" }
func (k keys) model(name string) string      { return k.prefix + "model:" + name }
func (k keys) owner() string                 { return k.prefix + "owner" }
func (k keys) library(name string) string    { return k.prefix + "library:" + name }

// seven are the keys that every function of a library is given, in the order of its contract.
func (k keys) seven(library string) []string {
	return []string{k.epoch, k.program(library), k.state(library), k.timers(library), k.frames, k.requests, k.events}
}
