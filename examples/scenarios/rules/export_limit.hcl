# The ready-made rule export_limit, in the house, which may feed in 10 kW.

scenario "the inverter is held at what house and grid take" {
  site = "../../sites/house"

  # 40 kW less 5 of the house less 30 of the battery: there is room for 5 more, of which it gets half.
  at "0s" {
    set = { "meter.power" = -5000, "inverter.power" = 35000, "battery.soc" = 60, "battery.power" = 0 }
    expect { output = { "inverter.limit" = 37.5 } }
  }
  at "2s" {
    set = { "meter.power" = -16000, "inverter.power" = 36000 }
    expect { output = { "inverter.limit" = 33 } }
  }
  at "4s" {
    set = { "meter.power" = -10000, "inverter.power" = 30000 }
    expect { output = { "inverter.limit" = 30 } }
  }
}

scenario "without a meter it gives what the grid takes" {
  site = "../../sites/house"

  at "0s" {
    set = { "meter.power" = 0, "inverter.power" = 20000 }
    expect {
      rule   = ["feed_in.hold"]
      idle   = ["feed_in.blind"]
      output = { "inverter.limit" = 25 }
    }
  }
  at "1s" {
    silent = ["meter"]
  }
  at "6s" {
    expect {
      rule   = ["feed_in.blind"]
      idle   = ["feed_in.hold"]
      output = { "inverter.limit" = 10 }
    }
  }
  at "10s" {
    answers = ["meter"]
    expect { output = { "inverter.limit" = 25 } }
  }
}

scenario "before the first reading too" {
  site = "../../sites/house"

  at "1s" {
    expect { output = { "inverter.limit" = 10 } }
  }
}
