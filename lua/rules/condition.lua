-- A condition's way from a verdict to firings: for, keep_for, edges, cooldown, throttle.
--
-- A rule's state s is kept from call to call:
--   v     the state: true, false, or nil before the first known verdict
--   up    when the state turns true, while a true condition waits for its time (for)
--   down  when it turns false, while it is kept (keep_for)
--   u     the last verdict was unknown
--   h     what hysteresis remembers
--   last  the last firing;  past  the firings that throttle counts
--   a     a while acts: cooldown and throttle let it begin
-- A while that began acts until its state turns false; one that cooldown or throttle held back asks again at each
-- evaluation.
local Condition = {}
do
  -- judge makes the function that gives a rule's verdict: true, false, or nil for unknown.
  function Condition.judge(rule)
    local when, unknown = rule.when, nil
    if rule.unknown == 'true' then unknown = true elseif rule.unknown == 'false' then unknown = false end
    local hysteresis = rule.hysteresis
    if not hysteresis then
      if unknown == nil then return when end
      return function()
        local verdict = when()
        if verdict == nil then return unknown end
        return verdict
      end
    end
    local on, off = hysteresis.on, hysteresis.off
    return function()
      local x, s = when(), rule.s
      if x == nil then return unknown end
      local held = s.h or false
      if on >= off then
        if x > on then held = true elseif x < off then held = false end
      elseif x < on then
        held = true
      elseif x > off then
        held = false
      end
      if held ~= (s.h or false) then
        s.h = held
        rule.dirty = true
      end
      return held
    end
  end

  -- allowed asks cooldown and throttle, and remembers a firing that they let through.
  local function allowed(rule, t)
    local s = rule.s
    local cooldown, throttle = rule.cooldown_ms or 0, rule.throttle
    if cooldown > 0 and s.last and t < s.last + cooldown then return false end
    if throttle then
      local kept = {}
      for _, at in ipairs(s.past or {}) do
        if at > t - throttle.per_ms then kept[#kept + 1] = at end
      end
      s.past = kept
      if #kept >= throttle.count then return false end
      kept[#kept + 1] = t
    end
    if cooldown > 0 or throttle then
      s.last = t
      rule.dirty = true
    end
    return true
  end

  local edges = {
    rising = { [true] = 'rising' },
    falling = { [false] = 'falling' },
    both = { [true] = 'rising', [false] = 'falling' },
    level = {},
    ['while'] = {},
  }

  -- act calls fire(site, rule, t, edge, begins) if the edge may fire.
  local function act(site, rule, t, edge, fire)
    local s = rule.s
    if edge == 'while' and s.a then
      fire(site, rule, t, edge, false)
    elseif edge and allowed(rule, t) then
      if edge == 'while' then
        s.a = true
        rule.dirty = true
      end
      fire(site, rule, t, edge, true)
    end
  end

  -- stop ends a while that acts, by fell(site, rule, t).
  local function stop(site, rule, t, fell)
    if not rule.s.a then return end
    rule.s.a = nil
    rule.dirty = true
    fell(site, rule, t)
  end

  -- turn changes the state, and gives the edge that fires, if any. first is the first known verdict.
  local function turn(rule, v, first)
    local s = rule.s
    s.v, s.up, s.down = v, nil, nil
    rule.dirty = true
    if first and not (v and rule.initial == 'fire') then return nil end
    return edges[rule.on][v]
  end

  -- step takes a verdict at t. fire and fell are called as in act and stop.
  function Condition.step(site, rule, t, verdict, fire, fell)
    local s = rule.s
    local unknown = verdict == nil
    if unknown ~= (s.u or false) then
      s.u = unknown or nil
      rule.dirty = true
      if unknown then rule.unknowns = rule.unknowns + 1 end
    end
    if unknown then return end
    local before, edge = s.v, nil
    if verdict then
      if s.down then
        s.down = nil
        rule.dirty = true
      end
      if before ~= true then
        local wait = rule.for_ms or 0
        if wait == 0 or s.up and s.up <= t then
          edge = turn(rule, true, before == nil)
        elseif not s.up then
          s.v, s.up = false, t + wait
          rule.dirty = true
        end
      end
    else
      if s.up then
        s.up = nil
        rule.dirty = true
      end
      if before == nil then
        turn(rule, false, true)
      elseif before then
        local keep = rule.keep_ms or 0
        if keep == 0 or s.down and s.down <= t then
          edge = turn(rule, false, false)
        elseif not s.down then
          s.down = t + keep
          rule.dirty = true
        end
      end
    end
    if not s.v then stop(site, rule, t, fell) end
    if rule.level and s.v then edge = rule.on end
    act(site, rule, t, edge, fire)
  end

  -- due is a deadline of for or keep_for. While the condition is unknown it decides nothing: the first known verdict does.
  function Condition.due(site, rule, t, fire, fell)
    local s = rule.s
    if s.u then return end
    local edge
    if s.up and s.up <= t then
      edge = turn(rule, true, false)
      if rule.level then edge = rule.on end
    elseif s.down and s.down <= t then
      edge = turn(rule, false, false)
      stop(site, rule, t, fell)
    end
    act(site, rule, t, edge, fire)
  end

  -- deadline is when the rule wants to be looked at by the clock alone, or nil.
  function Condition.deadline(rule, t)
    local s = rule.s
    local at = s.up or s.down
    if at and at <= t then return nil end
    return at
  end
end
