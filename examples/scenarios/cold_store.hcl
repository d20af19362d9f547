# What the cold store must do: voltage rules test examples/scenarios/cold_store.hcl

scenario "it gets warm" {
  site  = "../sites/cold_store.hcl"
  start = "2026-06-01T10:00:00+02:00"

  at "0s" {
    set = { "room.temperature" = -18, "room.door" = 0, "compressor.state" = 1, "compressor.setpoint" = -18, "compressor.defrost" = 0 }
  }
  at "1m" {
    set = { "room.temperature" = -13 }
    expect {
      alarm = { warm = "normal", warms_up = "active" } # 5 °C in 5 s
    }
  }
  at "2m" {
    expect {
      alarm  = { warm = "high", warms_up = "normal" }
      output = { "panel.lamp" = 1, "panel.horn" = 0 }
    }
  }
  at "3m" {
    set = { "room.temperature" = -7.5 }
    expect { alarm = { warm = "high_high" } }
  }
  at "4m" {
    set = { "room.temperature" = -14.2 } # within the deadband of high
    expect { alarm = { warm = "high" } }
  }
  at "5m" {
    set = { "room.temperature" = -15 }
    expect {
      alarm  = { warm = "normal" }
      output = { "panel.lamp" = 0 }
    }
  }
}

scenario "the compressor fails in a cheap night" {
  site  = "../sites/cold_store.hcl"
  start = "2026-06-01T21:59:00+02:00"

  at "0s" {
    set = { "room.temperature" = -18, "room.door" = 0, "compressor.state" = 1, "compressor.setpoint" = -18, "compressor.defrost" = 0 }
    expect {
      idle   = ["cool_ahead"]
      output = { "compressor.setpoint" = -18 }
    }
  }
  at "1m" {
    expect {
      rule   = ["cool_ahead"]
      output = { "compressor.setpoint" = -22 }
    }
  }
  at "2m" {
    set = { "compressor.state" = 3 }
    expect {
      alarm  = { compressor_fault = "active" }
      output = { "compressor.setpoint" = -18, "panel.horn" = 1, "panel.lamp" = 1 }
    }
  }
  at "3m" {
    set    = { "compressor.state" = 1 }
    silent = ["room"]
    expect {
      output = { "compressor.setpoint" = -22, "panel.horn" = 0 }
    }
  }
  at "5m" {
    expect {
      alarm  = { room_silent = "active" }
      output = { "panel.lamp" = 1 }
    }
  }
}

scenario "a night without 2:30" {
  site  = "../sites/cold_store.hcl"
  start = "2026-03-29T01:59:00+01:00"

  at "0s" {
    set = { "room.temperature" = -18, "room.door" = 0, "compressor.state" = 1, "compressor.setpoint" = -18, "compressor.defrost" = 0 }
    expect { output = { "compressor.defrost" = 0 } }
  }
  at "1m" { # 3:00
    expect { output = { "compressor.defrost" = 1 } }
  }
  at "21m" {
    expect { output = { "compressor.defrost" = 0 } }
  }
}

scenario "a night with 2:30 twice" {
  site  = "../sites/cold_store.hcl"
  start = "2026-10-25T02:29:00+02:00"

  at "0s" {
    set = { "room.temperature" = -18, "room.door" = 0, "compressor.state" = 1, "compressor.setpoint" = -18, "compressor.defrost" = 0 }
  }
  at "1m" {
    expect { output = { "compressor.defrost" = 1 } }
  }
  at "1h1m" { # 2:30 again
    expect { output = { "compressor.defrost" = 0 } }
  }
  at "4h31m" { # 6:00
    expect { output = { "compressor.setpoint" = -18 } }
  }
}
