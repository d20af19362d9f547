# The ready-made rule self_consumption, in the house.

scenario "the battery gives what the house lacks, half of it at each reading" {
  site = "../../sites/house"

  at "0s" {
    set = { "meter.power" = 20000, "battery.soc" = 60, "battery.power" = 0 }
    expect {
      rule   = ["self"]
      output = { "battery.setpoint" = 10 }
    }
  }
  at "2s" {
    set = { "meter.power" = 10000, "battery.power" = 10 }
    expect { output = { "battery.setpoint" = 15 } }
  }
  at "4s" {
    set = { "meter.power" = 0, "battery.power" = 20 }
    expect { output = { "battery.setpoint" = 20 } }
  }
}

scenario "it takes the surplus, less and less towards full" {
  site = "../../sites/house"

  at "0s" {
    set = { "meter.power" = -30000, "battery.soc" = 60, "battery.power" = -10 }
    expect { output = { "battery.setpoint" = -25 } }
  }
  at "2s" {
    set = { "battery.soc" = 97.8 }
    expect { output = { "battery.setpoint" = -5 } }
  }
  at "4s" {
    set = { "battery.soc" = 98.5 }
    expect { output = { "battery.setpoint" = 0 } }
  }
}

scenario "what is not known leaves the battery alone" {
  site = "../../sites/house"

  at "0s" {
    set = { "meter.power" = 20000, "battery.soc" = 60, "battery.power" = 0 }
    expect { output = { "battery.setpoint" = 10 } }
  }
  at "1s" {
    silent = ["meter"]
  }
  at "6s" {
    expect {
      idle   = ["self"]
      output = { "battery.setpoint" = 0 }
    }
  }
}
