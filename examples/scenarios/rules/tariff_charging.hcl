# The ready-made rule tariff_charging, in the works: from ten at night until five in the morning.

scenario "the battery charges at night, within what the connection gives" {
  site  = "../../sites/industry"
  start = "2024-01-01T01:00:00+01:00"

  at "0s" {
    set = { "meter.power" = 20000, "battery.soc" = 60, "battery.power" = 0 }
  }
  at "2s" {
    expect {
      rule   = ["night"]
      output = { "battery.setpoint" = -25 }
    }
  }
  at "4s" {
    set = { "meter.power" = 50000, "battery.power" = -30 }
    expect { output = { "battery.setpoint" = -30 } }
  }
  at "6s" {
    set = { "meter.power" = 78000 }
    expect { output = { "battery.setpoint" = -26 } }
  }
  at "8s" {
    set = { "battery.soc" = 89 }
    expect { output = { "battery.setpoint" = -15 } }
  }
  at "10s" {
    set = { "battery.soc" = 91 }
    expect { output = { "battery.setpoint" = 0 } }
  }
  # A peak goes before.
  at "12s" {
    set = { "meter.power" = 100000, "battery.power" = 0 }
    expect {
      rule   = ["night", "peak"]
      output = { "battery.setpoint" = 10 }
    }
  }
  at "4h1s" {
    set = { "meter.power" = 60000 }
    expect {
      idle   = ["night", "peak"]
      output = { "battery.setpoint" = 0 }
    }
  }
}
