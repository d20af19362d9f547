-- Totals: what measurements sum up from frame to frame. energy is the integral of a power over time, in hours, by the mean of
-- two neighbouring values; counter is what a meter's reading rose by, over resets of the meter.
--
-- The state of a measurement's totals is the item '@total:NAME' of models:state, a list in the order of the program:
--   rev, kind, quantity, scale   of the program that wrote it
--   total                        nil until the first known value
--   x, t                         the last known value, and its time in ms (of energy)
--   missed                       ms that energy did not count, as values were missing for longer than its limit
--   fell                         a reading below x, of a counter: a reset, if the next one is below x too
local Totals = {}
do
  local HOUR = 3600000
  -- A reading that falls by less than FALL of it is noise. One from the last LAST of a counter's limit to the first of it is
  -- the meter that began anew there.
  local FALL, LAST = 0.1, 0.1

  local function key(of) return '@total:' .. of end

  local function missing(s, span)
    if span > 0 then s.missed = (s.missed or 0) + span end
  end

  local sample = {}

  function sample.energy(s, item, x, t)
    local span = s.t and t - s.t or 0
    if not s.x then
      missing(s, span)
    elseif span > item.limit then
      missing(s, span)
    elseif span > 0 then
      local sum = s.total + (s.x + x) / 2 * (span / HOUR)
      if sum - sum == 0 then s.total = sum else missing(s, span) end
    end
    s.total = s.total or 0
    if span > 0 or not s.t then s.t = t end
    s.x = x
  end

  function sample.counter(s, item, x)
    if not s.x then
      s.x, s.total = x, s.total or x
      return
    end
    if s.fell and x < s.x - FALL * math.abs(s.x) then
      s.total = s.total + math.max(s.fell, 0)
      s.x = s.fell
    end
    s.fell = nil
    local limit = item.limit
    if x >= s.x then
      s.total = s.total + (x - s.x)
      s.x = x
    elseif limit > 0 and s.x >= (1 - LAST) * limit and s.x <= limit and x >= 0 and x <= LAST * limit then
      s.total = s.total + (limit - s.x) + x
      s.x = x
    elseif x < s.x - FALL * math.abs(s.x) then
      s.fell = x
    end
  end

  -- continued gives the state of a total from what was kept by the same total or its predecessor. Of another expression, only
  -- the sum goes on: a meter that was replaced begins with a reading of its own.
  local function continued(item, old)
    local new = { rev = item.rev, kind = item.kind, quantity = item.quantity, scale = item.scale }
    if not old or old.kind ~= item.kind or old.quantity ~= item.quantity then return new end
    if old.rev == item.rev then return old end
    new.total, new.t, new.missed = old.total, old.t, old.missed
    if new.total and old.scale ~= item.scale then new.total = new.total * old.scale / item.scale end
    return new
  end

  -- predecessors finds, for each total of a measurement, what was kept of it: by its revision, else by its place among those
  -- that are left.
  local function predecessors(items, kept)
    local out, taken = {}, {}
    for k, item in ipairs(items) do
      for i, old in ipairs(kept) do
        if not taken[i] and not out[k] and old.rev == item.rev then out[k], taken[i] = old, true end
      end
    end
    for k in ipairs(items) do
      for i, old in ipairs(kept) do
        if not taken[i] and not out[k] then out[k], taken[i] = old, true end
      end
    end
    return out
  end

  -- build finds the totals of a program that was read anew, and their sums for the measurements: D.totals, by number.
  -- Nothing is written.
  function Totals.build(site, catalog)
    catalog.summing, catalog.sums, catalog.kept = {}, {}, {}
    site.D.totals = {}
    local by_name = {}
    for _, item in ipairs(site.items) do
      if item.total then
        by_name[item.of] = by_name[item.of] or {}
        table.insert(by_name[item.of], item)
      end
    end
    for of, items in pairs(by_name) do
      local old = predecessors(items, site.state and site.state.items[key(of)] or {})
      local states = {}
      for k, item in ipairs(items) do
        states[k] = continued(item, old[k])
        catalog.sums[item.total] = states[k]
        site.D.totals[item.total] = states[k].total
        for _, i in ipairs(item.dev) do
          catalog.summing[i] = catalog.summing[i] or {}
          table.insert(catalog.summing[i], { item = item, state = states[k], key = key(of) })
        end
      end
      catalog.kept[key(of)] = states
    end
  end

  -- furnish puts the totals of the program in the place of those that were kept.
  function Totals.furnish(site)
    local gone = {}
    for name in pairs(site.state.items) do
      if string.sub(name, 1, 7) == '@total:' and not site.catalog.kept[name] then gone[#gone + 1] = name end
    end
    table.sort(gone)
    for _, name in ipairs(gone) do State.put(site.state, name, nil) end
    for name, states in pairs(site.catalog.kept) do site.state.items[name] = states end
  end

  -- take gives the totals that read device i its new values. ts is the frame's source time; one in the future counts as now.
  function Totals.take(site, i, ts, now)
    local summing = site.catalog.summing[i]
    if not summing then return end
    local t = math.min(ts, now)
    for k = 1, #summing do
      local entry = summing[k]
      local x = entry.item.value()
      if x ~= nil then
        local s = entry.state
        sample[s.kind](s, entry.item, x, t)
        site.D.totals[entry.item.total] = s.total
        State.mark(site.state, entry.key)
      end
    end
  end

  -- missed is for how many ms the totals of a measurement counted nothing.
  function Totals.missed(catalog, measurement)
    local ms = 0
    for _, k in ipairs(measurement.totals or {}) do ms = ms + (catalog.sums[k].missed or 0) end
    return ms
  end
end
