site "s" { timezone = "Europe/Berlin" }

channel "lan" { plugin = "modbus" }

device "battery" {
  channel = channel.lan
  config { unit = 1 }

  point "soc" { unit = "%" }
}

schedule "nothing" {}

schedule "half" {
  from = "22:00"
}

schedule "wrong" {
  from     = "25:00"
  to       = "6 o'clock"
  timezone = "Europe/Berlim"
}

schedule "never" {
  from = "06:00"
  to   = "06:00"
}

schedule "days" {
  from = "06:00"
  to   = "07:00"
  days = ["monday", "tue"]
}

schedule "no_day" {
  window {
    from = "06:00"
    to   = "07:00"
    days = []
  }
}

schedule "both" {
  from = "06:00"
  to   = "07:00"
  cron = "0 6 * * *"
  for  = "1h"
}

schedule "endless" {
  cron = "0 6 * * *"
}

schedule "cron" {
  cron = ["0 6 * *", "0 24 * * *", "0 6 31 feb *", "0 6 * * frid"]
  for  = "1h"
}

schedule "for_window" {
  from = "06:00"
  to   = "07:00"
  for  = "1h"
}

alarm "empty" { when = device.battery.soc < 10 }

alarm "all" { when = schedule.for_windows || alarm.empty || alarm.empty.level || schedule.days.on }
