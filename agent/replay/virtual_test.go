package replay

import (
	"strings"
	"testing"
)

const stateSite = `
site "states" { timezone = "Europe/Berlin" }

channel "c" {
  plugin = "plain"
  every  = "500ms"
}

device "m" {
  channel = channel.c
  point "power" { unit = "kW" }
  point "out" {
    unit = "kW"
    write {
      min  = -50
      max  = 50
      safe = 0
    }
  }
  point "lamp" {
    write {
      min  = 0
      max  = 5
      safe = 0
    }
  }
}

locals { alarmed = alarm.high.active || alarm.late.active }

template "site" {
  measurement "alarmed" {}
}

model "whole" {
  template     = "site"
  measurements = { alarmed = local.alarmed }
}

alarm "high" { when = device.m.power > 90 }

alarm "over" {
  for_each = { much = 65, more = 80 }
  when     = device.m.power > each.value
}

rule "over" {
  for_each = ["much", "more"]
  when     = alarm.over[each.key].active
  on       = "falling"
  set "m.lamp" {
    value = 4
    ttl   = "1s"
  }
}

alarm "late" {
  when = schedule.night && device.m.power > 10
  for  = "1m"
}

schedule "night" {
  from = "22:00"
  to   = "06:00"
}

schedule "hour" {
  cron = "30 2 * * *"
  for  = "30m"
}

rule "lamp" {
  when = alarm.high.active && !alarm.high.shelved
  set "m.lamp" { value = alarm.high.acked ? 1 : 2 }
}

rule "model" {
  when     = model.whole.alarmed && device.m.power < 20
  priority = 60
  set "m.lamp" { value = 5 }
}

rule "night" {
  when = schedule.night
  set "m.out" { value = schedule.hour ? 20 : 10 }
}
`

func TestAlarmStateInRules(t *testing.T) {
	expectScenario(t, stateSite, `
scenario "alarm" {
  site = "s"
  at "0s" {
    set = { "m.power" = 60 }
    expect {
      idle   = ["lamp", "night"]
      output = { "m.lamp" = 0, "m.out" = 0 }
    }
  }
  at "10s" {
    set = { "m.power" = 95 }
    expect {
      alarm  = { high = "active" }
      rule   = ["lamp"]
      output = { "m.lamp" = 2 }
    }
  }
  at "20s" {
    set = { "m.power" = 60 }
    expect {
      idle   = ["lamp", "over[much]"]
      alarm  = { "over[much]" = "normal", "over[more]" = "normal" }
      output = { "m.lamp" = 4 }
    }
  }
  at "21s" {
    expect { output = { "m.lamp" = 0 } }
  }
}
`)
}

func TestSchedulesOverTheChangeOfClocks(t *testing.T) {
	expectScenario(t, stateSite, `
scenario "spring" {
  site  = "s"
  start = "2026-03-28T21:59:00+01:00"
  at "0s" {
    set = { "m.power" = 15 }
    expect {
      idle   = ["night"]
      output = { "m.out" = 0 }
    }
  }
  at "1m" { # 22:00
    expect {
      rule   = ["night"]
      output = { "m.out" = 10, "m.lamp" = 0 }
      alarm  = { late = "normal" }
    }
  }
  at "2m" {
    expect {
      alarm  = { late = "active" }
      output = { "m.lamp" = 5 }
    }
  }
  at "4h0m59s" { # 2:59:59
    expect { output = { "m.out" = 10 } }
  }
  at "4h1m" { # 3:00, as 2:30 is left out
    expect { output = { "m.out" = 20 } }
  }
  at "4h31m" {
    expect { output = { "m.out" = 10 } }
  }
  at "7h1m" { # 6:00, an hour early
    expect {
      idle   = ["night"]
      output = { "m.out" = 0 }
    }
  }
}
`)
}

func TestScheduleHoldsFromTheBeginning(t *testing.T) {
	expectScenario(t, stateSite, `
scenario "begins at night" {
  site  = "s"
  start = "2026-10-25T02:35:00+01:00" # the second time that it is 2:35
  at "0s" {
    expect {
      rule   = ["night"]
      output = { "m.out" = 10 }
    }
  }
}
`)
}

// What reads alarms and schedules is the same however the journal is cut.
func TestPastWithVirtualDevices(t *testing.T) {
	const more = `
rule "on_alarm" {
  when = alarm.high.active && !alarm.high.acked && !alarm.high.shelved
  set "m.setpoint" { value = 3 }
}
rule "on_time" {
  when     = schedule.some_minutes && device.m.power > 60
  priority = 70
  set "m.setpoint" { value = -1 }
}
schedule "some_minutes" {
  from = "12:03"
  to   = "12:07"
}
`
	text := strings.ReplaceAll(pastSite, "LIMIT", "85") + more
	for name, without := range map[string]string{"both": "", "schedules": "alarm.high.active && !alarm.high.acked && !alarm.high.shelved"} {
		t.Run(name, func(t *testing.T) {
			text := text
			if without != "" {
				text = strings.Replace(text, without, "device.m.power > 100", 1)
			}
			s, programs := compiled(t, text)
			e, err := Open(t.Context(), Options{Site: s, Programs: programs, Start: scenarioStart})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			dir := lived(t, s, e)
			r, first := runSite(t, dir, s, programs, nil)
			if r.Totals.Differences() != 0 || !strings.Contains(first, "rule.on_time") || !strings.Contains(first, "rule.on_alarm") {
				t.Errorf("%s", first)
			}
			if strings.Contains(first, "schedule.some_minutes") {
				t.Errorf("the notes name a schedule: %s", first)
			}
			for _, c := range []struct{ cut, depth int }{{1, 1}, {2, 7}, {1, 32}} {
				if _, again := runSite(t, dir, s, programs, func(o *PastOptions) { o.cut, o.depth = c.cut, c.depth }); again != first {
					t.Errorf("cut into %+v it is another report:\n%s\n%s", c, again, first)
				}
			}
		})
	}
}
