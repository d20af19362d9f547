-- One attempt of a sequence at its step. A step is an event (dev, where, as; with a repeat min and max), an absence (absent,
-- dev, where, for_ms), or all or any of such parts.
local Attempt = {}
do
  -- touched are the attempts that changed since they were written.
  local touched = setmetatable({}, { __mode = 'k' })

  function Attempt.changed(a) return touched[a] end

  function Attempt.written(a) touched[a] = nil end

  function Attempt.new(id, t)
    local a = { id = id, k = 1, arrived = t, n = 0, parts = {}, gone = {}, C = {} }
    touched[a] = true
    return a
  end

  function Attempt.arrive(a, k, t)
    a.k, a.arrived, a.n, a.parts, a.gone = k, t, 0, {}, {}
    touched[a] = true
  end

  -- finish says that an attempt is over.
  function Attempt.finish(a)
    a.over = true
    touched[a] = true
  end

  local function met(a, part, i)
    return part.dev == i and (not part.where or part.where(a.C) == true)
  end

  -- usable tells whether a step has a use for a frame of device i. fresh: the attempt would only come to the step.
  local function usable(a, step, i, fresh)
    if step.absent then return false end
    local parts = step.all or step.any
    if not parts then return met(a, step, i) end
    for j, part in ipairs(parts) do
      if not part.absent and (fresh or not a.parts[tostring(j)]) and met(a, part, i) then return true end
    end
    return false
  end

  -- target is the step that has a use for the frame: the attempt's own, or one behind it that an open repeat may be left
  -- for, which is asked first. Nil when none has.
  function Attempt.target(rule, a, i)
    local steps, own = rule.steps, nil
    local k, n = a.k, a.n
    if not steps[k].min then return usable(a, steps[k], i) and k or nil end
    local open = {}
    while k <= #steps do
      open[#open + 1] = k
      local step = steps[k]
      if not (step.min and n >= step.min and k < #steps) then break end
      k, n = k + 1, 0
    end
    for x = #open, 1, -1 do
      if usable(a, steps[open[x]], i, open[x] ~= a.k) then
        own = open[x]
        break
      end
    end
    return own
  end

  local function capture(a, part, t, event, list)
    a.first = a.first or t
    touched[a] = true
    if not part.as then return end
    if list then
      local held = a.C[part.as] or {}
      held[#held + 1] = event
      a.C[part.as] = held
    else
      a.C[part.as] = event
    end
  end

  -- complete tells whether all parts hold; an absence without a time holds when the others do.
  local function complete(a, step)
    for j, part in ipairs(step.all) do
      if not a.parts[tostring(j)] and not (part.absent and not part.for_ms) then return false end
    end
    return true
  end

  -- take gives a step the frame that it has a use for, and tells whether the step is done.
  function Attempt.take(rule, a, step, i, t, event)
    if step.any then
      for _, part in ipairs(step.any) do
        if not part.absent and met(a, part, i) then
          capture(a, part, t, event)
          return true
        end
      end
      return false
    end
    if step.all then
      local matched = {}
      for j, part in ipairs(step.all) do
        if not part.absent and not a.parts[tostring(j)] and met(a, part, i) then matched[#matched + 1] = j end
      end
      for _, j in ipairs(matched) do
        a.parts[tostring(j)] = true
        capture(a, step.all[j], t, event)
      end
      return complete(a, step)
    end
    capture(a, step, t, event, step.min ~= nil)
    a.n = a.n + 1
    if not step.min then return true end
    return step.max and a.n >= step.max or a.k == #rule.steps and a.n >= step.min
  end

  -- absence says what a frame does at the step that must not, or may, see it: broken; waits, when it breaks a wait for a time,
  -- which can start again; excused, when it is of a source whose absence is waited for but is not what must not come; nil when
  -- it says nothing.
  function Attempt.absence(a, step, i)
    if step.absent then
      if step.dev ~= i then return nil end
      return met(a, step, i) and 'waits' or 'excused'
    end
    local verdict
    for j, part in ipairs(step.all or step.any or {}) do
      local place = tostring(j)
      if part.absent and part.dev == i and not a.parts[place] and not a.gone[place] then
        verdict = verdict or 'excused'
        if met(a, part, i) then
          if step.all then
            if not part.for_ms then return 'broken' end
            verdict = 'waits'
          else
            a.gone[place] = true
            touched[a] = true
          end
        end
      end
    end
    if step.any and verdict then
      for j in ipairs(step.any) do
        if not a.gone[tostring(j)] then return verdict end
      end
      return 'waits'
    end
    return verdict
  end

  -- deadline is when a wait of the attempt's step ends, or nil.
  function Attempt.deadline(rule, a)
    local step = rule.steps[a.k]
    if step.absent then return a.arrived + step.for_ms end
    local least
    for j, part in ipairs(step.all or step.any or {}) do
      local place = tostring(j)
      if part.absent and part.for_ms and not a.parts[place] and not a.gone[place] then
        local at = a.arrived + part.for_ms
        if not least or at < least then least = at end
      end
    end
    return least
  end

  -- waited takes the waits that ended at t, and tells whether the step is done.
  function Attempt.waited(a, step, t)
    if step.absent then return true end
    for j, part in ipairs(step.all or step.any) do
      local place = tostring(j)
      if part.absent and part.for_ms and not a.gone[place] and a.arrived + part.for_ms <= t then
        if step.any then return true end
        a.parts[place] = true
        touched[a] = true
      end
    end
    return complete(a, step)
  end

  -- event is a frame as it is captured: its known values by name.
  function Attempt.event(site, rule, i)
    local event, v = {}, site.D[i]
    for _, field in ipairs(rule.fields[i] or {}) do event[field[1]] = v[field[2]] end
    return event
  end

  -- captures are what an attempt put out.
  function Attempt.captures(rule, a)
    local out = {}
    for name, held in pairs(a.C) do
      if rule.repeated[name] then
        local list = {}
        for n, event in ipairs(held) do list[n] = event end
        list[Json.LIST] = #held
        out[name] = list
      else
        out[name] = held
      end
    end
    return out
  end
end
