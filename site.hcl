# The demo site, which `make run` runs: a bakery with a grid meter, a battery, a photovoltaic inverter and an EV charger,
# all of them simulated by examples/plant. When the ovens heat, the battery keeps the grid connection at 80 kW.

site "bakery" {
  timezone = "Europe/Berlin"
}

api {
  listen = "127.0.0.1:8480"
}

variable "peak" {
  description = "What the grid connection may give, in kW."
  type        = number
  default     = 80
}

variable "influxdb_url" {
  description = "Where history goes beside the journal; empty: nowhere."
  type        = string
  default     = ""
}

locals {
  # What the grid would give if the battery stood still.
  demand = model.grid.power + model.bess.power
}

channel "lan" {
  plugin = "modbus"
  every  = "500ms"
  config {
    transport = "tcp"
    address   = "127.0.0.1:1502"
    timeout   = "1s"
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

  point "power" {
    address = "input:102"
    type    = "float32"
    unit    = "kW"
  }

  point "temperature" {
    address = "input:104"
    type    = "float32"
    unit    = "°C"
  }

  point "setpoint" {
    address = "holding:200"
    type    = "float32"
    unit    = "kW"
    write {
      min       = -50
      max       = 50
      ramp      = "25/s"
      safe      = 0
      read_back = { within = 0.5, after = "2s" }
    }
  }
}

device "inverter" {
  channel = channel.lan
  every   = "1s"
  config { unit = 3 }

  point "power" {
    address = "input:0"
    type    = "int32"
    order   = "CDAB"
    unit    = "W"
  }

  point "produces" {
    address = "discrete:0"
    type    = "bool"
  }
}

device "charger" {
  channel = channel.lan
  every   = "1s"
  config { unit = 4 }

  point "power" {
    address = "input:2"
    type    = "float32"
    unit    = "W"
  }

  point "current_limit" {
    address = "holding:100"
    type    = "uint16"
    scale   = 0.1
    unit    = "A"
    write {
      min  = 0
      max  = 32
      safe = 6
    }
  }
}

model "grid" {
  template     = "grid_meter"
  measurements = { power = device.grid_meter.power }
}

model "bess" {
  template     = "battery"
  properties   = { capacity = 200 }
  measurements = { soc = device.battery.soc, power = device.battery.power }
  actions      = { power = device.battery.setpoint }
}

alarm "grid_overload" {
  when     = model.grid.power > var.peak + 5
  for      = "10s"
  deadband = 5
  priority = "high"
  message  = "The grid connection gives more than it may."
}

alarm "battery_low" {
  when     = device.battery.soc < 10
  deadband = 5
  priority = "medium"
}

alarm "grid_meter_lost" {
  when     = !known(device.grid_meter.power)
  for      = "2s"
  priority = "high"
  message  = "The grid meter does not answer: the battery is left alone."
}

# A request stands for its time to live only: when the meter falls silent nobody renews it, and the battery goes to its
# safe value.
rule "peak_shaving" {
  when     = local.demand > var.peak && model.bess.soc > 10
  for      = "1s"
  priority = 50
  set "bess.power" {
    value = local.demand - var.peak
    ttl   = "5s"
  }
}

rule "recharge" {
  when     = local.demand < var.peak - 30 && model.bess.soc < 90
  for      = "5s"
  keep_for = "5s"
  priority = 20
  set "bess.power" {
    value = max(local.demand - (var.peak - 20), -20)
    ttl   = "5s"
  }
}

sink "history" {
  for_each = var.influxdb_url == "" ? toset([]) : toset(["influxdb"])
  plugin   = "influxdb"
  config {
    url    = var.influxdb_url
    bucket = "site/autogen"
  }
}
