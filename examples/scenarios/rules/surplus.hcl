# The ready-made rules surplus_ev, surplus_heater and surplus_switch, in the house.

scenario "the car starts with its least current, a minute after there is enough for it" {
  site = "../../sites/house"

  at "0s" {
    set = {
      "meter.power" = -5000, "battery.power" = 0, "battery.soc" = 60, "charger.power" = 0, "charger.state" = 1
      "tank.power"  = 0, "tank.booster_power" = 0
    }
    expect {
      rule   = ["sun_car.pause"]
      idle   = ["sun_car.charge"]
      output = { "charger.current_limit" = 0 }
    }
  }
  at "59s" {
    expect { idle = ["sun_car.charge"] }
  }
  at "61s" {
    expect {
      rule   = ["sun_car.charge"]
      output = { "charger.current_limit" = 6 }
    }
  }
  # It takes 4.14 kW; 6 kW more are fed in, of which it gets half: 4.35 A, in whole amperes.
  at "65s" {
    set = { "meter.power" = -6000, "charger.power" = 4140 }
    expect { output = { "charger.current_limit" = 10 } }
  }
  # Now all that is missing comes from the battery: it goes on for three minutes with the least, and pauses.
  at "70s" {
    set = { "meter.power" = 0, "charger.power" = 6900, "battery.power" = 6.9 }
    expect {
      rule   = ["sun_car.charge"]
      output = { "charger.current_limit" = 6 }
    }
  }
  at "249s" {
    expect { rule = ["sun_car.charge"] }
  }
  at "251s" {
    expect {
      idle   = ["sun_car.charge"]
      output = { "charger.current_limit" = 0 }
    }
  }
}

scenario "what the battery takes, the car may have" {
  site = "../../sites/house"

  at "0s" {
    set = {
      "meter.power" = 0, "battery.power" = -8, "battery.soc" = 60, "charger.power" = 0, "charger.state" = 1
      "tank.power"  = 0, "tank.booster_power" = 0
    }
  }
  at "61s" {
    expect { rule = ["sun_car.charge", "sun_heater", "sun_booster"] }
  }
}

scenario "the heater takes what is left, half of it at each reading" {
  site = "../../sites/house"

  at "0s" {
    set = {
      "meter.power" = -3000, "battery.power" = 0, "battery.soc" = 60, "charger.power" = 0, "charger.state" = 0
      "tank.power"  = 0, "tank.booster_power" = 0
    }
  }
  at "61s" {
    expect {
      rule   = ["sun_heater"]
      idle   = ["sun_car.charge", "sun_booster"]
      output = { "tank.power_limit" = 1500, "tank.booster" = 0 }
    }
  }
  at "65s" {
    set = { "meter.power" = -1500, "tank.power" = 1500 }
    expect { output = { "tank.power_limit" = 2250 } }
  }
  at "70s" {
    set = { "meter.power" = 2000, "tank.power" = 2250 }
    expect { output = { "tank.power_limit" = 1250 } }
  }
  at "75s" {
    set = { "meter.power" = 3000, "tank.power" = 500 }
    expect { output = { "tank.power_limit" = 500 } }
  }
  at "256s" {
    expect {
      idle   = ["sun_heater"]
      output = { "tank.power_limit" = 0 }
    }
  }
}

scenario "the booster's own power does not switch it off" {
  site = "../../sites/house"

  at "0s" {
    set = {
      "meter.power" = -7000, "battery.power" = 0, "battery.soc" = 60, "charger.power" = 0, "charger.state" = 0
      "tank.power"  = 9000, "tank.booster_power" = 0
    }
  }
  at "61s" {
    set = { "meter.power" = -1000, "tank.power" = 15000, "tank.booster_power" = 6000 }
    expect {
      rule   = ["sun_booster"]
      output = { "tank.booster" = 1 }
    }
  }
  at "300s" {
    expect { rule = ["sun_booster"] }
  }
  at "301s" {
    set = { "meter.power" = 1000 }
  }
  at "480s" {
    expect { rule = ["sun_booster"] }
  }
  at "482s" {
    expect {
      idle   = ["sun_booster"]
      output = { "tank.booster" = 0 }
    }
  }
}

scenario "a consumer that is not known stands still" {
  site = "../../sites/house"

  at "0s" {
    set = {
      "meter.power" = -9000, "battery.power" = 0, "battery.soc" = 60, "charger.power" = 0, "charger.state" = 1
      "tank.power"  = 0, "tank.booster_power" = 0
    }
  }
  at "65s" {
    silent = ["meter"]
    expect { rule = ["sun_car.charge", "sun_heater", "sun_booster"] }
  }
  at "260s" {
    expect {
      idle   = ["sun_car.charge", "sun_car.pause", "sun_heater", "sun_booster"]
      output = { "charger.current_limit" = 0, "tank.power_limit" = 0, "tank.booster" = 0 }
    }
  }
}
