# What the demo site must do, without its devices: voltage rules test examples/scenarios/peak_shaving.hcl

scenario "the battery takes the peak" {
  site = "../../site.hcl"

  at "0s" {
    set = { "grid_meter.power" = 60000, "battery.soc" = 50, "battery.power" = 0 }
  }
  at "2s" {
    set = { "grid_meter.power" = 95000 }
    expect { idle = ["peak_shaving"] }
  }
  at "4s" {
    expect {
      rule   = ["peak_shaving"]
      output = { "battery.setpoint" = 15 }
      alarm  = { grid_overload = "normal" }
    }
  }
  at "13s" {
    expect { alarm = { grid_overload = "active" } }
  }
}

scenario "a silent meter leaves the battery alone" {
  site = "../../site.hcl"

  at "0s" {
    set = { "grid_meter.power" = 95000, "battery.soc" = 50, "battery.power" = 0 }
  }
  at "4s" {
    silent = ["grid_meter"]
    expect { output = { "battery.setpoint" = 15 } }
  }
  at "30s" {
    expect {
      output = { "battery.setpoint" = 0 }
      alarm  = { grid_meter_lost = "active" }
    }
  }
}
