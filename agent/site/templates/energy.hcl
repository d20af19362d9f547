# The kinds of things that an energy site is made of. What brings power to the site is positive: a grid connection that
# imports, a battery that discharges, an inverter that produces, a generator that runs. Consumption is positive too.

template "station" {
  description = "The site as a whole."

  property "connection_limit" {
    unit        = "kW"
    description = "What the grid connection may give."
  }
  property "feed_in_limit" {
    unit        = "kW"
    description = "What may be fed into the grid."
  }

  measurement "power" {
    unit        = "kW"
    description = "Power from the grid, negative when feeding in."
  }
  measurement "consumption" {
    unit        = "kW"
    description = "Power of all consumers."
  }
  measurement "production" {
    unit        = "kW"
    description = "Power of all producers."
  }
  measurement "storage" {
    unit        = "kW"
    description = "Power of all batteries, positive when discharging."
  }
}

template "grid_meter" {
  description = "A meter at the grid connection, or at a part of the site."

  property "rated_current" {
    unit        = "A"
    description = "Current of the fuse behind which it sits."
  }

  measurement "power" {
    unit        = "kW"
    description = "Active power, positive when importing."
  }
  measurement "power_l1" { unit = "kW" }
  measurement "power_l2" { unit = "kW" }
  measurement "power_l3" { unit = "kW" }
  measurement "reactive_power" { unit = "kvar" }
  measurement "apparent_power" { unit = "kVA" }
  measurement "power_factor" {}
  measurement "voltage_l1" { unit = "V" }
  measurement "voltage_l2" { unit = "V" }
  measurement "voltage_l3" { unit = "V" }
  measurement "current_l1" { unit = "A" }
  measurement "current_l2" { unit = "A" }
  measurement "current_l3" { unit = "A" }
  measurement "frequency" { unit = "Hz" }
  measurement "energy_import" {
    unit        = "kWh"
    description = "Energy that came from the grid; it only rises."
  }
  measurement "energy_export" {
    unit        = "kWh"
    description = "Energy that was fed in; it only rises."
  }
}

template "pv_inverter" {
  description = "A photovoltaic inverter with its modules."

  property "rated_power" {
    unit        = "kW"
    description = "What the inverter can give."
  }
  property "peak_power" {
    unit        = "kW"
    description = "What the modules can give."
  }

  measurement "power" {
    unit        = "kW"
    description = "Active power, positive when producing."
  }
  measurement "reactive_power" { unit = "kvar" }
  measurement "dc_power" { unit = "kW" }
  measurement "dc_voltage" { unit = "V" }
  measurement "energy" {
    unit        = "kWh"
    description = "Energy produced; it only rises."
  }
  measurement "temperature" { unit = "°C" }
  measurement "status" {}

  action "power_limit" {
    unit        = "kW"
    description = "The most that it may give."
  }
  action "power_limit_percent" {
    unit        = "%"
    description = "The most that it may give, of its rated power."
  }
  action "reactive_power" { unit = "kvar" }
  action "enable" {}
}

template "battery" {
  description = "A battery with its inverter."

  property "capacity" {
    unit        = "kWh"
    description = "Energy that it can hold."
  }
  property "max_charge" {
    unit        = "kW"
    description = "The most that it may take."
  }
  property "max_discharge" {
    unit        = "kW"
    description = "The most that it may give."
  }
  property "min_soc" {
    unit        = "%"
    default     = 5
    description = "State of charge below which it is not discharged."
  }
  property "max_soc" {
    unit        = "%"
    default     = 100
    description = "State of charge above which it is not charged."
  }

  measurement "soc" {
    unit        = "%"
    description = "State of charge."
  }
  measurement "soh" {
    unit        = "%"
    description = "State of health."
  }
  measurement "power" {
    unit        = "kW"
    description = "Active power, positive when discharging."
  }
  measurement "voltage" { unit = "V" }
  measurement "current" { unit = "A" }
  measurement "temperature" { unit = "°C" }
  measurement "cell_voltage_min" { unit = "V" }
  measurement "cell_voltage_max" { unit = "V" }
  measurement "energy_charged" { unit = "kWh" }
  measurement "energy_discharged" { unit = "kWh" }
  measurement "max_charge_power" {
    unit        = "kW"
    description = "The most that it can take now."
  }
  measurement "max_discharge_power" {
    unit        = "kW"
    description = "The most that it can give now."
  }
  measurement "status" {}

  action "power" {
    unit        = "kW"
    description = "Active power that it shall have, positive to discharge."
  }
  action "max_charge_power" { unit = "kW" }
  action "max_discharge_power" { unit = "kW" }
  action "mode" {}
  action "enable" {}
}

template "ev_charger" {
  description = "A charging point for electric vehicles."

  property "rated_power" { unit = "kW" }
  property "max_current" {
    unit        = "A"
    description = "Current of its fuse, per phase."
  }
  property "phases" { default = 3 }

  measurement "power" {
    unit        = "kW"
    description = "Power that it takes."
  }
  measurement "current_l1" { unit = "A" }
  measurement "current_l2" { unit = "A" }
  measurement "current_l3" { unit = "A" }
  measurement "energy" { unit = "kWh" }
  measurement "session_energy" {
    unit        = "kWh"
    description = "Energy since the vehicle was plugged in."
  }
  measurement "vehicle_soc" { unit = "%" }
  measurement "connected" { description = "Whether a vehicle is plugged in." }
  measurement "charging" { description = "Whether a vehicle takes power." }
  measurement "status" {}

  action "current_limit" {
    unit        = "A"
    description = "The most that a vehicle may take, per phase."
  }
  action "power_limit" { unit = "kW" }
  action "enable" {}
}

template "generator" {
  description = "A generating set: diesel, gas, combined heat and power."

  property "rated_power" { unit = "kW" }

  measurement "power" {
    unit        = "kW"
    description = "Active power, positive when it runs."
  }
  measurement "reactive_power" { unit = "kvar" }
  measurement "voltage" { unit = "V" }
  measurement "frequency" { unit = "Hz" }
  measurement "energy" { unit = "kWh" }
  measurement "fuel_level" { unit = "%" }
  measurement "coolant_temperature" { unit = "°C" }
  measurement "oil_pressure" { unit = "bar" }
  measurement "speed" { unit = "rpm" }
  measurement "running_hours" { unit = "h" }
  measurement "running" { description = "Whether it runs." }
  measurement "fault" { description = "Whether it reports a fault." }

  action "power" { unit = "kW" }
  action "start" {}
}

template "load" {
  description = "A consumer that can be measured, and perhaps limited or switched."

  property "rated_power" { unit = "kW" }

  measurement "power" {
    unit        = "kW"
    description = "Power that it takes."
  }
  measurement "energy" { unit = "kWh" }
  measurement "on" { description = "Whether it is switched on." }

  action "power_limit" { unit = "kW" }
  action "enable" {}
}

template "environment" {
  description = "Sensors of the surroundings: weather, rooms."

  measurement "temperature" { unit = "°C" }
  measurement "humidity" { unit = "%" }
  measurement "irradiance" { unit = "W/m²" }
  measurement "module_temperature" { unit = "°C" }
  measurement "wind_speed" { unit = "m/s" }
  measurement "wind_direction" { unit = "deg" }
  measurement "pressure" { unit = "hPa" }
  measurement "rain" { unit = "mm" }
}
