-- How much attention the alarms demand: annunciations within ten minutes, and whether that is a flood.
local Metrics = {}
do
  local WINDOW = 600000
  local FLOOD_ABOVE, CALM_BELOW = 10, 5
  -- MAX_ENTRIES distinct times are kept exactly; beyond that they are kept by the second.
  local MAX_ENTRIES = 600

  -- COMPACT is how many entries may be over before they are cut off.
  local COMPACT = 100

  -- A record is {flood = true or nil, times = {t, n, t, n …}, first, count}: n annunciations at t, in rising order of t;
  -- from index first they are in the window, and count of them.

  -- prune takes out what is no longer in the window at t.
  local function prune(record, t)
    local times, first = record.times, record.first
    while times[first] and times[first] <= t - WINDOW do
      record.count = record.count - times[first + 1]
      first = first + 2
    end
    if first > 2 * COMPACT then
      local kept = {}
      for i = first, #times do kept[#kept + 1] = times[i] end
      record.times, first = kept, 1
    end
    record.first = first
  end

  local function coarse(times, first)
    local kept, n = {}, 0
    for i = first, #times, 2 do
      local second = times[i] - times[i] % 1000
      if kept[n - 1] == second then
        kept[n] = kept[n] + times[i + 1]
      else
        kept[n + 1], kept[n + 2] = second, times[i + 1]
        n = n + 2
      end
    end
    return kept
  end

  -- add counts an annunciation at t. The end of a flood is judged before it, its start after it.
  function Metrics.add(record, t)
    if not record.times then record.times, record.first, record.count = {}, 1, 0 end
    prune(record, t)
    if record.count < CALM_BELOW then record.flood = nil end
    local times = record.times
    local n = #times
    if n >= record.first and times[n - 1] == t then
      times[n] = times[n] + 1
    else
      times[n + 1], times[n + 2] = t, 1
      if n + 2 > 2 * (MAX_ENTRIES + COMPACT) then record.times, record.first = coarse(times, record.first), 1 end
    end
    record.count = record.count + 1
    if record.count > FLOOD_ABOVE then record.flood = true end
  end

  -- read gives the number of annunciations in (t - 10 min, t], and whether there is a flood at t.
  function Metrics.read(record, t)
    local count, times = 0, record.times or {}
    for i = record.first or 1, #times, 2 do
      if times[i] > t - WINDOW then count = count + times[i + 1] end
    end
    return count, record.flood == true and count >= CALM_BELOW
  end
end
