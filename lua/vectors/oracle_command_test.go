package main

// do is a command at t; it gives the code of a refusal.
func (o *oracle) do(t int64, step alarmStep) string {
	a := o.byID[step.Alarm]
	latest := step.Occurrence == nil || a.occurrence > 0 && *step.Occurrence == int64(a.occurrence)
	switch step.Do {
	case "ack", "confirm", "reset", "shelve", "unshelve":
		if !a.enabled {
			return "disabled"
		}
		if !latest && (step.Do == "ack" || step.Do == "confirm") {
			return "unknown_occurrence"
		}
	}
	code := o.command(a, t, step)
	if code == "" {
		o.end(t)
	}
	return code
}

func (o *oracle) command(a *oracleAlarm, t int64, step alarmStep) string {
	switch step.Do {
	case "ack":
		if a.acked {
			return "already_acked"
		}
		a.acked = true
		if a.def.Confirm {
			a.confirmed = false
		}
		o.note(a, "ack", t)
	case "confirm":
		if !a.acked {
			return "not_acked"
		}
		if a.confirmed {
			return "already_confirmed"
		}
		a.confirmed = true
		o.note(a, "confirm", t)
	case "reset":
		if !a.latched || a.active || !a.acked || !a.confirmed {
			return "invalid_state"
		}
		a.latched = false
		o.note(a, "reset", t)
	case "shelve":
		longest := a.def.MaxShelve
		if longest == 0 {
			longest = 28_800_000
		}
		lasts := longest
		if step.Mode == "timed" {
			if step.Duration == nil || *step.Duration <= 0 || *step.Duration > longest {
				return "bad_shelving_time"
			}
			lasts = *step.Duration
		}
		if a.shelf == step.Mode {
			return "already_shelved"
		}
		a.shelf, a.shelfEnd = step.Mode, t+lasts
		o.note(a, "shelve", t)
	case "unshelve":
		if a.shelf == "" {
			return "not_shelved"
		}
		a.shelf = ""
		o.speakIfStanding(a, t, o.note(a, "unshelve", t))
	case "suppress":
		a.operator = true
		o.silence(t)
	case "unsuppress":
		a.operator = false
	case "out_of_service":
		if !a.oos {
			a.oos = true
			o.note(a, "out_of_service", t)
		}
	case "in_service":
		if a.oos {
			a.oos = false
			o.speakIfStanding(a, t, o.note(a, "in_service", t))
		}
	case "disable":
		if a.enabled {
			a.enabled, a.pending, a.again, a.waiting = false, "", 0, false
			if !a.active {
				a.level = ""
				clear(a.flags)
			}
			o.note(a, "disable", t)
		}
	case "enable":
		if !a.enabled {
			a.enabled = true
			i := o.note(a, "enable", t)
			o.silence(t)
			o.enabledNow(a, t, i)
		}
	}
	return ""
}
