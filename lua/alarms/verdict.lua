-- What the kinds of alarm say about a value: violating, normal, or nothing.
local Verdict = {}
do
  local HUGE = math.huge
  local abs = math.abs

  local CLASS = {
    high = 'upper', high_high = 'upper', deviation = 'upper', rate = 'upper', low = 'lower', low_low = 'lower',
    level = 'level', discrete = 'plain', expression = 'plain', stale = 'stale', manual = 'manual',
  }
  local RANK = { high = 1, high_high = 2, low = 1, low_low = 2 }
  local HIGH_SIDE = { high = true, high_high = true }
  -- NEVER equals no verdict: an alarm whose steady verdict it is looks at every sample.
  local NEVER = {}

  -- class says how a kind is judged; nil for a kind that there is not.
  function Verdict.class(kind) return CLASS[kind] end

  local function deviation(item)
    local input, setpoint = item.input, item.setpoint
    if type(setpoint) == 'number' then
      return function()
        local v = input()
        return v and abs(v - setpoint)
      end
    end
    return function()
      local v, aim = input(), setpoint()
      return v and aim and abs(v - aim)
    end
  end

  local function discrete(item)
    local input, normal = item.input, item.normal_state
    if not item.alarm_states then
      return function()
        local v = input()
        if v == nil then return nil end
        return v ~= normal
      end
    end
    local states = {}
    for _, state in ipairs(item.alarm_states) do states[state] = true end
    return function()
      local v = input()
      if v == nil then return nil end
      return states[v] == true
    end
  end

  local function rate(alarm)
    local input, direction = alarm.item.input, alarm.item.direction or 'any'
    return function()
      local r = alarm.s.rate
      if r == nil or input() == nil then return nil end
      if direction == 'up' then return r end
      if direction == 'down' then return -r end
      return abs(r)
    end
  end

  -- reading makes the function that gives what is judged now: a number, or true or false, or nil for unknown.
  function Verdict.reading(alarm)
    local item = alarm.item
    if item.kind == 'deviation' then return deviation(item) end
    if item.kind == 'discrete' then return discrete(item) end
    if item.kind == 'rate' then return rate(alarm) end
    return item.input
  end

  -- crossing judges a number by the alarm's one limit: true beyond it, false back past the deadband, else nil.
  function Verdict.crossing(alarm, v)
    local limit, deadband = alarm.item.limit, alarm.item.deadband or 0
    if alarm.class == 'upper' then
      if v > limit then return true end
      if v < limit - deadband then return false end
    else
      if v < limit then return true end
      if v > limit + deadband then return false end
    end
    return nil
  end

  -- level is the level that a value belongs to when held was the one before (nil: none); nil when it is normal. Each level
  -- is entered and left like a limit of its own, and the outer one is inside of the inner one.
  function Verdict.level(item, held, v)
    local levels, deadband = item.levels, item.deadband or 0
    local h, hh, l, ll = levels.high, levels.high_high, levels.low, levels.low_low
    if hh and (v > hh or held == 'high_high' and v >= hh - deadband) then return 'high_high' end
    if h and (v > h or (held == 'high' or held == 'high_high') and v >= h - deadband) then return 'high' end
    if ll and (v < ll or held == 'low_low' and v <= ll + deadband) then return 'low_low' end
    if l and (v < l or (held == 'low' or held == 'low_low') and v <= l + deadband) then return 'low' end
    return nil
  end

  -- higher tells whether a level is an escalation over another. A jump to the other side is one.
  function Verdict.higher(level, than)
    if than == nil or HIGH_SIDE[level] ~= HIGH_SIDE[than] then return true end
    return RANK[level] > RANK[than]
  end

  -- lowest is the mildest level that an item has.
  function Verdict.lowest(item)
    local levels = item.levels
    for _, level in ipairs({ 'high', 'low', 'high_high', 'low_low' }) do
      if levels[level] then return level end
    end
  end

  local function band(alarm, violating)
    local item = alarm.item
    local deadband = item.deadband or 0
    if alarm.class == 'upper' then
      if violating then return item.limit - deadband, HUGE end
      return -HUGE, item.limit
    end
    if violating then return -HUGE, item.limit + deadband end
    return item.limit, HUGE
  end

  -- window sets what a sample may say without changing anything: numbers from lo to hi, or for the kinds that say yes or
  -- no (lo is nil) the verdict steady. And deaf, the devices (device → true) whose next bad sample changes nothing while
  -- the value is unknown; nil: none. It depends on the state, and is set again whenever that changes.
  function Verdict.window(alarm)
    local s, class, item = alarm.s, alarm.class, alarm.item
    local violating = (s.active == true and s.pending ~= 'off') or s.pending == 'on'
    local closed = s.bad ~= nil or s.deferred ~= nil
    local holds = s.disabled or item.unknown ~= 'true' and item.unknown ~= 'false' and s.pending ~= 'off'
    alarm.deaf = holds and class ~= 'stale' and s.bad or nil
    if item.kind == 'rate' or class == 'stale' or class == 'manual' then
      alarm.lo, alarm.hi, alarm.steady = nil, nil, NEVER
    elseif class == 'plain' then
      alarm.lo, alarm.hi, alarm.steady = nil, nil, (closed or s.disabled) and NEVER or violating
    elseif closed or class == 'level' and violating and not s.disabled then
      alarm.lo, alarm.hi = HUGE, -HUGE
    elseif s.disabled then
      alarm.lo, alarm.hi = -HUGE, HUGE
    elseif class == 'level' then
      local levels = item.levels
      alarm.lo = math.max(levels.low or -HUGE, levels.low_low or -HUGE)
      alarm.hi = math.min(levels.high or HUGE, levels.high_high or HUGE)
    else
      alarm.lo, alarm.hi = band(alarm, violating)
    end
  end
end
