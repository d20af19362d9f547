package daemon

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/site"
)

// conclusion says in words whether the rule acts, and why.
func (v *view) conclusion() string {
	s := v.seen
	switch {
	case s.Disabled:
		return "Does not act: the rule is disabled."
	case s.Parked:
		return fmt.Sprintf("Does not act: it is parked after %d errors in a row, the last of which was: %s. It is tried again when it changes, or after voltage rules unpark %s.", s.Run, s.Problem, s.Name)
	case v.rule == nil:
		return v.flowWords()
	case s.Failed != "":
		return "Does not act: the evaluation fails: " + s.Failed + "."
	case s.Verdict == "unknown":
		return v.whenUnknown()
	}
	on := or(v.rule.On, "while")
	why := v.why()
	level := on == "while" || on == "level"
	switch {
	case s.Evaluations == 0:
		return fmt.Sprintf("Has not acted: no frame of what it reads has come since the rule was loaded. On the newest values it is %s: %s.", s.Verdict, why)
	case s.ForUntil > 0:
		return fmt.Sprintf("Did not fire yet: %s has been true for %s of %s.", v.condition(), v.gone(v.rule.For, s.ForUntil), brief(v.rule.For))
	case s.KeepUntil > 0:
		return fmt.Sprintf("Still counts as true: %s has been false for %s of %s (keep_for); %s.", v.condition(), v.gone(v.rule.KeepFor, s.KeepUntil), brief(v.rule.KeepFor), why)
	case level && s.State == "true" && (s.CooldownUntil > 0 || s.ThrottleUntil > 0) && !s.Acting:
		return fmt.Sprintf("Is held back by %s, for %s more, though it is true: %s.", v.brake(), v.left(max(s.CooldownUntil, s.ThrottleUntil)), why)
	case level && s.State == "true":
		return "Acts: " + why + "." + v.withoutRequest()
	case level:
		return "Does not act: " + why + "." + v.last()
	}
	return v.aboutEdge(on, why)
}

// aboutEdge is the conclusion on a rule that fires when its state turns.
func (v *view) aboutEdge(on, why string) string {
	turn := map[string]string{"rising": "turns true", "falling": "turns false", "both": "turns"}[on]
	s := v.seen
	text := fmt.Sprintf("Fires when its state %s, and that is %s now: %s.", turn, s.State, why)
	switch {
	case s.CooldownUntil > 0 || s.ThrottleUntil > 0:
		text += fmt.Sprintf(" %s holds back any firing for %s more.", capital(v.brake()), v.left(max(s.CooldownUntil, s.ThrottleUntil)))
	case s.Fires == 0 && s.State == "true" && on != "falling" && v.rule.Initial != "fire":
		text += " It was true at its first evaluation, which fires only with initial = \"fire\"."
	case on == "rising" && s.State == "true":
		text += " It has to be false before it fires again."
	case on == "falling" && s.State == "false":
		text += " It has to be true before it fires again."
	}
	return text + v.last()
}

// brake is what holds a firing back.
func (v *view) brake() string {
	if v.seen.CooldownUntil >= v.seen.ThrottleUntil {
		return "cooldown (" + brief(v.rule.Cooldown) + ")"
	}
	return fmt.Sprintf("throttle (%d in %s)", v.rule.Throttle.Count, brief(v.rule.Throttle.Per))
}

func (v *view) whenUnknown() string {
	why := v.why()
	switch {
	case v.seen.State == "true" && v.seen.Acting:
		return fmt.Sprintf("Acted, and is not decided now: %s. Its requests stand until they run out.", why)
	case v.rule.Unknown == site.UnknownHold || v.rule.Unknown == "":
		return fmt.Sprintf("Does not fire: %s. Nothing is decided meanwhile (unknown = \"hold\").%s", why, v.last())
	}
	return fmt.Sprintf("Does not fire: %s.%s", why, v.last())
}

// withoutRequest says that a rule that acts has no request, because what it wants to give is unknown.
func (v *view) withoutRequest() string {
	var out []string
	for _, set := range v.rule.Sets {
		e := v.expressions["set "+set.Target]
		if e != nil && e.Parts[0].Value == nil {
			out = append(out, fmt.Sprintf(" But it asks nothing of %s: %s is unknown%s.", set.Target, e.Parts[0].Text, v.badInputs(e)))
		}
	}
	return strings.Join(out, "")
}

func (v *view) last() string {
	if v.seen.Fired == 0 {
		return " It has not fired so far."
	}
	return fmt.Sprintf(" It fired last %s ago.", brief(v.now.Sub(ruleTime(v.seen.Fired))))
}

func (v *view) times() string {
	if v.seen.Fires == 1 {
		return "once"
	}
	return fmt.Sprintf("%.0f times", v.seen.Fires)
}

// condition is the condition as it was written.
func (v *view) condition() string {
	if e := v.expressions["when"]; e != nil {
		return e.Parts[0].Text
	}
	return "the condition"
}

// why names the part of the condition that makes it what it is, with what is in it.
func (v *view) why() string {
	e := v.expressions["when"]
	if e == nil {
		return "the condition is " + v.seen.Verdict
	}
	raw := e.Parts[0].Value
	if raw == nil {
		text := e.Parts[0].Text + " is unknown" + v.badInputs(e)
		if v.seen.Verdict != "unknown" {
			text += fmt.Sprintf(", which counts as %s here", v.seen.Verdict)
		}
		return text
	}
	if h := v.rule.Hysteresis; h != nil {
		return fmt.Sprintf("%s is %s, and hysteresis (on %s, off %s) makes that %s", e.Parts[0].Text, shown(raw, e.Parts[0].Unit), amount(h.On), amount(h.Off), v.seen.Verdict)
	}
	var reasons []string
	v.blame(e, 0, raw, &reasons, 0)
	return strings.Join(reasons, ", and ")
}

const (
	// maxReasons bounds what a conclusion names, and maxBlame how deep it goes through names.
	maxReasons = 3
	maxBlame   = 16
)

// blame follows the parts that have the value of the whole down to those that decide.
func (v *view) blame(e *evaluated, at int, value any, reasons *[]string, depth int) {
	if len(*reasons) >= maxReasons || depth > maxBlame {
		return
	}
	p := e.Parts[at]
	if e.source[at].Named {
		if next := v.expressions[p.Text]; next != nil && next != e {
			v.blame(next, 0, value, reasons, depth+1)
			return
		}
	}
	children := e.children(at)
	operator := e.source[at].Operator
	if decided := operator == "all" && value == false || operator == "any" && value == true; operator == "all" || operator == "any" {
		for _, c := range children {
			if e.Parts[c].Value == value {
				v.blame(e, c, value, reasons, depth+1)
				if decided {
					return // the first is enough
				}
			}
		}
		return
	}
	reason := fmt.Sprintf("%s is %s", p.Text, shown(p.Value, p.Unit))
	var values []string
	for _, c := range children {
		if o := e.Parts[c]; o.Text != p.Text {
			values = append(values, fmt.Sprintf("%s is %s", o.Text, shown(o.Value, o.Unit)))
		}
	}
	if len(values) > 0 {
		reason += " (" + strings.Join(values, ", ") + ")"
	}
	*reasons = append(*reasons, reason)
}

// children are the places of the parts that the part at a place is made of.
func (e *evaluated) children(at int) []int {
	var out []int
	for i := at + 1; i < len(e.Parts) && e.Parts[i].Level > e.Parts[at].Level; i++ {
		if e.Parts[i].Level == e.Parts[at].Level+1 {
			out = append(out, i)
		}
	}
	return out
}

// badInputs says which inputs of an expression are not known, behind a comma; nothing when all are.
func (v *view) badInputs(e *evaluated) string {
	read := map[string]bool{}
	v.reads(e.source, read, map[string]bool{})
	var out []string
	for _, in := range v.inputs {
		if in.Value != nil || !read[in.Name] {
			continue
		}
		out = append(out, in.Name+" is "+in.Quality)
	}
	if len(out) > maxReasons {
		out = append(out[:maxReasons], fmt.Sprintf("%d more are bad", len(out)-maxReasons))
	}
	if len(out) == 0 {
		return ""
	}
	return ", as " + strings.Join(out, ", ")
}

// reads collects the points that parts read, also through names.
func (v *view) reads(parts []compile.TracedPart, read, seen map[string]bool) {
	for _, p := range parts {
		for _, point := range p.Points {
			read[point] = true
		}
		if next := v.expressions[p.Text]; p.Named && next != nil && !seen[p.Text] {
			seen[p.Text] = true
			v.reads(next.source, read, seen)
		}
	}
}

// shown is a value for people.
func shown(value any, unit string) string {
	switch x := value.(type) {
	case nil:
		return "unknown"
	case float64:
		if unit != "" {
			return amount(x) + " " + unit
		}
		return amount(x)
	}
	return fmt.Sprint(value)
}

// amount is a number in some four significant digits.
func amount(v float64) string {
	if v == float64(int64(v)) {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// brief is a span in the unit that fits it: 850 ms, 3.2 s, 12 m, 2 h, 3 d.
func brief(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 2*time.Minute:
		return strconv.FormatFloat(float64(d.Round(100*time.Millisecond))/1e9, 'f', -1, 64) + " s"
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f m", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0f h", d.Hours())
	}
	return fmt.Sprintf("%.0f d", d.Hours()/24)
}

func capital(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// flowWords says how a flow does.
func (v *view) flowWords() string {
	s := v.seen
	if s.Failed != "" {
		return "The evaluation fails: " + s.Failed + "."
	}
	fired := fmt.Sprintf(" It has fired %s.", v.times())
	switch s.Kind {
	case "chain":
		var acts []string
		for _, x := range s.Steps {
			if x.Kind == "action" && x.State == "acts" {
				acts = append(acts, x.Name)
			}
		}
		if len(acts) == 0 {
			return "On the values of the moment it comes to no action." + fired
		}
		return "On the values of the moment it comes to " + strings.Join(acts, " and ") + "." + fired
	case "sequence":
		n := len(s.Steps)
		switch n {
		case 0:
			return "No attempt is open, and none begins any more." + fired
		case 1:
			return "It is " + s.Steps[0].State + "." + fired
		}
		return fmt.Sprintf("Attempts are open; the oldest is %s.", s.Steps[0].State) + fired
	}
	if len(s.Steps) == 0 {
		return "It is a " + s.Kind + "." + fired
	}
	return "It " + s.Steps[0].State + "." + fired
}
