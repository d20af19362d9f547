site "s" {}
site "t" {}
store {}
store {}
channel "lan" { plugin = "modbus" }
channel "lan" { plugin = "modbus" }
device "d" {
  channel = channel.lan
  config { unit = 1 }
  config { unit = 2 }
  point "a" {}
  point "a" {}
  point "1st" {}
  point "b" {
    write {
      min  = 0
      max  = 1
      safe = 0
    }
    write {}
  }
}
model "d" {
  template     = template.load
  measurements = { power = 5, power = 6 }
}
locals { a = 1 }
locals { a = 2 }
variable "v" { default = 1 }
variable "v" { default = 2 }
device "e" {
  for_each = ["x", "x"]
  channel  = channel.lan
  config { unit = 1 }
  point "a" {}
}
device "f" {
  for_each = { "a b" = 1 }
  channel  = channel.lan
  config { unit = 1 }
  point "a" {}
}
device "g" {
  for_each = 5
  channel  = channel.lan
  config { unit = 1 }
  point "a" {}
}
channel "my lan" { plugin = "modbus" }
rule "r" {
  when = device.d.a > 5
  set "d.b" { value = 1 }
  set "d.b" { value = 2 }
}
