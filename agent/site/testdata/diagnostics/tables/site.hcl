site "s" {}
channel "lan" { plugin = "modbus" }
profile "inline" {
  plugin = "modbus"
  points = csv("inline.csv")
  point "x" { adress = "input:0" }
}
profile "empty" { plugin = "modbus" }
profile "other" {
  plugin = "dlms"
  point "x" {}
}
device "a" {
  channel = channel.lan
  points  = csv("meter.csv")
  config { unit = 1 }
}
device "b" {
  channel = channel.lan
  points  = csv("missing.csv")
  config { unit = 2 }
}
device "c" {
  channel = channel.lan
  points  = "meter.csv"
  profile = "own"
  config { unit = 3 }
}
device "d" {
  channel = channel.lan
  profile = "eastron-sdm63"
  config { unit = 4 }
}
device "e" {
  channel = channel.lan
  profile = "eastron-sdm630"
  config { unit = 5 }
  point "limit" { access = "r" }
  point "power" { write = { min = 0, max = 5, safe = 0 } }
}
device "f" {
  channel = channel.lan
  points  = csv("header.csv")
  config { unit = 6 }
}
device "g" {
  channel = channel.lan
  points  = csv("nothing.csv")
  config { unit = 7 }
}
device "h" {
  channel = channel.lan
  points  = json("meter.csv")
  config { unit = 8 }
}
alarm "x" { when = device.d.powr > 5 }
alarm "y" { when = device.e.powr > 5 }
rule "z" {
  when = device.e.power > 5
  set "e.limit" {
    value = 5
    ttl   = "5s"
  }
}
