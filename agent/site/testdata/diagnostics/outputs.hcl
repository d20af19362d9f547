site "s" {}
channel "lan" { plugin = "modbus" }
device "d" {
  channel = channel.lan
  config { unit = 1 }
  point "no_safe" {
    unit = "kW"
    write {
      min = 0
      max = 5
    }
  }
  point "no_range" {
    unit = "kW"
    write { safe = 0 }
  }
  point "outside" {
    unit = "kW"
    write {
      min  = 0
      max  = 5
      safe = 6
    }
  }
  point "turned" {
    unit = "kW"
    write {
      min  = 5
      max  = 0
      safe = 1
    }
  }
  point "promised" {
    unit   = "kW"
    access = "rw"
  }
  point "readonly" {
    unit   = "kW"
    access = "r"
    write {
      min  = 0
      max  = 5
      safe = 1
    }
  }
  point "name" {
    type = "string"
    write {
      min  = 0
      max  = 5
      safe = 1
    }
  }
  point "blind" {
    unit   = "kW"
    access = "w"
    write {
      min  = 0
      max  = 5
      safe = 1
      ramp = "fast"
      read_back { within = 1 }
    }
  }
  point "odd" {
    unit = "kW"
    write {
      min          = 0
      max          = 5
      safe         = 1
      ramp         = 0
      refresh      = "1s"
      min_interval = "5s"
      read_back {
        within = 1
        point  = "power_"
      }
    }
  }
  point "power" { unit = "kW" }
  point "current" { unit = "A" }
  point "switch" {
    type = "bool"
    write { safe = false }
  }
  point "good" {
    unit = "kW"
    write {
      min  = -5
      max  = 5
      safe = 0
    }
  }
}
model "bess" {
  template     = "battery"
  measurements = { soc = device.d.power }
  actions      = { power = device.d.power, max_charge_power = device.d.switch }
}
model "pv" {
  template = "pv_inverter"
  actions = {
    power_limit         = device.d.good * 2
    power_limit_percent = device.d.good
    powr_limit          = device.d.good
  }
}
model "other" {
  template     = "battery"
  measurements = { power = -device.d.power }
  actions      = { power = -device.d.good }
}
rule "a" {
  when = device.d.power > 5
  set "d.power" { value = 5 }
}
rule "b" {
  when = device.d.power > 5
  set "other.powr" { value = 5 }
}
rule "c" {
  when = device.d.power > 5
  set "other.max_charge_power" { value = 5 }
  set "other.soc" { value = 5 }
}
rule "d" {
  when = device.d.power > 5
  on   = "rising"
  set "other.power" { value = 5 }
  set "d.good" { value = 5 }
}
rule "e" {
  when = device.d.power > 5
}
rule "f" {
  when = device.d.power
  hysteresis {
    on  = 5
    off = 5
  }
  throttle { count = 0 }
  set "d.good[0]" { value = 5 }
  set "d.good" {
    value = 5
    ttl   = "0s"
  }
}

device "sensors" {
  channel = channel.lan
  config { unit = 9 }
  point "inverted" {
    address   = "input:1"
    valid_min = 5
    valid_max = 0
  }
  point "flag" {
    address   = "coil:1"
    type      = "bool"
    valid_max = 1
  }
}
