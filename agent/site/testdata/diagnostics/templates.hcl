site "s" {}
channel "lan" { plugin = "modbus" }
device "d" {
  channel = channel.lan
  config { unit = 1 }
  point "a" { unit = "kW" }
}
template "pump" {
  extends = template.load
  property "head" {
    unit     = "m"
    required = true
  }
  property "name" { type = "strng" }
  property "kind" {
    type    = "string"
    default = ["a"]
  }
  measurement "flow" {
    unit     = "m3/hh"
    required = true
  }
  measurement "flow" {}
  measurement "head" {}
  action "speed" {
    unit     = "%"
    required = true
  }
}
template "good" {
  extends = template.load
  property "head" {
    unit     = "m"
    required = true
  }
  measurement "flow" {
    unit     = "m³/h"
    required = true
  }
  action "speed" {
    unit     = "%"
    required = true
  }
}
model "p" {
  template     = template.good
  properties   = { rated_power = "much" }
  measurements = { flow = device.d.a }
}
model "q" {
  template   = template.good
  properties = "x"
}
