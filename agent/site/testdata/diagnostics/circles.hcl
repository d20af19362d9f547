site "s" {}
channel "lan" { plugin = "modbus" }
device "d" {
  channel = channel.lan
  config { unit = 1 }
  point "a" { unit = "kW" }
}
template "a" { extends = template.b }
template "b" { extends = template.c }
template "c" { extends = template.a }
template "d" { extends = template.loads }
locals {
  x = local.y + device.d.a
  y = local.x
  z = model.m.power
}
model "m" {
  template     = "load"
  measurements = { power = model.n.power }
}
model "n" {
  template     = "load"
  measurements = { power = local.z }
}
model "o" {
  template     = template.a
  measurements = { power = 5 }
}
alarm "a" {
  when          = device.d.a > 1
  suppressed_by = [alarm.b]
}
alarm "b" {
  when          = device.d.a > 2
  suppressed_by = [alarm.a]
}
alarm "c" { when = model.m.power > 5 && local.x > 5 }
