# A cold store that cools ahead while power is cheap, defrosts every night, and says what is wrong: an example of alarms by
# level, rate, state and silence, of schedules, and of rules that read both. Its scenarios: ../scenarios/cold_store.hcl.

site "cold_store" { timezone = "Europe/Berlin" }

channel "lan" {
  plugin = "modbus"
  every  = "5s"
  config {
    transport = "tcp"
    address   = "192.168.1.40:502"
  }
}

device "room" {
  channel = channel.lan
  config { unit = 1 }

  point "temperature" {
    address = "input:0"
    type    = "int16"
    scale   = 0.1
    unit    = "°C"
  }

  point "door" {
    address = "discrete:0"
    type    = "bool"
  }
}

device "compressor" {
  channel = channel.lan
  config { unit = 2 }

  # 0 off, 1 running, 2 defrosting, 3 high pressure, 4 no oil
  point "state" {
    address = "input:0"
    type    = "uint16"
  }

  point "setpoint" {
    address = "holding:0"
    type    = "int16"
    scale   = 0.1
    unit    = "°C"
    write {
      min  = -25
      max  = -15
      safe = -18
    }
  }

  point "defrost" {
    address = "coil:0"
    type    = "bool"
    write { safe = false }
  }
}

device "panel" {
  channel = channel.lan
  config { unit = 3 }

  point "lamp" {
    address = "coil:0"
    type    = "bool"
    write { safe = false }
  }

  point "horn" {
    address = "coil:1"
    type    = "bool"
    write { safe = false }
  }
}

# When power is cheap.
schedule "cheap" {
  window {
    from = "22:00"
    to   = "06:00"
  }
  window {
    from = "12:00"
    to   = "15:00"
    days = ["sat", "sun"]
  }
}

schedule "defrost" {
  cron = "30 2 * * *"
  for  = "20m"
}

alarm "warm" {
  value    = device.room.temperature
  for      = "1m"
  deadband = 0.5
  message  = "The goods get warm: see whether the door is shut and the compressor runs."
  levels {
    high      = -14
    high_high = -8
    low       = -27
  }
}

alarm "warms_up" {
  value    = device.room.temperature
  priority = "low"
  rate {
    limit     = "2/min"
    direction = "up"
  }
}

alarm "off_setpoint" {
  value    = device.room.temperature
  for      = "30m"
  priority = "low"
  deviation {
    setpoint = device.compressor.setpoint
    limit    = 3
  }
}

alarm "compressor_fault" {
  value        = device.compressor.state
  alarm_states = [3, 4]
  priority     = "high"
}

alarm "door_open" {
  value        = device.room.door
  normal_state = 0
  for          = "5m"
}

alarm "room_silent" {
  value    = device.room.temperature
  stale    = "2m"
  priority = "high"
}

# Cold is stored while it is cheap, unless the compressor has a fault.
rule "cool_ahead" {
  when = schedule.cheap && !alarm.compressor_fault.active
  set "compressor.setpoint" { value = -22 }
}

rule "defrost" {
  when = schedule.defrost
  set "compressor.defrost" { value = true }
}

rule "lamp" {
  when = alarm.warm.active || alarm.compressor_fault.active || alarm.room_silent.active
  set "panel.lamp" { value = true }
}

# The horn ends when somebody acknowledges, or shelves the alarm.
rule "horn" {
  when = alarm.compressor_fault.active && !alarm.compressor_fault.acked && !alarm.compressor_fault.shelved
  set "panel.horn" { value = true }
}
