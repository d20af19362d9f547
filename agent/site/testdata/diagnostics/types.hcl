site "s" { timezone = "Europe/Berln" }
channel "lan" {
  plugin = "modbus"
  every  = 5
  config {
    transport = "tpc"
    timeout   = "10m"
    retries   = 1.5
    address   = ["a"]
  }
}
channel "two" {
  plugin = "modbus"
  every  = "5 parsecs"
  config {
    timeout = "5"
    retries = "many"
    tls {}
  }
}
channel "three" {
  plugin = "modbus"
  every  = "-1s"
}
device "m" {
  channel = channel.lan
  every   = "2s"
  stale   = "5s"
  config { unit = 300 }
  point "a" {
    type  = "float23"
    unit  = "kw"
    scale = 0
  }
  point "b" { unit = "furlong" }
  point "c" { unit = 5 }
  point "d" { unit = true }
  point "e" {
    type  = "float32"
    unit  = "kW"
    scale = "five"
    tags  = ["a"]
  }
}
device "without_unit" {
  channel = channel.lan
  point "a" {}
}
device "empty" {
  channel = channel.lan
  config { unit = 2 }
}
journal { max_size = "2 elephants" }
alarm "a" {
  when     = device.m.e > 5
  for      = "1 fortnight"
  priority = "hihg"
  deadband = -1
  enabled  = "perhaps"
}
