# The ready-made rules peak_shaving and export_charging, in the works, whose grid connection gives 80 kW.

scenario "the battery holds the limit, and ends well below it" {
  site = "../../sites/industry"

  at "0s" {
    set = { "meter.power" = 79000, "battery.soc" = 60, "battery.power" = 0 }
    expect { idle = ["peak"] }
  }
  at "2s" {
    set = { "meter.power" = 100000 }
    expect {
      rule   = ["peak"]
      output = { "battery.setpoint" = 10 }
    }
  }
  at "4s" {
    set = { "meter.power" = 80000, "battery.power" = 20 }
    expect { output = { "battery.setpoint" = 20 } }
  }
  at "6s" {
    set = { "meter.power" = 60000, "battery.power" = 16 }
    expect {
      rule   = ["peak"]
      output = { "battery.setpoint" = 6 }
    }
  }
  at "8s" {
    set = { "meter.power" = 70000, "battery.power" = 4 }
    expect {
      idle   = ["peak"]
      output = { "battery.setpoint" = 0 }
    }
  }
}

scenario "an empty battery gives nothing, and a lost meter ends it" {
  site = "../../sites/industry"

  at "0s" {
    set = { "meter.power" = 100000, "battery.soc" = 17, "battery.power" = 0 }
    expect {
      rule   = ["peak"]
      output = { "battery.setpoint" = 10 }
    }
  }
  at "2s" {
    set = { "battery.soc" = 10 }
    expect {
      rule   = ["peak", "reserve"]
      output = { "battery.setpoint" = 0 }
    }
  }
  at "4s" {
    silent = ["meter"]
  }
  at "40s" {
    expect {
      idle   = ["peak"]
      output = { "battery.setpoint" = 0 }
    }
  }
}

scenario "what would be fed in is taken" {
  site = "../../sites/industry"

  at "0s" {
    set = { "meter.power" = -22000, "battery.soc" = 60, "battery.power" = 0 }
    expect {
      rule   = ["absorb"]
      output = { "battery.setpoint" = -10 }
    }
  }
  at "2s" {
    set = { "meter.power" = -2000, "battery.power" = -20 }
    expect { output = { "battery.setpoint" = -20 } }
  }
  at "4s" {
    set = { "meter.power" = 20000, "battery.power" = -20 }
    expect {
      idle   = ["absorb"]
      output = { "battery.setpoint" = 0 }
    }
  }
}
