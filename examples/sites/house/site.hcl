# A house, or a bakery, with a roof of photovoltaics, a battery, a charging point and a water heater, run by ready-made
# rules: see docs/rules.md. It runs on the simulated plant as it stands:
#
#   plant --speed 10 --start 9h
#   voltage run examples/sites/house

site "house" {
  timezone = "Europe/Berlin"
}

variable "address" {
  description = "Where the devices answer."
  type        = string
  default     = "127.0.0.1:1502"
}

variable "every" {
  description = "How often they are read."
  type        = string
  default     = "500ms"
}

variable "feed_in" {
  description = "What may be fed into the grid, in kW."
  type        = number
  default     = 10
}

# How long there must be surplus before a consumer starts, and how long it goes on without: its least times.
variable "start_after" {
  type    = string
  default = "1m"
}

variable "stop_after" {
  type    = string
  default = "3m"
}

channel "lan" {
  plugin = "modbus"
  every  = var.every
  config {
    transport = "tcp"
    address   = var.address
    timeout   = "1s"
  }
}

# Meter and battery are read together: the rules compare them.
device "meter" {
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
  point "setpoint" {
    address = "holding:200"
    type    = "float32"
    unit    = "kW"
    write {
      min       = -50
      max       = 50
      safe      = 0
      read_back = { within = 0.5, after = "2s" }
    }
  }
}

device "inverter" {
  channel = channel.lan
  config { unit = 3 }

  point "power" {
    address = "input:0"
    type    = "int32"
    order   = "CDAB"
    unit    = "W"
  }
  # The register has tenths of a percent of 40 kW. Its safe value is what may be fed in: nobody can see then what the house
  # uses.
  point "limit" {
    address = "holding:10"
    type    = "uint16"
    scale   = 0.04
    unit    = "kW"
    write {
      min  = 0
      max  = 40
      safe = 10
    }
  }
}

device "charger" {
  channel = channel.lan
  config { unit = 4 }

  point "state" {
    address = "input:0"
    type    = "uint16"
  }
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
      safe = 0
    }
  }
}

device "tank" {
  channel = channel.lan
  config { unit = 5 }

  point "power" {
    address = "input:0"
    type    = "float32"
    unit    = "W"
  }
  point "temperature" {
    address = "input:2"
    type    = "float32"
    unit    = "°C"
  }
  point "booster_power" {
    address = "input:4"
    type    = "float32"
    unit    = "W"
  }
  point "power_limit" {
    address = "holding:10"
    type    = "uint16"
    unit    = "W"
    write {
      min  = 0
      max  = 9000
      safe = 0
    }
  }
  point "booster" {
    address = "coil:0"
    type    = "bool"
    write { safe = false }
  }
}

model "grid" {
  template     = "grid_meter"
  measurements = { power = device.meter.power }
}

model "bess" {
  template     = "battery"
  properties   = { capacity = 200, max_charge = 50, max_discharge = 50, min_soc = 10, max_soc = 98 }
  measurements = { soc = device.battery.soc, power = device.battery.power }
  actions      = { power = device.battery.setpoint }
}

model "pv" {
  template     = "pv_inverter"
  properties   = { rated_power = 40 }
  measurements = { power = device.inverter.power }
  actions      = { power_limit = device.inverter.limit }
}

model "car" {
  template     = "ev_charger"
  measurements = { power = device.charger.power, connected = device.charger.state > 0 }
  actions      = { current_limit = device.charger.current_limit }
}

model "heater" {
  template     = "load"
  measurements = { power = device.tank.power - device.tank.booster_power }
  actions      = { power_limit = device.tank.power_limit }
}

model "booster" {
  template     = "load"
  measurements = { power = device.tank.booster_power }
  actions      = { enable = device.tank.booster }
}

# The battery keeps the house off the grid, but for a tenth of it that is there when the grid fails.
rule "self" {
  template   = rule_template.self_consumption
  parameters = { meter = model.grid, battery = model.bess }
}

rule "reserve" {
  template   = rule_template.backup_reserve
  parameters = { meter = model.grid, battery = model.bess, reserve = 20 }
}

# What neither house nor battery take is fed in, up to what the grid takes.
rule "feed_in" {
  template   = rule_template.export_limit
  parameters = { meter = model.grid, inverter = model.pv, limit = var.feed_in }
}

# Surplus goes to the car first, then to the heater, then to the booster, then to the battery: each counts as storage what
# those behind it take.
rule "sun_car" {
  template = rule_template.surplus_ev
  parameters = {
    meter       = model.grid
    charger     = model.car
    storage     = model.bess.power - model.heater.power - model.booster.power
    start_after = var.start_after
    stop_after  = var.stop_after
  }
}

rule "sun_heater" {
  template = rule_template.surplus_heater
  parameters = {
    meter       = model.grid
    heater      = model.heater
    storage     = model.bess.power - model.booster.power
    max_power   = 9
    start_after = var.start_after
    stop_after  = var.stop_after
  }
}

rule "sun_booster" {
  template = rule_template.surplus_switch
  parameters = {
    meter       = model.grid
    load        = model.booster
    storage     = model.bess.power
    power       = 6
    start_after = var.start_after
    stop_after  = var.stop_after
  }
}

# Without the meter the battery stands still, and somebody is told.
rule "meter" {
  template   = rule_template.comm_loss
  parameters = { watch = model.grid.power, output = model.bess.power, value = 0, after = "2s" }
}
