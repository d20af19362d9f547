package replay

import "testing"

const kindsSite = `
site "kinds" {}

channel "c" {
  plugin = "plain"
  every  = "1s"
}

device "tank" {
  channel = channel.c
  point "level" { unit = "%" }
  point "aim" { unit = "%" }
  point "state" {}
}

device "pump" {
  channel = channel.c
  point "speed" { unit = "rpm" }
}

alarm "filling" {
  value    = device.tank.level
  deadband = 2
  levels {
    high_high = 95
    high      = 90
    low       = 10
    low_low   = 5
  }
}

alarm "off_aim" {
  value    = device.tank.level
  deadband = 1
  deviation {
    setpoint = device.tank.aim
    limit    = 5
  }
}

alarm "off_fifty" {
  value = device.tank.level
  deviation {
    setpoint = 50
    limit    = 20
  }
}

alarm "leak" {
  value = device.tank.level
  rate {
    limit     = "60/min"
    direction = "down"
  }
}

alarm "fault" {
  value        = device.tank.state
  alarm_states = [3, 4]
}

alarm "not_running" {
  value        = device.tank.state
  normal_state = 1
}

alarm "silent_pump" {
  value = device.pump.speed
  stale = "10s"
}
`

func TestAlarmKinds(t *testing.T) {
	expectScenario(t, kindsSite, `
scenario "all kinds" {
  site = "s"
  at "0s" {
    set = { "tank.level" = 50, "tank.aim" = 50, "tank.state" = 1, "pump.speed" = 100 }
  }
  at "1s" {
    expect {
      alarm = { filling = "normal", off_aim = "normal", off_fifty = "normal", leak = "normal", fault = "normal", not_running = "normal", silent_pump = "normal" }
    }
  }
  at "2s" {
    set = { "tank.level" = 91, "tank.state" = 2 }
    expect {
      alarm = { filling = "high", off_aim = "active", off_fifty = "active", leak = "normal", fault = "normal", not_running = "active" }
    }
  }
  at "3s" {
    set = { "tank.level" = 96, "tank.aim" = 93, "tank.state" = 4 }
    expect {
      alarm = { filling = "high_high", off_aim = "normal", fault = "active" }
    }
  }
  at "4s" {
    set = { "tank.level" = 94 } # within the deadband of high_high; falls by 2 a second
    expect {
      alarm = { filling = "high_high", leak = "active" }
    }
  }
  at "5s" {
    set = { "tank.level" = 89 }
    expect {
      alarm = { filling = "high" }
    }
  }
  at "6s" {
    set = { "tank.level" = 3, "tank.state" = 1 }
    silent = ["pump"]
    expect {
      alarm = { filling = "low_low", fault = "normal", not_running = "normal" }
    }
  }
  at "7s" {
    expect {
      alarm = { leak = "normal" } # no change from here on
    }
  }
  at "14s" {
    expect {
      alarm = { silent_pump = "normal" } # stale for the rules since 8s, not yet for the alarm
    }
  }
  at "15s500ms" {
    expect {
      alarm = { silent_pump = "active" }
    }
  }
  at "16s" {
    answers = ["pump"]
    expect {
      alarm = { silent_pump = "normal" }
    }
  }
  at "17s" {
    silent = ["pump"]
  }
  at "27s" {
    expect {
      alarm = { silent_pump = "active", filling = "active" }
    }
  }
}
`)
}
