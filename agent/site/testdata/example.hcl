site "bakery" { timezone = "Europe/Berlin" }

channel "lan" {
  plugin = "modbus"
  every  = "1s"
  config {
    transport = "tcp"
    address   = "127.0.0.1:1502"
  }
}

device "grid_meter" {
  channel = channel.lan
  profile = "eastron-sdm630"
  config { unit = 1 }
}

device "battery" {
  channel = channel.lan
  config { unit = 2 }

  point "soc" {
    address = "input:100"
    type    = "float32"
    unit    = "%"
  }

  point "setpoint" {
    address = "holding:200"
    type    = "float32"
    unit    = "kW"
    write {
      min       = -50
      max       = 50
      ramp      = "10/s"
      safe      = 0
      read_back = { within = 0.5, after = "2s" }
    }
  }
}

model "bess" {
  template     = "battery"
  measurements = { soc = device.battery.soc }
  actions      = { power = device.battery.setpoint }
}

alarm "grid_overload" {
  when     = device.grid_meter.power > 100
  for      = "10s"
  deadband = 5
  priority = "high"
}

rule "peak_shaving" {
  when     = device.grid_meter.power > 80 && model.bess.soc > 20
  for      = "2s"
  priority = 50
  set "bess.power" {
    value = device.grid_meter.power - 80
    ttl   = "30s"
  }
}

sink "history" {
  plugin = "influxdb"
  config {
    url    = "http://127.0.0.1:8086"
    bucket = "site/autogen"
    token  = env("INFLUX_TOKEN")
  }
}
