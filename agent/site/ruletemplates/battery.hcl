# Rules for a battery behind a meter. They all have one form: the battery is to have what it gives now, and a part of what
# is missing at the meter, between what it may take and what it may give. As it starts from what the battery does, and not
# from what it was told to do, a battery that does not follow makes nothing run away; and with a gain of a half it settles
# also when meter and battery are not read at the same instant. Near the ends of the state of charge the power goes to 0
# over two percent, so that nothing switches to and fro there.

rule_template "self_consumption" {
  description = "The battery takes the surplus of the site and gives what it lacks, so that the grid gives nothing."

  parameter "meter" {
    type        = model
    template    = template.grid_meter
    description = "Meter at the grid connection, with `power`."
  }
  parameter "battery" {
    type        = model
    template    = template.battery
    description = "The battery, with `power`, `soc`, the action `power`, and the properties `max_charge` and `max_discharge`."
  }
  parameter "target" {
    type        = number
    unit        = "kW"
    default     = 0
    description = "What the grid shall give; a little more than 0 where nothing may be fed in."
  }
  parameter "reserve" {
    type        = number
    unit        = "%"
    default     = 0
    min         = 0
    max         = 100
    description = "State of charge below which it gives nothing; the battery's `min_soc` holds in any case."
  }
  parameter "allow" {
    type        = condition
    default     = true
    description = "Whether it works now."
  }
  parameter "gain" {
    type        = number
    default     = 0.5
    min         = 0.05
    max         = 1
    description = "The part of what is missing that is made up at each reading."
  }
  parameter "priority" {
    type    = number
    default = 20
    min     = 0
    max     = 100
  }

  rule "balance" {
    description = "The battery keeps the grid connection at its target."
    when        = param.allow && known(param.meter.power) && known(param.battery.power) && known(param.battery.soc)
    unknown     = "false"
    priority    = param.priority
    set "param.battery.power" {
      value = clamp(
        param.battery.power + param.gain * (param.meter.power - param.target),
        -param.battery.max_charge * clamp((param.battery.max_soc - param.battery.soc) / 2, 0, 1),
        param.battery.max_discharge * clamp((param.battery.soc - max(param.reserve, param.battery.min_soc)) / 2, 0, 1),
      )
      ttl = "30s"
    }
  }
}

rule_template "peak_shaving" {
  description = "The battery gives what the site takes beyond a limit, and no more than that: what it has is kept for the peak."

  parameter "meter" {
    type        = model
    template    = template.grid_meter
    description = "Meter at the grid connection, with `power`."
  }
  parameter "battery" {
    type        = model
    template    = template.battery
    description = "The battery, with `power`, `soc`, the action `power`, and the property `max_discharge`."
  }
  parameter "limit" {
    type        = number
    unit        = "kW"
    min         = 0
    description = "What the grid may give."
  }
  parameter "band" {
    type        = number
    unit        = "kW"
    default     = 5
    min         = 0.1
    description = "How far below the limit the site's demand must be before the rule ends."
  }
  parameter "reserve" {
    type        = number
    unit        = "%"
    default     = 0
    min         = 0
    max         = 100
    description = "State of charge below which it gives nothing; the battery's `min_soc` holds in any case."
  }
  parameter "allow" {
    type        = condition
    default     = true
    description = "Whether it works now."
  }
  parameter "gain" {
    type        = number
    default     = 0.5
    min         = 0.05
    max         = 1
    description = "The part of what is missing that is made up at each reading."
  }
  parameter "priority" {
    type    = number
    default = 50
    min     = 0
    max     = 100
  }

  rule "shave" {
    description = "The battery gives what goes beyond the limit."
    # What the grid would give if the battery stood still: it does not depend on what this rule does.
    when     = param.allow ? param.meter.power + param.battery.power : param.limit - param.band - 1
    unknown  = "false"
    priority = param.priority
    hysteresis {
      on  = param.limit
      off = param.limit - param.band
    }
    set "param.battery.power" {
      value = clamp(
        param.battery.power + param.gain * (param.meter.power - param.limit),
        0,
        param.battery.max_discharge * clamp((param.battery.soc - max(param.reserve, param.battery.min_soc)) / 2, 0, 1),
      )
      ttl = "30s"
    }
  }
}

rule_template "export_charging" {
  description = "The battery takes what the site would feed in beyond a limit, and no more than that: its room is kept for the peak of the sun."

  parameter "meter" {
    type        = model
    template    = template.grid_meter
    description = "Meter at the grid connection, with `power`."
  }
  parameter "battery" {
    type        = model
    template    = template.battery
    description = "The battery, with `power`, `soc`, the action `power`, and the property `max_charge`."
  }
  parameter "limit" {
    type        = number
    unit        = "kW"
    min         = 0
    description = "What may be fed in; a little less than the limit of `export_limit`, so that the battery comes first."
  }
  parameter "band" {
    type        = number
    unit        = "kW"
    default     = 2
    min         = 0.1
    description = "How far below the limit the surplus must be before the rule ends."
  }
  parameter "allow" {
    type        = condition
    default     = true
    description = "Whether it works now."
  }
  parameter "gain" {
    type        = number
    default     = 0.5
    min         = 0.05
    max         = 1
    description = "The part of what is missing that is made up at each reading."
  }
  parameter "priority" {
    type    = number
    default = 40
    min     = 0
    max     = 100
  }

  rule "absorb" {
    description = "The battery takes what goes beyond the limit."
    when        = param.allow ? -param.meter.power - param.battery.power : param.limit - param.band - 1
    unknown     = "false"
    priority    = param.priority
    hysteresis {
      on  = param.limit
      off = param.limit - param.band
    }
    set "param.battery.power" {
      value = clamp(
        param.battery.power + param.gain * (param.meter.power + param.limit),
        -param.battery.max_charge * clamp((param.battery.max_soc - param.battery.soc) / 2, 0, 1),
        0,
      )
      ttl = "30s"
    }
  }
}

rule_template "tariff_charging" {
  description = "The battery charges from the grid while power is cheap, up to a state of charge and within what the connection gives. While it lasts the battery gives nothing."

  parameter "meter" {
    type        = model
    template    = template.grid_meter
    description = "Meter at the grid connection, with `power`."
  }
  parameter "battery" {
    type        = model
    template    = template.battery
    description = "The battery, with `power`, `soc` and the action `power`."
  }
  parameter "cheap" {
    type        = condition
    description = "When to charge: a window of time, a price below a limit."
  }
  parameter "power" {
    type        = number
    unit        = "kW"
    min         = 0
    description = "With how much it charges."
  }
  parameter "limit" {
    type        = number
    unit        = "kW"
    min         = 0
    description = "What the grid may give in all; it charges with less when the site needs more."
  }
  parameter "target_soc" {
    type        = number
    unit        = "%"
    default     = 90
    min         = 0
    max         = 100
    description = "State of charge at which it ends."
  }
  parameter "gain" {
    type        = number
    default     = 0.5
    min         = 0.05
    max         = 1
    description = "The part of what is missing that is made up at each reading."
  }
  parameter "priority" {
    type    = number
    default = 30
    min     = 0
    max     = 100
  }

  rule "charge" {
    description = "The battery charges while power is cheap."
    when        = param.cheap && known(param.meter.power) && known(param.battery.power) && known(param.battery.soc)
    unknown     = "false"
    priority    = param.priority
    set "param.battery.power" {
      value = clamp(
        param.battery.power + param.gain * (param.meter.power - param.limit),
        -param.power * clamp((param.target_soc - param.battery.soc) / 2, 0, 1),
        0,
      )
      ttl = "30s"
    }
  }
}

rule_template "backup_reserve" {
  description = "Below a state of charge the battery gives nothing more: the rest is for when the grid fails. It still takes surplus, and more if the grid may give some."

  parameter "meter" {
    type        = model
    template    = template.grid_meter
    description = "Meter at the grid connection, with `power`."
  }
  parameter "battery" {
    type        = model
    template    = template.battery
    description = "The battery, with `power`, `soc` and the action `power`, and the property `max_charge`."
  }
  parameter "reserve" {
    type        = number
    unit        = "%"
    min         = 0
    max         = 100
    description = "State of charge that is kept."
  }
  parameter "band" {
    type        = number
    unit        = "%"
    default     = 3
    min         = 0.5
    max         = 50
    description = "How far above the reserve the battery is free again."
  }
  parameter "grid" {
    type        = number
    unit        = "kW"
    default     = 0
    min         = 0
    description = "Up to which power of the grid connection it fills the reserve; 0: with surplus only."
  }
  parameter "release" {
    type        = condition
    default     = false
    description = "When the reserve may be used: the grid has failed."
  }
  parameter "gain" {
    type        = number
    default     = 0.5
    min         = 0.05
    max         = 1
    description = "The part of what is missing that is made up at each reading."
  }
  parameter "priority" {
    type    = number
    default = 60
    min     = 0
    max     = 100
  }

  rule "keep" {
    description = "The battery keeps its reserve."
    when        = param.release ? param.reserve + param.band + 1 : param.battery.soc
    unknown     = "false"
    priority    = param.priority
    hysteresis {
      on  = param.reserve
      off = param.reserve + param.band
    }
    set "param.battery.power" {
      value = clamp(param.battery.power + param.gain * (param.meter.power - param.grid), -param.battery.max_charge, 0)
      ttl   = "30s"
    }
  }
}
