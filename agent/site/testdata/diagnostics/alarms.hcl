site "s" {}

channel "lan" { plugin = "modbus" }

device "battery" {
  channel = channel.lan
  config { unit = 1 }

  point "soc" { unit = "%" }
  point "power" { unit = "kW" }
  point "state" {}
}

alarm "none" {
  priority = "high"
}

alarm "both" {
  when  = device.battery.soc < 10
  value = device.battery.soc
  levels { low = 10 }
}

alarm "kind_of_a_condition" {
  when  = device.battery.soc < 10
  stale = "1m"
}

alarm "no_value" {
  levels { low = 10 }
}

alarm "no_kind" {
  value = device.battery.soc
}

alarm "two_kinds" {
  value = device.battery.soc
  stale = "1m"
  rate { limit = 5 }
}

alarm "disordered" {
  value = device.battery.soc
  levels {
    high      = 90
    high_high = 80
  }
}

alarm "empty" {
  value = device.battery.soc
  levels {}
}

alarm "wide" {
  value    = device.battery.soc
  deadband = 80
  levels {
    high = 90
    low  = 10
  }
}

alarm "never_returns" {
  value    = device.battery.power
  deadband = 5
  deviation {
    setpoint = 10
    limit    = 5
  }
}

alarm "no_setpoint" {
  value = device.battery.power
  deviation { limit = 5 }
}

alarm "direction" {
  value = device.battery.power
  rate {
    limit     = "10/min"
    direction = "upwards"
  }
}

alarm "states" {
  value        = device.battery.state
  alarm_states = []
  deadband     = 1
}

alarm "silence" {
  value   = device.battery.state
  stale   = "10ms"
  unknown = "true"
}

alarm "misspelt" {
  value = device.battery.state
  level { high = 3 }
}
