# Rules for what goes into the grid, and for when something can't be seen.

rule_template "export_limit" {
  description = "The inverter gives no more than the site can use and the grid may take. When that can't be seen, it gives no more than the grid may take."

  parameter "meter" {
    type        = model
    template    = template.grid_meter
    description = "Meter at the grid connection, with `power`."
  }
  parameter "inverter" {
    type        = model
    template    = template.pv_inverter
    description = "The inverter, with `power` and the action `power_limit`."
  }
  parameter "limit" {
    type        = number
    unit        = "kW"
    min         = 0
    description = "What may be fed in."
  }
  parameter "gain" {
    type        = number
    default     = 0.5
    min         = 0.05
    max         = 1
    description = "The part of what is too much that is taken away at each reading."
  }
  parameter "priority" {
    type    = number
    default = 70
    min     = 0
    max     = 100
  }

  # The limit is always there, and always near what is given: when a cloud goes, the inverter rises no further than half
  # of the room that there is, and from there on as the readings come.
  rule "hold" {
    description = "The inverter gives what the site uses, and what the grid may take."
    when        = known(param.meter.power) && known(param.inverter.power)
    priority    = param.priority
    set "param.inverter.power_limit" {
      value = max(0, param.inverter.power + param.gain * (param.meter.power + param.limit))
      ttl   = "30s"
    }
  }

  rule "blind" {
    description = "Without meter or inverter in sight, the inverter gives what the grid may take."
    when        = !(known(param.meter.power) && known(param.inverter.power))
    priority    = param.priority
    set "param.inverter.power_limit" {
      value = param.limit
      ttl   = "30s"
    }
  }
}

rule_template "comm_loss" {
  description = "An output gets a fixed value while something is not known that its control depends on, and an alarm tells of it."

  parameter "watch" {
    type        = value
    description = "What must be known: a point or measurement."
  }
  parameter "output" {
    type        = output
    description = "What is set meanwhile."
  }
  parameter "value" {
    type        = number
    description = "To what, in the output's unit."
  }
  parameter "after" {
    type        = duration
    default     = "5s"
    description = "How long it must be unknown first."
  }
  parameter "back" {
    type        = duration
    default     = "10s"
    description = "How long it must be known again before the output is free."
  }
  parameter "priority" {
    type    = number
    default = 90
    min     = 0
    max     = 100
  }

  rule "fallback" {
    description = "The output has its fallback while what it depends on is not known."
    when        = !known(param.watch)
    for         = param.after
    keep_for    = param.back
    priority    = param.priority
    set "param.output" {
      value = param.value
      ttl   = "30s"
    }
  }

  alarm "lost" {
    description = "What an output depends on is not known."
    when        = !known(param.watch)
    for         = param.after
    priority    = "high"
    message     = "A reading is missing that an output depends on: the output is at its fallback."
  }
}
