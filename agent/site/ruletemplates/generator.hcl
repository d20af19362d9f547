# Rules for generating sets.

rule_template "generator" {
  description = "Starts a generating set by a number that goes beyond one limit, and stops it beyond another: a state of charge that is low (`on` below `off`), or a demand that is high (`on` above `off`). It runs for a least time, and rests for a least time."

  parameter "generator" {
    type        = model
    template    = template.generator
    description = "The generating set, with `running` and the action `start`, which is 1 as long as it shall run."
  }
  parameter "demand" {
    type        = value
    description = "What decides: `model.bess.soc`, or a power. The set's own power has to be added to that of a meter behind which it feeds in."
  }
  parameter "on" {
    type        = number
    description = "Beyond this it starts."
  }
  parameter "off" {
    type        = number
    description = "Beyond this, on the other side, it stops."
  }
  parameter "start_after" {
    type        = duration
    default     = "30s"
    description = "How long it must be needed first."
  }
  parameter "min_run" {
    type        = duration
    default     = "15m"
    description = "How long it runs at least."
  }
  parameter "min_rest" {
    type        = duration
    default     = "10m"
    description = "How long it rests at least before it is started again."
  }
  parameter "start_within" {
    type        = duration
    default     = "3m"
    description = "How long it may be needed and not run before an alarm tells of it. It is more than `start_after` and the time that a start takes."
  }
  parameter "allow" {
    type        = condition
    default     = true
    description = "Whether it may run; when not, it stops at once: `!model.genset.fault`."
  }
  parameter "priority" {
    type        = number
    default     = 50
    min         = 0
    max         = 95
    description = "Of the start; rest has 5 more."
  }

  rule "run" {
    description = "The set runs while it is needed."
    when        = param.demand
    for         = param.start_after
    unknown     = "false"
    priority    = param.priority
    hysteresis {
      on  = param.on
      off = param.off
    }
    set "param.generator.start" {
      value = 1
      ttl   = "30s"
    }
  }

  # Its wish stands for the least time, whatever becomes of the need.
  rule "least" {
    description = "The set runs for its least time once it has begun."
    when        = param.generator.running
    on          = "rising"
    priority    = param.priority
    set "param.generator.start" {
      value = 1
      ttl   = param.min_run
    }
  }

  rule "rest" {
    description = "The set rests for its least time once it has stopped."
    when        = param.generator.running
    on          = "falling"
    priority    = param.priority + 5
    set "param.generator.start" {
      value = 0
      ttl   = param.min_rest
    }
  }

  rule "forbid" {
    description = "The set does not run while it may not."
    # The second half is never true: a rule has to read something, also when it is always allowed.
    when     = !param.allow || known(param.generator.running) && !known(param.generator.running)
    unknown  = "hold"
    priority = param.priority + 5
    set "param.generator.start" {
      value = 0
      ttl   = "30s"
    }
  }

  alarm "no_start" {
    description = "The set is needed and does not run."
    when        = param.allow && !param.generator.running && (param.on > param.off ? param.demand > param.on : param.demand < param.on)
    for         = param.start_within
    priority    = "high"
    message     = "The generating set is needed and does not run: look for its fuel, its fault and its switch."
  }
}
