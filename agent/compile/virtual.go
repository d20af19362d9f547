package compile

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/voltage-edge/voltage/agent/site"
)

// readsNoAlarm refuses alarms that read alarms: which of them are true in an instant would depend on their order.
func (c *compiler) readsNoAlarm(a *site.Alarm, reads []*node) bool {
	for _, p := range points(reads...) {
		if p.Device.Source != site.SourceAlarm {
			continue
		}
		at := a.When
		if a.Value.Given() {
			at = a.Value
		}
		other := strings.TrimPrefix(p.Device.Name, site.SourceAlarm+".")
		c.fail(at.Range(), "Alarm that reads an alarm", "Alarm %s reads %s, and alarms judge values, not each other. To silence it while the other is active, write suppressed_by = [alarm.%s]; "+
			"to share a condition, put that into a local that both use.", a.Name, p.FullName(), other)
		return false
	}
	return true
}

// renewed warns of wishes that run out before their rule ends: they are renewed at frames, and virtual devices give some
// only when they change.
func (c *compiler) renewed(r *site.Rule, reads []*node) {
	if r.On != "" && r.On != "while" || r.Disabled {
		return
	}
	for _, p := range points(reads...) {
		if p.Device.Source == "" {
			return
		}
	}
	for _, set := range r.Sets {
		if set.TTL > 0 {
			rng := set.Range
			c.diags = append(c.diags, &hcl.Diagnostic{
				Severity: hcl.DiagWarning, Summary: "Wish that runs out", Subject: &rng,
				Detail: fmt.Sprintf("This rule reads no device that gives values by itself, so it is evaluated only when its condition changes, and its wish for %s ends %s after that. "+
					"Leave ttl out: the wish then ends with the rule.", set.Target, site.FormatDuration(set.TTL)),
			})
		}
	}
}
