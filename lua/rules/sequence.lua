-- Sequences: frames that must come one after the other, or stay away. A rule has attempts, the oldest first; each stands
-- at a step and holds what it captured.
--
-- An attempt a: id its number, k the step, arrived when it came there, n how often a repeat matched, parts and gone the parts of a
-- step that hold or are out, first the time of its first captured frame, C the captured frames by name, spawned whether its
-- successor was started. Each is an item of the library's state, NAME@a1, NAME@a2, …, and is written when it changed. The rule's
-- own has dead: that no attempt will be made any more.
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
      rule.fires, rule.fired, rule.dirty = rule.fires + 1, t, true
      Events.add(site.events, 'rule', t, { 'rule', rule.name, 'event', 'fired', 'edge', 'sequence', 'rev', rule.rev,
        'why', why, 'captures', Json.encode(Attempt.captures(rule, a)) })
      site.changed = site.changed + Request.make(site, rule, t, true, a.C, why)
      Effect.run(site, rule, t, effects, why)
    end
  end

  local function key(rule, a) return string.format('%s@a%d', rule.name, a.id) end

  local function begin(rule, t)
    rule.last = rule.last + 1
    return Attempt.new(rule.last, t)
  end

  -- die says that no attempt will be made any more.
  local function die(rule) rule.s.dead, rule.dirty = true, true end

  -- Each run over the attempts fills these.
  local done, born

  -- ended says what comes after an attempt that is over without a result.
  local function ended(rule, a, t)
    Attempt.finish(a)
    if not rule.every then
      die(rule)
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
      Attempt.finish(a)
      done[#done + 1] = a
      if not rule.every then die(rule) end
      return
    end
    Attempt.arrive(a, a.k + 1, t)
    if rule.strict and rule.every then
      for _, other in ipairs(rule.attempts) do
        if other ~= a and not other.over and other.k == a.k then Attempt.finish(a) end
      end
    end
  end

  -- sweep adds what was born, drops what is over and the oldest beyond MOST, and says of what changed that it is to be written.
  local function sweep(site, rule)
    local attempts = rule.attempts
    if not rule.s.dead then
      for _, a in ipairs(born) do attempts[#attempts + 1] = a end
    end
    local changed, open = false, 0
    for _, a in ipairs(attempts) do
      changed = changed or Attempt.changed(a)
      if not a.over then open = open + 1 end
    end
    if not changed then return end
    local kept, surplus = {}, open - MOST
    for _, a in ipairs(attempts) do
      if not a.over then
        if surplus > 0 then
          Attempt.finish(a)
          surplus = surplus - 1
        else
          kept[#kept + 1] = a
        end
      end
      if Attempt.changed(a) then
        Attempt.written(a)
        State.put(site.state, key(rule, a), not a.over and a or nil)
      end
    end
    rule.attempts = kept
  end

  local function late(rule, a, t) return rule.within and a.first and t > a.first + rule.within end

  -- expire ends the attempts that ran out before t, and starts those that replace them.
  local function expire(site, rule, t)
    born = {}
    for _, a in ipairs(rule.attempts) do
      if late(rule, a, t) then ended(rule, a, t) end
    end
    sweep(site, rule)
  end

  -- broken is an attempt that met what must not come. waits: a wait for a time was broken, which, of a first step that captured
  -- nothing, starts again.
  local function broken(rule, a, t, waits)
    if waits and not a.first and a.k == 1 and (rule.every or not rule.strict) then
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
    if verdict == 'broken' or verdict == 'waits' then
      broken(rule, a, t, verdict == 'waits')
    elseif rule.strict and not k and verdict ~= 'excused' and a.first then
      ended(rule, a, t)
    end
  end

  -- take offers a frame to the attempts.
  function Sequence.take(site, rule, t, i)
    local s = rule.s
    if not i or s.dead then return end
    if rule.within then expire(site, rule, t) end
    done, born = {}, {}
    local order = {}
    for n, a in ipairs(rule.attempts) do order[n] = a end
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
    sweep(site, rule)
    put_out(site, rule, t, done)
  end

  -- due is what waits come to an end by the clock.
  function Sequence.due(site, rule, at)
    if rule.within then expire(site, rule, at) end
    done, born = {}, {}
    for _, a in ipairs(rule.attempts) do
      local when = Attempt.deadline(rule, a)
      if when and when <= at and Attempt.waited(a, rule.steps[a.k], at) then left(rule, a, at) end
    end
    sweep(site, rule)
    put_out(site, rule, at, done)
  end

  function Sequence.deadline(rule)
    local least
    for _, a in ipairs(rule.attempts) do
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
      for _, a in ipairs(rule.attempts) do Attempt.target(rule, a, i) end
    end
  end

  -- SHOWN bounds the attempts that are explained: the oldest.
  local SHOWN = 10

  -- explain says where the open attempts are.
  function Sequence.explain(_, rule)
    local out, steps = {}, #rule.steps
    for i, a in ipairs(rule.attempts) do
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

  -- load takes the attempts of the state; kept are the items beside the rule's own. A rule that is new has its first one.
  function Sequence.load(site, rule, kept)
    rule.attempts, rule.last = {}, 0
    for _, item in ipairs(kept or {}) do
      local a = site.state.items[item]
      rule.attempts[#rule.attempts + 1] = a
      rule.last = math.max(rule.last, a.id)
    end
    table.sort(rule.attempts, function(a, b) return a.id < b.id end)
    if rule.last == 0 and not rule.s.dead then
      local first = begin(rule, site.began)
      rule.attempts[1] = first
      State.put(site.state, key(rule, first), first)
      Attempt.written(first)
    end
    Timers.set(site.timers, rule.name, Sequence.deadline(rule))
  end
end
