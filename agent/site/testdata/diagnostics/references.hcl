site "s" {}
locals {
  limit = 5
  a     = local.b + 1
  b     = local.c
  c     = local.a
  typo  = local.limt
  live  = device.meter.power + device.meter.pwer
  both  = local.live * 2
}
variable "peak" { default = 80 }
variable "unset" { type = number }
variable "wrong" {
  type    = number
  default = "many"
}
channel "lan" { plugin = "modbus" }
device "meter" {
  channel = channel.wan
  config { unit = 1 }
  point "power" { unit = "kW" }
}
device "battery" {
  channel = channel.lan
  config { unit = var.pek }
  point "soc" { unit = "%" }
}
device "lost" {
  channel = "lan"
  config { unit = device.battery.soc }
  point "a" { type = float32 }
}
device "string" {
  for_each = ["a", "b"]
  channel  = channel.lan
  config { unit = 5 }
  point "power" { unit = "kW" }
}
model "bess" {
  template     = "batery"
  measurements = { soc = device.battery.soc }
}
model "grid" {
  template     = "grid_meter"
  properties   = { rated_curent = 5 }
  measurements = {
    power     = device.meters.power
    frequncy  = 1
    frequency = device.battery.soc
  }
}
alarm "a" { when = device.battery.socc > 5 }
alarm "b" { when = device.batery.soc > 5 }
alarm "c" { when = model.battery.soc > 5 }
alarm "d" { when = device.string.power > 5 }
alarm "e" { when = device.string["c"].power > 5 }
alarm "f" { when = device.battery["x"].soc > 5 }
alarm "g" { when = device.string[each.key].power > 5 }
alarm "h" { when = device.battery > 5 }
alarm "i" { when = devices.battery.soc > 5 }
alarm "j" { when = device.battery.soc > var.peek }
alarm "k" { when = device.battery.soc > local.limitt }
alarm "l" { when = local.both > 5 }
alarm "m" { when = device.battery.soc > 5 && model.grid.voltage_l1 > 5 && model.grid.voltage > 5 }
alarm "n" {
  when          = alarm.a.activ
  suppressed_by = [alarm.x, "alarm_y", alarm.n]
}
alarm "o" { when = model.bess.soc > 5 }
alarm "p" { when = device.meter.power.x > 5 }
rule "r" {
  when = channel.lan > 5
  set "bess.power" { value = 5 }
  set "batery.soc" { value = 5 }
  set "battery" { value = 5 }
}
