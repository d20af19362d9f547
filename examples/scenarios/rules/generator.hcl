# The ready-made rule generator, in the works: the battery's state of charge starts it.

scenario "it starts late, runs for its least time, and rests" {
  site = "../../sites/industry"

  at "0s" {
    set = { "meter.power" = 60000, "battery.soc" = 40, "battery.power" = 0, "diesel.running" = 0, "diesel.fault" = 0 }
    expect { idle = ["genset.run"] }
  }
  at "10s" {
    set = { "battery.soc" = 24 }
  }
  at "39s" {
    expect { output = { "diesel.start" = 0 } }
  }
  at "41s" {
    expect {
      rule   = ["genset.run"]
      output = { "diesel.start" = 1 }
    }
  }
  at "55s" {
    set = { "diesel.running" = 1 }
  }
  # Between its limits it goes on, and beyond the second one until its least time is over.
  at "60s" {
    set = { "battery.soc" = 45 }
    expect { rule = ["genset.run"] }
  }
  at "70s" {
    set = { "battery.soc" = 51 }
    expect {
      idle   = ["genset.run"]
      output = { "diesel.start" = 1 }
    }
  }
  at "954s" {
    expect { output = { "diesel.start" = 1 } }
  }
  at "956s" {
    expect { output = { "diesel.start" = 0 } }
  }
  at "970s" {
    set = { "diesel.running" = 0, "battery.soc" = 20 }
  }
  at "1565s" {
    expect {
      rule   = ["genset.run"]
      output = { "diesel.start" = 0 }
    }
  }
  at "1571s" {
    expect { output = { "diesel.start" = 1 } }
  }
}

scenario "a set that does not start is told of, and one with a fault stops" {
  site = "../../sites/industry"

  at "0s" {
    set = { "meter.power" = 60000, "battery.soc" = 20, "battery.power" = 0, "diesel.running" = 0, "diesel.fault" = 0 }
  }
  at "179s" {
    expect { alarm = { "genset.no_start" = "normal" } }
  }
  at "181s" {
    expect {
      output = { "diesel.start" = 1 }
      alarm  = { "genset.no_start" = "active" }
    }
  }
  at "185s" {
    set = { "diesel.running" = 1 }
    expect { alarm = { "genset.no_start" = "normal" } }
  }
  at "190s" {
    set = { "diesel.fault" = 1 }
    expect {
      rule   = ["genset.forbid"]
      output = { "diesel.start" = 0 }
    }
  }
}
