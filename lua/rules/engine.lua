-- The rules of a site on its frames: which rules a device's frame concerns, and what happens when one fails. How they come from their
-- program and their state is in rules/setup.lua.
--#include shared/site.lua
--#include shared/suggest.lua
--#include rules/request.lua
--#include rules/effect.lua
--#include rules/condition.lua
local Engine = {}
do
  local huge = math.huge

  -- PARK_AFTER errors in a row stop a rule until it is changed.
  local PARK_AFTER = 10
  -- MOST_CALLS bounds the chains that one rule's firing may come to.
  local MOST_CALLS = 1000
  -- LONGEST bounds the texts that are kept with a rule: why it fired last, and why it failed.
  local LONGEST = 500
  -- FEW values of a frame may be bad for its sweeps to run all the same.
  local FEW = 16
  -- NEVER is no verdict: a rule whose quiet verdict it is, is stepped at its next evaluation.
  local NEVER = {}
  Engine.NEVER = NEVER
  -- FAILING is the verdict of a rule that fails: it is stepped each time, which counts the error.
  local FAILING = {}
  local NOBODY = {}

  -- save marks a rule's state to be written, with the counters as they are now.
  local function save(site, rule)
    local s = rule.s
    s.fires, s.unknowns, s.errors, s.fired = rule.fires, rule.unknowns, rule.errors, rule.fired
    s.evaluations = Engine.evaluations(site, rule)
    State.mark(site.state, rule.name)
    rule.dirty = false
  end

  Engine.save = save

  -- concerning counts the frames of the rule's devices since the site was set up.
  local function concerning(site, rule)
    local n = 0
    if rule.called then return n end -- it is evaluated by who calls it
    for _, i in ipairs(rule.dev or {}) do n = n + site.taken[i] end
    return n
  end

  -- evaluations counts the frames that the rule was evaluated for.
  function Engine.evaluations(site, rule)
    if rule.disabled or rule.s.parked then return rule.counted end
    return rule.counted + concerning(site, rule)
  end

  local function fire(site, rule, t, edge, begins)
    rule.fires, rule.fired, rule.acted = rule.fires + 1, t, true
    if edge ~= 'while' or begins then
      local why, effects = Request.why(site, rule), Effect.prepare(rule.effects)
      rule.s.why, rule.dirty = string.sub(why, 1, LONGEST), true
      Events.add(site.events, 'rule', t, { 'rule', rule.name, 'event', 'fired', 'edge', edge, 'rev', rule.rev, 'why', why })
      if edge == 'while' then
        Effect.begin(site, rule, '', t, effects, why)
      else
        Effect.run(site, rule, t, effects, why)
      end
    end
    local made, renew = Request.make(site, rule, t, not rule.level)
    site.changed = site.changed + made
    rule.renew = rule.on == 'while' and renew or -huge
  end

  local function fell(site, rule, t)
    if site.requests[rule.name] then
      Request.withdraw(site, rule.name, t)
      site.changed = site.changed + 1
    end
    local why = Request.why(site, rule)
    Events.add(site.events, 'rule', t, { 'rule', rule.name, 'event', 'ended', 'rev', rule.rev, 'why', why })
    Effect.finish(site, rule, '', t, why)
  end

  -- wakeful lists a device's rules that act again by time or at every frame while they are true; at says where in the list each is.
  local function wakeful(site, i)
    local list = site.awake[i]
    if not list then
      list = { at = {} }
      for _, rule in ipairs(site.lists[i]) do
        if rule.awake then
          list[#list + 1] = rule
          list.at[rule] = #list
        end
      end
      site.awake[i] = list
    end
    return list
  end

  -- note_awake puts a rule on the lists of its devices, or takes it off.
  local function note_awake(site, rule)
    if not rule.active or rule.called then return end
    for _, i in ipairs(rule.dev) do
      local list = site.awake[i]
      if list and rule.awake then
        list[#list + 1] = rule
        list.at[rule] = #list
      elseif list then
        local k, last = list.at[rule], #list
        local moved = list[last]
        list[k], list.at[moved] = moved, k
        list[last], list.at[rule] = nil, nil
      end
    end
  end

  -- settle is what follows each step: the deadline, and what has to be written.
  local function settle(site, rule, t)
    Timers.set(site.timers, rule.name, Condition.deadline(rule, t))
    if not rule.s.v or not rule.level then
      rule.renew = huge
    elseif not rule.acted then
      -- The firing was swallowed by cooldown or throttle: ask again at the next evaluation.
      rule.renew = -huge
    end
    rule.acted = false
    local awake = rule.renew < huge
    if awake ~= rule.awake then
      rule.awake = awake
      note_awake(site, rule)
    end
    if rule.dirty then save(site, rule) end
  end

  -- after is settle for a flow: where something has to be written, and where rule.follow says that it is needed at the next frame.
  local function after(site, rule)
    if rule.s.run then
      rule.s.run = nil
      rule.dirty = true
    end
    rule.follow = rule.deadline ~= nil
    if rule.deadline then Timers.set(site.timers, rule.name, rule.deadline(rule)) end
    if rule.dirty then save(site, rule) end
  end

  local function step(site, rule, t, verdict)
    Condition.step(site, rule, t, verdict, fire, fell)
    Engine.hush(rule, verdict)
    if rule.s.run then
      rule.s.run = nil
      save(site, rule)
    end
    settle(site, rule, t)
  end
  Engine.step = step

  -- failed counts an error of a rule, and parks it when it had too many in a row.
  function Engine.failed(site, rule, t, problem)
    local s = rule.s
    rule.errors = rule.errors + 1
    s.run, rule.follow = (s.run or 0) + 1, true
    Engine.hush(rule, NEVER)
    local text = type(problem) == 'table' and problem.err or tostring(problem)
    s.problem = string.sub(text, 1, LONGEST)
    Events.add(site.events, 'rule', t, { 'rule', rule.name, 'event', 'error', 'rev', rule.rev, 'error', text })
    if s.run >= PARK_AFTER and not s.parked then
      rule.counted = Engine.evaluations(site, rule)
      s.parked = true
      Timers.set(site.timers, rule.name, nil)
      Request.withdraw(site, rule.name, t)
      Effect.abandon(site, rule, t)
      Engine.index(site)
      Events.add(site.events, 'rule', t, { 'rule', rule.name, 'event', 'parked', 'rev', rule.rev, 'error', text })
    end
    save(site, rule)
  end

  -- unpark lets a parked rule be evaluated again, from its next frame on.
  function Engine.unpark(site, rule)
    rule.counted = rule.counted - concerning(site, rule)
    rule.s.parked, rule.s.run, rule.s.problem = nil, nil, nil
    Engine.hush(rule, NEVER)
    Engine.index(site)
    save(site, rule)
  end

  -- hush remembers the verdict that needs no step when it is seen again.
  function Engine.hush(rule, verdict)
    rule.quiet = verdict
    if rule.seen then rule.seen[rule.seat] = verdict end
  end

  -- index sorts the rules by the devices whose frames concern them: those in sweeps, those that are asked one by one, and flows, which
  -- take every frame.
  function Engine.index(site)
    site.lists, site.sweeps, site.singles, site.flows, site.readers, site.awake = {}, {}, {}, {}, {}, {}
    for i in ipairs(site.head.devices) do
      site.lists[i], site.sweeps[i], site.singles[i], site.flows[i], site.readers[i] = {}, {}, {}, {}, {}
    end
    for _, item in ipairs(site.items) do
      if item.sweep then
        local seen, rules = {}, {}
        for seat, name in ipairs(item.rules) do
          local rule = site.by_name[name]
          rules[seat], seen[seat] = rule, rule.quiet
          rule.seen, rule.seat = seen, seat
        end
        table.insert(site.sweeps[item.sweep], { run = item.run, rules = rules, seen = seen })
      end
    end
    for _, rule in ipairs(site.items) do
      rule.active = rule.name and not rule.disabled and not rule.s.parked
      if rule.active and not rule.called then
        for _, i in ipairs(rule.dev) do
          table.insert(rule.flow and site.flows[i] or site.lists[i], rule)
          if not rule.flow and not rule.seen then table.insert(site.singles[i], rule) end
        end
        if rule.seen then
          for _, input in ipairs(rule.inputs) do
            local slots = site.readers[input[2]]
            slots[input[3]] = slots[input[3]] or {}
            table.insert(slots[input[3]], rule)
          end
        end
      end
    end
  end

  local function all_known(D, reads)
    for k = 1, #reads do
      if not D[reads[k]].known then return false end
    end
    return true
  end

  local function by_rank(a, b) return a.rank < b.rank end

  -- judge gives a rule's verdict by the shortest way.
  local function judge(D, rule)
    if rule.fast and all_known(D, rule.reads) then
      local verdict = rule.fast()
      if verdict ~= nil then return verdict end
    end
    return rule.judge()
  end

  Engine.judge = judge

  -- The rules to be stepped for a frame, and where sweeps put their findings.
  local pending, found = {}, {}

  -- ask puts a rule on the list if its verdict is new, or what hysteresis remembers.
  local function ask(D, rule)
    local ok, verdict = pcall(judge, D, rule)
    if not ok or verdict ~= rule.quiet or rule.dirty then pending[#pending + 1] = rule end
  end

  -- sweep lists the rules of a device's sweeps whose verdict is new, but for those of others.
  local function sweep(site, i, others)
    local sweeps = site.sweeps[i]
    for s = 1, #sweeps do
      local each = sweeps[s]
      local rules = each.rules
      for k = 1, each.run(each.seen, found) do
        local rule = rules[found[k]]
        if not others[rule] then pending[#pending + 1] = rule end
      end
    end
  end

  -- around is sweep where a few values are bad: while the sweeps run numbers stand in for them, and the rules that read them
  -- are asked one by one.
  local function around(site, i)
    local values, slots = site.D[i], site.readers[i]
    local bad, others = values.bad, {}
    for k = 1, #bad do
      values[bad[k]] = 0
      for _, rule in ipairs(slots[bad[k]] or NOBODY) do others[rule] = true end
    end
    sweep(site, i, others)
    for k = 1, #bad do values[bad[k]] = nil end
    for rule in pairs(others) do ask(site.D, rule) end
  end

  -- verdicts are those of a sweep's rules while nothing of its device is known: they read nothing else, so they stay the same.
  local function verdicts(each)
    local unknown = {}
    for k, rule in ipairs(each.rules) do
      local ok, verdict = pcall(rule.judge)
      if ok then unknown[k] = verdict else unknown[k] = FAILING end
    end
    each.unknown = unknown
    return unknown
  end

  -- dark lists the rules of a device's sweeps whose verdict is new while nothing of the device is known.
  local function dark(site, i)
    local sweeps = site.sweeps[i]
    for s = 1, #sweeps do
      local each = sweeps[s]
      local rules, seen, unknown = each.rules, each.seen, each.unknown or verdicts(each)
      for k = 1, #rules do
        if seen[k] ~= unknown[k] then pending[#pending + 1] = rules[k] end
      end
    end
  end

  -- gather lists the rules, but for flows, that device i's frame at t has something to do for: each whose verdict is not the one seen
  -- last, and each that acts again. It is the only work for the many rules of which nothing is new.
  local function gather(site, i, t)
    local D = site.D
    local values = D[i]
    local bad, swept = values.bad, true
    for k = #pending, 1, -1 do pending[k] = nil end
    if values.known then
      sweep(site, i, NOBODY)
    elseif not bad then
      dark(site, i)
    elseif #bad <= FEW then
      around(site, i)
    else
      swept = false
    end
    local list = swept and site.singles[i] or site.lists[i]
    for k = 1, #list do ask(D, list[k]) end
    local awake = wakeful(site, i)
    for k = 1, #awake do
      if t >= awake[k].renew then pending[#pending + 1] = awake[k] end
    end
  end

  -- evaluate evaluates one rule at t for a frame of device i, and gives the verdict. A flow has none. by is the name of who called it.
  local function evaluate(site, rule, t, i, by)
    local take = rule.take
    if take then
      take(t, i, by)
      after(site, rule)
      return nil
    end
    local verdict = judge(site.D, rule)
    step(site, rule, t, verdict)
    return verdict
  end
  Engine.evaluate = evaluate

  -- calls runs the chains that were called, in the order in which they were, and those that they call. What calls whom is no circle, so
  -- this ends; MOST_CALLS bounds its work.
  local function calls(site, t)
    local list, n = site.calls, 0
    while n < #list do -- grows on the way
      n = n + 1
      local by = list[n].by
      local chain = site.by_name[list[n].chain]
      local problem
      if n > MOST_CALLS then
        problem = string.format('it called more than %d chains at once, which are not run', MOST_CALLS)
      elseif not chain or not chain.active then
        local how = not chain and 'not there' or chain.disabled and 'disabled' or 'parked'
        problem = string.format('the chain %s, which it calls, is %s', list[n].chain, how)
      end
      if problem then
        Engine.failed(site, by, t, problem)
        if n > MOST_CALLS then break end
      else
        chain.counted = chain.counted + 1
        local ok, failure = pcall(evaluate, site, chain, t, nil, by.name)
        if not ok then Engine.failed(site, chain, t, failure) end
      end
    end
    if n > 0 then site.calls = {} end
  end
  Engine.calls = calls

  -- take evaluates the rules that a device's frame concerns, in the order of the program. Who is called runs right behind its caller.
  function Engine.take(site, i, t)
    site.taken[i] = site.taken[i] + 1
    local flows = site.flows[i]
    local more = #flows
    site.evaluated = site.evaluated + #site.lists[i] + more
    gather(site, i, t)
    local rules = pending
    local n = #rules
    if n == 0 then
      if more == 0 then return end
      rules, n = flows, more
    else
      for k = 1, more do rules[n + k] = flows[k] end
      n = n + more
      if n > 1 then table.sort(rules, by_rank) end
    end
    local last
    for k = 1, n do
      local rule = rules[k]
      if rule ~= last and rule.active then
        local take = rule.take
        local ok, problem
        if take then -- as evaluate does it, in less calls: a flow takes every frame
          ok, problem = pcall(take, t, i)
          if ok and (rule.dirty or rule.follow) then ok, problem = pcall(after, site, rule) end
        else
          ok, problem = pcall(evaluate, site, rule, t, i)
        end
        if not ok then Engine.failed(site, rule, t, problem) end
        if site.calls[1] then calls(site, t) end
      end
      last = rule
    end
  end

  -- due is a rule's deadline.
  function Engine.due(site, name, t)
    local rule = site.by_name[name]
    if not rule or rule.disabled or rule.s.parked then return end
    local ok, problem = pcall(rule.flow and rule.flow.due or Condition.due, site, rule, t, fire, fell)
    if not ok then
      Engine.failed(site, rule, t, problem)
      calls(site, t)
      return
    end
    if rule.flow then
      after(site, rule)
    else
      Engine.hush(rule, NEVER)
      settle(site, rule, t)
    end
    calls(site, t)
  end

  -- act makes a rule's requests, whatever its condition says.
  function Engine.act(site, rule, t)
    if rule.flow then
      evaluate(site, rule, t)
    else
      fire(site, rule, t, 'forced', true)
      rule.acted = false
      save(site, rule)
    end
    calls(site, t)
  end

  -- find gives a rule by name, or ends the call.
  function Engine.find(site, name)
    local rule = site.by_name[name or '']
    if rule then return rule end
    local near = Suggest.name(name or '', site.by_name)
    Site.leave(site) -- a slip of the pen must not cost the next frame a new cache
    Library.fail('NOTFOUND', string.format('there is no rule %q', name or '') .. (near and ', did you mean ' .. near .. '?' or ''))
  end

  -- close ends each function that may change something.
  function Engine.close(site)
    Request.flush(site)
    Site.close(site)
  end
end
