# Rules for consumers that shall run on what would be fed in. What such a consumer may have is what it takes now, less what
# comes from the grid, less what batteries give: it does not change by what the rule does, so switching does not switch back.

rule_template "surplus_ev" {
  description = "A charging point charges with what would be fed in, from its least current on; below that it pauses."

  parameter "meter" {
    type        = model
    template    = template.grid_meter
    description = "Meter at the grid connection, with `power`."
  }
  parameter "charger" {
    type        = model
    template    = template.ev_charger
    description = "The charging point, with `power` and the action `current_limit`."
  }
  parameter "storage" {
    type        = value
    unit        = "kW"
    default     = 0
    description = "What batteries give, negative when they take it: a vehicle is not charged from them, and goes before them. Give their `power`, or leave it out where there is none."
  }
  parameter "phases" {
    type        = number
    default     = 3
    min         = 1
    max         = 3
    description = "On how many phases vehicles charge."
  }
  parameter "voltage" {
    type        = number
    unit        = "V"
    default     = 230
    min         = 50
    description = "From phase to neutral."
  }
  parameter "min_current" {
    type        = number
    unit        = "A"
    default     = 6
    min         = 1
    description = "The least current that vehicles take."
  }
  parameter "max_current" {
    type        = number
    unit        = "A"
    default     = 16
    min         = 1
    description = "The most that it is given."
  }
  parameter "idle_current" {
    type        = number
    unit        = "A"
    default     = 0
    min         = 0
    description = "What it has without surplus: 0 pauses."
  }
  parameter "margin" {
    type        = number
    unit        = "kW"
    default     = 0.3
    min         = 0
    description = "How much more than the least power starts it, and how much less stops it."
  }
  parameter "start_after" {
    type        = duration
    default     = "1m"
    description = "How long there must be enough before it starts: its least time off."
  }
  parameter "stop_after" {
    type        = duration
    default     = "3m"
    description = "How long it goes on, with the least current, when there is not enough: its least time on."
  }
  parameter "allow" {
    type        = condition
    default     = true
    description = "Whether it works now; when not, the charging point is left to others."
  }
  parameter "priority" {
    type        = number
    default     = 25
    min         = 1
    max         = 100
    description = "Of the charging; the pause has one less."
  }

  rule "charge" {
    description = "Vehicles charge with the surplus."
    when        = param.allow ? param.charger.power - param.meter.power - param.storage : -1000
    for         = param.start_after
    keep_for    = param.stop_after
    unknown     = "false"
    priority    = param.priority
    hysteresis {
      on  = param.min_current * param.phases * param.voltage / 1000 + param.margin
      off = param.min_current * param.phases * param.voltage / 1000 - param.margin
    }
    set "param.charger.current_limit" {
      value = floor(clamp(
        (param.charger.power - 0.5 * (param.meter.power + param.storage)) * 1000 / (param.phases * param.voltage),
        param.min_current,
        param.max_current,
      ))
      ttl = "30s"
    }
  }

  rule "pause" {
    description = "Without surplus there is no charging."
    when        = param.allow && known(param.meter.power)
    unknown     = "false"
    priority    = param.priority - 1
    set "param.charger.current_limit" {
      value = param.idle_current
      ttl   = "30s"
    }
  }
}

rule_template "surplus_heater" {
  description = "A heater whose power can be set takes what would be fed in, from its least power on."

  parameter "meter" {
    type        = model
    template    = template.grid_meter
    description = "Meter at the grid connection, with `power`."
  }
  parameter "heater" {
    type        = model
    template    = template.load
    description = "The heater, with `power` and the action `power_limit`."
  }
  parameter "storage" {
    type        = value
    unit        = "kW"
    default     = 0
    description = "What batteries give, negative when they take it: as in `surplus_ev`."
  }
  parameter "min_power" {
    type        = number
    unit        = "kW"
    default     = 0.5
    min         = 0
    description = "The least power that it is given."
  }
  parameter "max_power" {
    type        = number
    unit        = "kW"
    min         = 0
    description = "The most that it is given."
  }
  parameter "margin" {
    type        = number
    unit        = "kW"
    default     = 0.2
    min         = 0.01
    description = "How much more than the least power starts it, and how much less stops it."
  }
  parameter "start_after" {
    type        = duration
    default     = "30s"
    description = "How long there must be enough before it starts: its least time off."
  }
  parameter "stop_after" {
    type        = duration
    default     = "1m"
    description = "How long it goes on, with the least power, when there is not enough: its least time on."
  }
  parameter "allow" {
    type        = condition
    default     = true
    description = "Whether it works now."
  }
  parameter "priority" {
    type    = number
    default = 22
    min     = 0
    max     = 100
  }

  rule "heat" {
    description = "The heater takes the surplus."
    when        = param.allow ? param.heater.power - param.meter.power - param.storage : -1000
    for         = param.start_after
    keep_for    = param.stop_after
    unknown     = "false"
    priority    = param.priority
    hysteresis {
      on  = param.min_power + param.margin
      off = param.min_power - param.margin
    }
    set "param.heater.power_limit" {
      value = clamp(param.heater.power - 0.5 * (param.meter.power + param.storage), param.min_power, param.max_power)
      ttl   = "30s"
    }
  }
}

rule_template "surplus_switch" {
  description = "A consumer that can only be switched runs when what would be fed in is enough for it."

  parameter "meter" {
    type        = model
    template    = template.grid_meter
    description = "Meter at the grid connection, with `power`."
  }
  parameter "load" {
    type        = model
    template    = template.load
    description = "The consumer, with `power` and the action `enable`."
  }
  parameter "storage" {
    type        = value
    unit        = "kW"
    default     = 0
    description = "What batteries give, negative when they take it: as in `surplus_ev`."
  }
  parameter "power" {
    type        = number
    unit        = "kW"
    min         = 0
    description = "What it takes when it runs."
  }
  parameter "margin" {
    type        = number
    unit        = "kW"
    default     = 0.5
    min         = 0.01
    description = "How much more than that starts it, and how much less stops it."
  }
  parameter "start_after" {
    type        = duration
    default     = "2m"
    description = "How long there must be enough before it starts: its least time off."
  }
  parameter "stop_after" {
    type        = duration
    default     = "5m"
    description = "How long it goes on when there is not enough: its least time on."
  }
  parameter "allow" {
    type        = condition
    default     = true
    description = "Whether it works now."
  }
  parameter "priority" {
    type    = number
    default = 22
    min     = 0
    max     = 100
  }

  rule "run" {
    description = "The consumer runs on the surplus."
    when        = param.allow ? param.load.power - param.meter.power - param.storage : -1000
    for         = param.start_after
    keep_for    = param.stop_after
    unknown     = "false"
    priority    = param.priority
    hysteresis {
      on  = param.power + param.margin
      off = param.power - param.margin
    }
    set "param.load.enable" {
      value = 1
      ttl   = "30s"
    }
  }
}
