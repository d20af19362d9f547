-- Requests: what rules want of outputs. They are collected during a call and written at its end, to the hash of live
-- requests and as events.
--#include shared/site.lua
local Request = {}
do
  local floor, huge = math.floor, math.huge

  local function owner(name) return 'rule.' .. name end

  -- load reads the requests that rules hold: site.requests[name][output] = {value, priority, at, ttl, rev, …}.
  function Request.load(site)
    site.requests, site.written = {}, {}
    local flat = redis.call('HGETALL', site.keys[6])
    for i = 1, #flat, 2 do
      local output, name = string.match(flat[i], '^(.-)%z' .. 'rule%.(.*)$')
      if output then
        local held = site.requests[name] or {}
        held[output] = cmsgpack.unpack(flat[i + 1])
        site.requests[name] = held
      end
    end
  end

  local function put(site, name, output, request, t, renews)
    local held = site.requests[name]
    if not held then
      held = {}
      site.requests[name] = held
    end
    held[output] = request
    local n = #site.written
    site.written[n + 1] = { name = name, output = output, request = request, t = t, renews = renews }
  end

  -- why says what a rule saw: its inputs with their values.
  function Request.why(site, rule)
    local parts = {}
    for i, input in ipairs(rule.inputs or {}) do
      local value = site.D[input[2]][input[3]]
      parts[i] = input[1] .. '=' .. (value == nil and 'unknown' or string.format('%.10g', value))
    end
    return table.concat(parts, ', ')
  end

  -- renewal is when a request must be said again: after a third of its time to live. Never, without one.
  local function renewal(request)
    if not request.ttl then return huge end
    return request.at + floor(request.ttl / 3)
  end

  -- make says a rule's wishes at t, and gives how many there are and the time at which they must be said again. One that
  -- stands already, with the same value, is left alone until its renewal, unless again is true. A wish whose value is
  -- unknown is left out; what was asked before stands until its end. names are what the values read beside points, why the
  -- reason, if it is not what the inputs say.
  function Request.make(site, rule, t, again, names, why)
    local held = site.requests[rule.name] or {}
    local made, next_at = 0, huge
    for i, set in ipairs(rule.set or {}) do
      local value = set.constant
      if value == nil then value = set.value(names) end
      if value ~= nil then
        local old = held[set.output]
        if again or not old or old.value ~= value or old.rev ~= rule.rev or t >= renewal(old) then
          why = why or Request.why(site, rule)
          local renews = not again and old and old.value == value and old.rev == rule.rev
          old = {
            value = value, priority = rule.priority, at = t, ttl = set.ttl_ms, rev = rule.rev,
            id = string.format('%s@%.0f.%d', owner(rule.name), t, i), why = why,
          }
          put(site, rule.name, set.output, old, t, renews)
          made = made + 1
        end
        local at = renewal(old)
        if at < next_at then next_at = at end
      end
      -- A value that is computed is looked at each time.
      if set.constant == nil then next_at = -huge end
    end
    return made, next_at
  end

  -- keep makes a rule's requests those of a list of {output, value, ttl}, the last of an output, and takes back the
  -- others. One whose value is unknown stays as it is. It gives how many changed.
  function Request.keep(site, rule, list, t)
    local held = site.requests[rule.name] or {}
    local wanted, made = {}, 0
    for _, a in ipairs(list) do
      if a.value ~= nil or not wanted[a.output] then wanted[a.output] = a end
    end
    local outputs = {}
    for output in pairs(wanted) do outputs[#outputs + 1] = output end
    for output in pairs(held) do
      if not wanted[output] then outputs[#outputs + 1] = output end
    end
    table.sort(outputs)
    for i, output in ipairs(outputs) do
      local a, old = wanted[output], held[output]
      if not a then
        put(site, rule.name, output, nil, t)
        made = made + 1
      elseif a.value ~= nil and (rule.called or not old or old.value ~= a.value or t >= renewal(old)) then
        put(site, rule.name, output, {
          value = a.value, priority = rule.priority, at = t, ttl = a.ttl, rev = rule.rev,
          id = string.format('%s@%.0f.%d', owner(rule.name), t, i), why = Request.why(site, rule),
        }, t, not rule.called and old and old.value == a.value)
        made = made + 1
      end
    end
    return made
  end

  -- withdraw takes back all that a rule asks for.
  function Request.withdraw(site, name, t)
    local held = site.requests[name]
    if not held then return end
    local outputs = {}
    for output in pairs(held) do outputs[#outputs + 1] = output end
    table.sort(outputs)
    for _, output in ipairs(outputs) do
      put(site, name, output, nil, t)
    end
    site.requests[name] = nil
  end

  -- flush writes what was said since the last flush: as events, in order, and what is left of it in the hash.
  function Request.flush(site)
    local written = site.written
    if #written == 0 then return end
    local fields, last = {}, {}
    for i = 1, #written do
      local w = written[i]
      local who, r = owner(w.name), w.request
      local field = w.output .. '\0' .. who
      if last[field] == nil then fields[#fields + 1] = field end
      last[field] = r or false
      if r then
        local said = {
          'output', w.output, 'owner', who, 'value', r.value, 'priority', r.priority, 'ttl', r.ttl or '',
          'rev', r.rev, 'id', r.id, 'why', r.why,
        }
        if w.renews then said[#said + 1], said[#said + 2] = 'renews', '1' end
        Events.add(site.events, 'request', w.t, said)
      else
        Events.add(site.events, 'request', w.t, { 'output', w.output, 'owner', who, 'value', '' })
      end
      written[i] = nil
    end
    local set, n, gone, m = {}, 0, {}, 0
    for _, field in ipairs(fields) do
      if last[field] then
        set[n + 1], set[n + 2] = field, cmsgpack.pack(last[field])
        n = n + 2
      else
        m = m + 1
        gone[m] = field
      end
    end
    Write.all('HSET', site.keys[6], set, n)
    Write.all('HDEL', site.keys[6], gone, m)
  end
end
