# The ready-made rule comm_loss, in the house: without the meter the battery stands still.

scenario "a lost meter" {
  site = "../../sites/house"

  at "0s" {
    set = { "meter.power" = 20000, "battery.soc" = 60, "battery.power" = 0 }
    expect { output = { "battery.setpoint" = 10 } }
  }
  at "10s" {
    silent = ["meter"]
  }
  # Its values count for three seconds; two more are allowed for.
  at "14s" {
    expect {
      idle  = ["meter"]
      alarm = { "meter.lost" = "normal" }
    }
  }
  at "16s" {
    expect {
      rule   = ["meter"]
      output = { "battery.setpoint" = 0 }
      alarm  = { "meter.lost" = "active" }
    }
  }
  at "20s" {
    answers = ["meter"]
    expect { rule = ["meter"] }
  }
  # Ten seconds later the battery is free.
  at "31s" {
    expect {
      idle   = ["meter"]
      output = { "battery.setpoint" = 10 }
      alarm  = { "meter.lost" = "normal" }
    }
  }
}
