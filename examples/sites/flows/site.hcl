# Two windows, two sequences and a chain over the grid meter: what rules with one condition can't say. See docs/rules.md. It runs
# on the simulated plant as it stands:
#
#   plant --speed 10
#   voltage run examples/sites/flows

site "works" {}

variable "address" {
  description = "Where the devices answer."
  type        = string
  default     = "127.0.0.1:1502"
}

variable "every" {
  description = "How often they are read."
  type        = string
  default     = "200ms"
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

# What the connection gives on average of two seconds, at each reading: a value for alarms, rules and models.
window "demand" {
  kind   = "sliding"
  size   = "2s"
  source = device.meter
  aggregate "mean" {
    fn    = "avg"
    value = power
  }
  aggregate "frames" { fn = "count" }
}

alarm "demand_high" {
  when     = window.demand.mean > 60000 && window.demand.frames >= 5
  priority = "high"
  message  = "The connection gave more than 60 kW for two seconds."
}

# Each second by itself: when its highest reading is low, there is relief.
window "calm" {
  kind   = "tumbling"
  size   = "1s"
  source = device.meter
  aggregate "most" {
    fn    = "max"
    value = power
  }
  having = most < 40000
  clear "no_relief" {}
}

# From one reading to the next, more than half is gone.
sequence "dropped" {
  every  = true
  strict = true
  within = "5s"
  step "before" {
    device = device.meter
    where  = power > 60000
  }
  step "after" {
    device = device.meter
    where  = power < before.power / 2
  }
  publish "load_lost" { fields = { before = before.power, after = after.power } }
}

# Much is taken, and for two seconds there is no reading below 60 kW. With group = 2 it is waited for anew when both steps were
# there; without, each reading above 70 kW would be waited for by itself.
sequence "no_relief" {
  every = true
  group = 2
  step "high" {
    device = device.meter
    where  = power > 70000
  }
  step "relief" {
    device = device.meter
    where  = power < 60000
    absent = true
    for    = "2s"
  }
  raise "no_relief" {
    priority = "critical"
    message  = "More than 60 kW without a pause."
  }
}

# The battery gives what goes beyond 80 kW, and rests else.
chain "mode" {
  transform "balance" {
    set  = { load = device.meter.power * 0.001 + device.battery.power }
    next = ["what"]
  }
  switch "what" {
    case "high" { when = load > 80 }
    case "low" { when = load < 20 }
    next = { high = ["give"], low = ["any"], default = ["any"] }
  }
  merge "any" { next = ["rest"] }
  action "give" {
    set "battery.setpoint" {
      value = load - 80
      ttl   = "5s"
    }
    publish "giving" { fields = { load = load } }
  }
  action "rest" {
    set "battery.setpoint" {
      value = 0
      ttl   = "5s"
    }
  }
}
