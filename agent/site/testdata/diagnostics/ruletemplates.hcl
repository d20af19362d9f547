site "s" {}

channel "lan" {
  plugin = "modbus"
  config {
    transport = "tcp"
    address   = "127.0.0.1:502"
  }
}

device "battery" {
  channel = channel.lan
  config { unit = 2 }
  point "soc" { unit = "%" }
  point "power" { unit = "kW" }
  point "setpoint" {
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
  measurements = { soc = device.battery.soc, power = device.battery.power }
  actions      = { power = device.battery.setpoint }
}

model "grid" {
  template     = "grid_meter"
  measurements = { frequency = 50 }
}

rule_template "empty" {}

rule_template "own" {
  parameter "limit" {
    type = numbr
  }
  parameter "battery" {
    type    = model
    default = "x"
  }
  parameter "battery" { type = bool }
  parameter "n" {
    type    = number
    default = 7
    max     = 5
  }
  parameter "t" {
    type = duration
    unit = "s"
  }

  rule "a" {
    whn = param.limt > 1
    set "param.battery.power" { value = param.x }
  }
  rule "a" {
    when = true
  }
  rule {
    when = true
  }
}

rule_template "sound" {
  parameter "battery" { type = model }
  parameter "wait" { type = duration }
  parameter "limit" {
    type = number
    unit = "kW"
    min  = 1
  }
  parameter "out" { type = output }
  parameter "level" { type = value }

  rule "a" {
    when = param.battery.temperature > param.limit
    for  = param.wait
    set "param.out" { value = param.out + param.wait.x }
  }
  rule "b" {
    when = param.battery.soc > 5
    for  = param.level
    set "param.batery.power" { value = 1 }
  }
  rule "c" {
    when = param.battery.soc > 5
    set "param.battery" { value = 1 }
    set "param.out.power" { value = 1 }
    set "param.level" { value = 1 }
  }
  alarm "d" {
    when     = param.battery.soc > 5
    priority = "hig"
  }
}

rule "missing" { template = rule_template.sound }

rule "no_such" { template = "sond" }

rule "form" {
  template = "self_consumption"
  when     = true
}

rule "of_broken" { template = "own" }

rule "wrong" {
  template = "sound"
  parameters = {
    battery = model.bes
    wait    = "5 parsecs"
    limit   = 0
    out     = model.bess.soc
    level   = device.battery.sok
    more    = 1
  }
}

rule "other" {
  template   = "self_consumption"
  parameters = { meter = model.bess, battery = device.battery }
}

rule "used" {
  template = "sound"
  parameters = {
    battery = model.bess
    wait    = "5s"
    limit   = 2
    out     = model.bess.power
    level   = device.battery.soc
  }
}

rule "ready_made" {
  template   = "self_consumption"
  parameters = { meter = model.grid, battery = model.bess }
}

rule "outside" {
  when = param.x > 1
  set "battery.setpoint" { value = 1 }
}
