-- Alarms as programs read them: JSON.
local Listing = {}
do
  -- describe makes the table of an alarm's state at now.
  local function describe(alarm, now)
    local s, item = alarm.s, alarm.item
    local value = alarm.read and alarm.read()
    local onoff, chattering = Machine.onoff(s, now)
    return {
      name = alarm.name, kind = item.kind, unit = item.unit, priority = item.priority, message = item.message,
      enabled = not s.disabled, active = s.active == true, acked = not s.unacked, confirmed = not s.unconfirmed,
      latched = s.latched == true, suppressed = s.suppressed == true, suppressed_by_operator = s.operator == true,
      out_of_service = s.out_of_service == true, retain = Journal.retained(s),
      shelving = s.shelving or 'unshelved', shelf_end = s.shelf_end, level = s.active and s.level or nil,
      pending = s.pending, due = s.due, since = s.since, raised = s.raised, occurrence = s.occurrence or 0, ['repeat'] = s.repeats or 0,
      first_out = s.first_out == true, onoff_60s = onoff, chattering = chattering,
      value = type(value) == 'number' and value or nil, quality = s.bad and 'bad' or 'good',
    }
  end

  -- one is the JSON object of an alarm.
  function Listing.one(alarm, now) return cjson.encode(describe(alarm, now)) end

  -- all is the JSON array of the alarms that concern somebody, or of all, by name.
  function Listing.all(panel, now, every)
    local names = {}
    for name, alarm in pairs(panel.by_name) do
      if every or Journal.retained(alarm.s) then names[#names + 1] = name end
    end
    table.sort(names)
    local out = {}
    for i, name in ipairs(names) do out[i] = Listing.one(panel.by_name[name], now) end
    return '[' .. table.concat(out, ',') .. ']'
  end

  -- metrics is the JSON object of the panel's figures at now.
  function Listing.metrics(panel, now)
    local count, flood = Metrics.read(panel.site.state.items['@metrics'] or {}, now)
    local figures = {
      flood = flood, annunciations_10min = count, alarms = 0, active = 0, unacked = 0, shelved = 0, suppressed = 0,
      out_of_service = 0, disabled = 0, chattering = 0,
    }
    for _, alarm in pairs(panel.by_name) do
      local s = alarm.s
      local _, chattering = Machine.onoff(s, now)
      local yes = {
        alarms = true, active = s.active, unacked = s.unacked, shelved = s.shelving, suppressed = s.suppressed,
        out_of_service = s.out_of_service, disabled = s.disabled, chattering = chattering,
      }
      for name, is in pairs(yes) do
        if is then figures[name] = figures[name] + 1 end
      end
    end
    return cjson.encode(figures)
  end
end
