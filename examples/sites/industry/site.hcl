# A small works with a battery and a generating set, whose grid connection must not give more than it may, run by ready-made
# rules: see docs/rules.md. It runs on the simulated plant as it stands:
#
#   plant --speed 10
#   voltage run examples/sites/industry

site "works" {
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

variable "peak" {
  description = "What the grid connection may give, in kW."
  type        = number
  default     = 80
}

# How long the generating set must be needed first, and how long it runs and rests at least.
variable "generator" {
  type    = map(string)
  default = { start_after = "30s", min_run = "15m", min_rest = "10m" }
}

variable "cheap" {
  description = "When power is cheap: the times of day, as HH:MM."
  type        = object({ from = string, to = string })
  default     = { from = "22:00", to = "05:00" }
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

device "diesel" {
  channel = channel.lan
  config { unit = 6 }

  point "power" {
    address = "input:0"
    type    = "float32"
    unit    = "kW"
  }
  point "fuel" {
    address = "input:2"
    type    = "float32"
    unit    = "%"
  }
  point "running" {
    address = "discrete:0"
    type    = "bool"
  }
  point "fault" {
    address = "discrete:1"
    type    = "bool"
  }
  point "start" {
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
  properties   = { capacity = 200, max_charge = 40, max_discharge = 50, min_soc = 10, max_soc = 98 }
  measurements = { soc = device.battery.soc, power = device.battery.power }
  actions      = { power = device.battery.setpoint }
}

model "genset" {
  template     = "generator"
  properties   = { rated_power = 60 }
  measurements = { power = device.diesel.power, fuel_level = device.diesel.fuel, running = device.diesel.running, fault = device.diesel.fault }
  actions      = { start = device.diesel.start }
}

schedule "cheap" {
  from = var.cheap.from
  to   = var.cheap.to
}

# The battery takes the peak of the grid connection ...
rule "peak" {
  template   = rule_template.peak_shaving
  parameters = { meter = model.grid, battery = model.bess, limit = var.peak }
}

# ... charges when power is cheap, within what the connection gives ...
rule "night" {
  template = rule_template.tariff_charging
  parameters = {
    meter   = model.grid
    battery = model.bess
    cheap   = schedule.cheap
    power   = 30
    limit   = var.peak - 10
  }
}

# ... and takes what little would be fed in.
rule "absorb" {
  template   = rule_template.export_charging
  parameters = { meter = model.grid, battery = model.bess, limit = 2, band = 1 }
}

rule "reserve" {
  template   = rule_template.backup_reserve
  parameters = { meter = model.grid, battery = model.bess, reserve = 15, grid = var.peak - 30 }
}

# When the battery is near its end the generating set takes over.
rule "genset" {
  template = rule_template.generator
  parameters = {
    generator    = model.genset
    demand       = model.bess.soc
    on           = 25
    off          = 50
    start_after  = var.generator.start_after
    min_run      = var.generator.min_run
    min_rest     = var.generator.min_rest
    start_within = "3m"
    allow        = !model.genset.fault
  }
}

rule "meter" {
  template   = rule_template.comm_loss
  parameters = { watch = model.grid.power, output = model.bess.power, value = 0, after = "2s" }
}
