site "bakery" {}

channel "lan" {
  plugin = "modbus"
  config {
    transport = "tcp"
    address   = "127.0.0.1:1502"
  }
}

device "meter" {
  channel = channel.lan
  config { unit = 1 }
  point "power" {
    address = "input:1"
    type    = "float32"
    unit    = "kW"
    tags    = { phase = "1" }
  }
  point "temperature" {
    address = "input:3"
    type    = "float32"
    unit    = "°C"
  }
  point "state" {
    address = "input:5"
    type    = "uint16"
  }
}

sink "history" {
  plugin = "influxdb"
  config {
    url    = "http://127.0.0.1:8086"
    bucket = "b"
  }
}

sink "cloud" {
  plugin  = "influxdb"
  include = ["meter.*"]
  config {
    url    = "http://127.0.0.1:8086"
    bucket = "b"
  }
}

sink "third" {
  plugin = "influxdb"
  config {
    url    = "http://127.0.0.1:8086"
    bucket = "b"
  }
}

route "wrong_sink" { sink = sink.histroy }
route "no_sink" { sink = "history" }
route "filter_beside" { sink = sink.cloud }

route "words" {
  sink    = sink.third
  quality = ["good", "uncertan"]
  events  = ["alarms"]
  tags    = { phas = "1" }
}

route "fits_nothing" {
  sink    = sink.third
  include = ["metre.*"]
  align   = true
}

route "all" {
  sink = sink.history
  shape "meter.power" { unit = "kVA" }
  shape "meter.temp*" { name = "heat.$2" }
  shape "meter.state" { unit = "kW" }
}

route "doubles" {
  sink = sink.third
  shape "meter.*" { name = "m.value" }
}

route "computes" {
  sink = [sink.third, sink.third]
  compute "sum" { value = device.meter.powr + 1 }
  compute "m.mixed" {
    value = device.meter.power
    unit  = "kw"
  }
}

route "twice_a" {
  sink    = sink.history
  include = ["meter.power"]
}
route "twice_b" {
  sink    = sink.history
  include = ["meter.p*"]
}
