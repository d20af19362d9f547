-- Sequences: frames that must come one after the other, or stay away. A rule has attempts, the oldest first; each stands
-- at a step and holds what it captured.
--
-- An attempt a: k the step, arrived when it came there, n how often a repeat matched, parts and gone the parts of a step
-- that hold or are out, first the time of its first captured frame, C the captured frames by name, spawned whether its
-- successor was started.
--#include rules/attempt.lua
--#include rules/json.lua
--#include rules/effect.lua
--#include rules/request.lua
local Sequence = {}
do
  -- MOST bounds the open attempts of one rule; beyond it the oldest go.
  local MOST = 1000

  local function put_out(site, rule, t, done)
    table.sort(done, function(a, b) return a.id < b.id end)
    for _, a in ipairs(done) do
      local why, effects = Request.why(site, rule), Effect.prepare(rule.effects, a.C)
      rule.fires, rule.fired = rule.fires + 1, t
      Events.add(site.events, 'rule', t, { 'rule', rule.name, 'event', 'fired', 'edge', 'sequence', 'rev', rule.rev,
        'why', why, 'captures', Json.encode(Attempt.captures(rule, a)) })
      site.changed = site.changed + Request.make(site, rule, t, true, a.C, why)
      Effect.run(site, rule, t, effects, why)
    end
  end

  local function begin(rule, t)
    local s = rule.s
    s.seq = (s.seq or 0) + 1
    return Attempt.new(s.seq, t)
  end

  -- Each run over the attempts fills these.
  local done, born

  -- ended says what comes after an attempt that is over without a result.
  local function ended(rule, a, t)
    a.over = true
    if not rule.every then
      rule.s.dead = true
    elseif not a.spawned then
      born[#born + 1] = begin(rule, t)
    end
  end

  -- left is what follows when an attempt has done its step.
  local function left(rule, a, t)
    if rule.every and a.k == rule.group and not a.spawned then
      a.spawned = true
      born[#born + 1] = begin(rule, t)
    end
    if a.k == #rule.steps then
      a.over = true
      done[#done + 1] = a
      if not rule.every then rule.s.dead = true end
      return
    end
    Attempt.arrive(a, a.k + 1, t)
    if rule.strict and rule.every then
      for _, other in ipairs(rule.s.a) do
        if other ~= a and not other.over and other.k == a.k then a.over = true end
      end
    end
  end

  local function sweep(rule)
    local kept = {}
    for _, a in ipairs(rule.s.a) do
      if not a.over then kept[#kept + 1] = a end
    end
    if not rule.s.dead then
      for _, a in ipairs(born) do kept[#kept + 1] = a end
    end
    while #kept > MOST do table.remove(kept, 1) end
    rule.s.a = kept
    rule.dirty = true
  end

  local function late(rule, a, t) return rule.within and a.first and t > a.first + rule.within end

  -- expire ends the attempts that ran out before t, and starts those that replace them.
  local function expire(rule, t)
    born = {}
    for _, a in ipairs(rule.s.a) do
      if late(rule, a, t) then ended(rule, a, t) end
    end
    sweep(rule)
  end

  -- broken is an attempt that met what must not come. A wait that captured nothing starts again.
  local function broken(rule, a, t)
    if not a.first and a.k == 1 and (rule.every or not rule.strict) then
      Attempt.arrive(a, 1, t)
    else
      ended(rule, a, t)
    end
  end

  local function offer(rule, a, i, t, event)
    local k = Attempt.target(rule, a, i)
    if k then
      while a.k < k and not a.over do left(rule, a, t) end
      if a.over then return end
      local step = rule.steps[k]
      if Attempt.take(rule, a, step, i, t, event) then
        left(rule, a, t)
        return
      end
    end
    local step = rule.steps[a.k]
    local verdict = Attempt.absence(a, step, i)
    if verdict == 'broken' then
      broken(rule, a, t)
    elseif rule.strict and not k and verdict ~= 'excused' and a.first then
      ended(rule, a, t)
    end
  end

  -- take offers a frame to the attempts.
  function Sequence.take(site, rule, t, i)
    local s = rule.s
    if not i or s.dead then return end
    if rule.within then expire(rule, t) end
    done, born = {}, {}
    local order = {}
    for n, a in ipairs(s.a) do order[n] = a end
    if rule.strict then
      table.sort(order, function(a, b)
        if a.k ~= b.k then return a.k > b.k end
        return a.id < b.id
      end)
    end
    local event
    for _, a in ipairs(order) do
      event = event or Attempt.event(site, rule, i)
      if not a.over then offer(rule, a, i, t, event) end
    end
    sweep(rule)
    put_out(site, rule, t, done)
  end

  -- due is what waits come to an end by the clock.
  function Sequence.due(site, rule, at)
    local s = rule.s
    done, born = {}, {}
    for _, a in ipairs(s.a) do
      local when = Attempt.deadline(rule, a)
      if when and when <= at then
        if late(rule, a, at) then
          ended(rule, a, at)
        elseif Attempt.waited(a, rule.steps[a.k], at) then
          left(rule, a, at)
        end
      end
    end
    sweep(rule)
    put_out(site, rule, at, done)
  end

  function Sequence.deadline(rule)
    local least
    for _, a in ipairs(rule.s.a) do
      local at = Attempt.deadline(rule, a)
      if at and (not least or at < least) then least = at end
    end
    return least
  end

  -- probe makes a function that asks all attempts whether they have a use for a frame of the first device, and does nothing.
  function Sequence.probe(site, rule)
    local i = rule.dev[1]
    return function()
      Attempt.event(site, rule, i)
      for _, a in ipairs(rule.s.a) do Attempt.target(rule, a, i) end
    end
  end

  -- SHOWN bounds the attempts that are explained: the oldest.
  local SHOWN = 10

  -- explain says where the open attempts are.
  function Sequence.explain(_, rule)
    local out, steps = {}, #rule.steps
    for i, a in ipairs(rule.s.a) do
      if i > SHOWN then break end
      local step, names = rule.steps[a.k], {}
      for name in pairs(a.C) do names[#names + 1] = name end
      table.sort(names)
      local state = string.format('at step %d of %d%s', a.k, steps, step.as and ', ' .. step.as or step.absent and ', an absence' or '')
      if a.n > 0 then state = state .. string.format(', %d times', a.n) end
      if #names > 0 then state = state .. ', has ' .. table.concat(names, ', ') end
      local at = Attempt.deadline(rule, a)
      local last = rule.within and a.first and a.first + rule.within
      if last and (not at or last < at) then at = last end
      out[i] = { name = string.format('attempt %d', a.id), kind = 'attempt', state = state, until_ms = at }
    end
    return out
  end

  -- load starts the first attempt when the rule is new.
  function Sequence.load(site, rule)
    local s = rule.s
    if not s.a then
      s.a = {}
      s.a[1] = begin(rule, site.began)
      rule.dirty = true
    end
    Timers.set(site.timers, rule.name, Sequence.deadline(rule))
  end
end
