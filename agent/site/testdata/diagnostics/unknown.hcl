site "s" {
  timezon = "UTC"
}
chanel "lan" {
  plugin = "modbus"
}
channel "lan" {
  plugin   = "modbus"
  evry     = "1s"
  confg { transport = "tcp" }
  config {
    adress = "x:502"
    tls { cacert = "x" }
    map = 5
  }
}
channel "other" {
  plugin = "modbuss"
}
device "m" {
  channel = channel.lan
  config { unit = 1 }
  point "a" {
    adress = "input:0"
    orders = "ABCD"
    write = 5
    write {
      min       = 0
      max       = 1
      safe      = 0
      read_back = { witin = 1 }
    }
  }
}
stray = 5
sink = "x"
plc "a" {}
timezone "x" "y" {}
rule {}
store "x" {}
library "ruls" {}
