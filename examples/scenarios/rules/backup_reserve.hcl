# The ready-made rule backup_reserve, in the house: a fifth of the battery is for when the grid fails.

scenario "below the reserve the battery takes, and does not give" {
  site = "../../sites/house"

  at "0s" {
    set = { "meter.power" = 10000, "battery.soc" = 21, "battery.power" = 0 }
    expect {
      idle   = ["reserve"]
      output = { "battery.setpoint" = 5 }
    }
  }
  at "2s" {
    set = { "battery.soc" = 19.9, "battery.power" = 5 }
    expect {
      rule   = ["reserve"]
      output = { "battery.setpoint" = 0 }
    }
  }
  at "4s" {
    set = { "meter.power" = -8000, "battery.power" = 0 }
    expect { output = { "battery.setpoint" = -4 } }
  }
  # Free again only well above it.
  at "6s" {
    set = { "battery.soc" = 22, "meter.power" = 10000 }
    expect { rule = ["reserve"] }
  }
  at "8s" {
    set = { "battery.soc" = 23.5 }
    expect {
      idle   = ["reserve"]
      output = { "battery.setpoint" = 5 }
    }
  }
}
