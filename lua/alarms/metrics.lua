-- How much attention the alarms demand: annunciations within ten minutes, and whether that is a flood.
local Metrics = {}
do
  local WINDOW = 600000
  local FLOOD_ABOVE, CALM_BELOW = 10, 5
  -- MAX_ENTRIES distinct times are kept exactly; beyond that they are kept by the second.
  local MAX_ENTRIES = 600

  -- A record is {flood = true or nil, times = {t, n, t, n …}}: n annunciations at t, in rising order of t.

  local function total(times, t)
    local sum = 0
    for i = 1, #times, 2 do
      if times[i] > t - WINDOW then sum = sum + times[i + 1] end
    end
    return sum
  end

  local function prune(times, t)
    local first = 1
    while times[first] and times[first] <= t - WINDOW do first = first + 2 end
    if first == 1 then return times end
    local kept = {}
    for i = first, #times do kept[#kept + 1] = times[i] end
    return kept
  end

  local function coarse(times)
    local kept, n = {}, 0
    for i = 1, #times, 2 do
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
    local times = prune(record.times or {}, t)
    local count = total(times, t)
    if count < CALM_BELOW then record.flood = nil end
    local n = #times
    if times[n - 1] == t then
      times[n] = times[n] + 1
    else
      times[n + 1], times[n + 2] = t, 1
      if n + 2 > 2 * MAX_ENTRIES then times = coarse(times) end
    end
    if count + 1 > FLOOD_ABOVE then record.flood = true end
    record.times = times
  end

  -- read gives the number of annunciations in (t - 10 min, t], and whether there is a flood at t.
  function Metrics.read(record, t)
    local count = total(record.times or {}, t)
    return count, record.flood == true and count >= CALM_BELOW
  end
end
