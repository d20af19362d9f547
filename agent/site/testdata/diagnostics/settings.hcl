site "s" {}
api {
  listen = "0.0.0.0:8480"
  token  = "abcdefgh"
}
store {
  address  = ["10.0.0.1:6379", "10.0.0.2"]
  mode     = "single"
  password = 5
  executable = "/usr/bin/redis-server"
}
plugin "x" { version = "about 2" }
library "rules" { file = "missing.lua" }
sink "a" {
  plugin  = "influxdb"
  include = ["[a"]
  config {
    url   = "http://x"
    token = [1]
  }
}
sink "b" { plugin = "influx" }
