# Chains, windows and sequences of the site with flows: voltage rules test examples/scenarios/flows.hcl

scenario "the chain gives what goes beyond 80 kW, and a person may ask for more" {
  site = "../sites/flows"

  at "0s" {
    set = { "meter.power" = 30000, "battery.power" = 0 }
    expect {
      fired  = ["mode"]
      output = { "battery.setpoint" = 0 }
    }
  }
  at "10s" {
    set = { "meter.power" = 95000 }
  }
  at "20s" {
    expect { output = { "battery.setpoint" = 15 } }
  }
  at "21s" {
    request "battery.setpoint" {
      value = 30
      ttl   = "20s"
    }
  }
  at "30s" {
    expect { output = { "battery.setpoint" = 30 } }
  }
  # The request has ended: the chain counts again.
  at "50s" {
    expect { output = { "battery.setpoint" = 15 } }
  }
  # Without a reading of the battery the load is not known, and the chain does nothing.
  at "51s" {
    bad = ["battery.power"]
  }
  at "65s" {
    expect { output = { "battery.setpoint" = 0 } }
  }
}

scenario "the demand is a mean, and its alarm waits for five readings" {
  site = "../sites/flows"

  at "0s" {
    set = { "meter.power" = 50000, "battery.power" = 0 }
  }
  at "10s" {
    set = { "meter.power" = 90000 }
    expect {
      alarm = { demand_high = "normal" }
    }
  }
  at "15s" {
    expect {
      alarm = { demand_high = ["active", "unacknowledged"] }
      value = { "window.demand.mean" = 90000, "window.demand.frames" = 10 }
    }
  }
  at "16s" {
    set = { "meter.power" = 50000 }
    alarm "demand_high" {
      command = "ack"
      by      = "anna"
    }
    expect { alarm = { demand_high = ["active", "acknowledged"] } }
  }
  at "20s" {
    expect { alarm = { demand_high = "normal" } }
  }
}

scenario "a load that is dropped, and one that never pauses" {
  site = "../sites/flows"

  at "0s" {
    set = { "meter.power" = 65000, "battery.power" = 0 }
  }
  at "2s" {
    set = { "meter.power" = 20000 }
    expect { fired = ["dropped"] }
  }
  at "3s" {
    set = { "meter.power" = 75000 }
    expect { quiet = ["dropped", "no_relief"] }
  }
  at "5s" {
    expect {
      fired = ["no_relief"]
      alarm = { no_relief = "active" }
    }
  }
  at "6s" {
    set = { "meter.power" = 30000 }
    expect { fired = ["dropped"] }
  }
  at "9s" {
    expect {
      fired = ["calm"]
      alarm = { no_relief = ["normal", "unacknowledged"] }
    }
  }
}
