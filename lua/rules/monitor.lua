-- What people ask of the rules: how each does, what it costs, and why it acts or does not. None of it runs with the frames.
--#include rules/setup.lua
--#include rules/json.lua
do
  -- MOST_TIMES bounds how often a rule is evaluated to be timed, MOST_VALUES how many values a trace takes.
  local MOST_TIMES, MOST_VALUES = 1000, 5000

  local function look(keys, now)
    local site = Site.open(keys, Setup.prepare, now)
    site.D.clock = math.max(now, site.clock)
    return site
  end

  -- aside calls f, which may evaluate a rule, and leaves the rule as it was.
  local function aside(rule, f)
    local remembered, dirty = rule.s.h, rule.dirty
    local ok, result = pcall(f)
    rule.s.h, rule.dirty = remembered, dirty
    return ok, result
  end

  local function word(verdict)
    if verdict == nil then return 'unknown' end
    return tostring(verdict)
  end

  local function message(problem)
    return type(problem) == 'table' and problem.err or tostring(problem)
  end

  -- free is when cooldown lets a rule fire again, and when throttle does; nil: now.
  local function free(rule, now)
    local s, throttle = rule.s, rule.throttle
    local cool, slot
    if (rule.cooldown_ms or 0) > 0 and s.last and now < s.last + rule.cooldown_ms then cool = s.last + rule.cooldown_ms end
    if throttle then
      local past = {}
      for _, at in ipairs(s.past or {}) do
        if at > now - throttle.per_ms then past[#past + 1] = at end
      end
      if #past >= throttle.count then slot = past[#past - throttle.count + 1] + throttle.per_ms end
    end
    return cool, slot
  end

  local function list(items)
    items[Json.LIST] = #items
    return items
  end

  -- wishes are the requests that a rule holds, by output.
  local function wishes(site, rule, now)
    local out = {}
    for output, r in pairs(site.requests[rule.name] or {}) do
      if not r.ttl or r.at + r.ttl > now then
        out[#out + 1] = { output = output, value = r.value, priority = r.priority, at = r.at, ttl = r.ttl, why = r.why }
      end
    end
    table.sort(out, function(a, b) return a.output < b.output end)
    return list(out)
  end

  -- standing is how a rule does, for Json.
  local function standing(site, rule, now)
    local s, cool, slot = rule.s, free(rule, now)
    local held, ok, verdict, state, acting = wishes(site, rule, now), true, nil, s.v, s.a or false
    if rule.kind then -- a flow has no condition: it is active while it asks for something
      acting = #held > 0
      state = acting
    else
      ok, verdict = aside(rule, rule.judge)
    end
    return {
      name = rule.name, kind = rule.kind or 'rule', rev = rule.rev, disabled = rule.disabled or false, parked = s.parked or false,
      run = s.run or 0, verdict = rule.kind and '' or ok and word(verdict) or 'unknown', state = word(state), acting = acting,
      for_until = s.up, keep_until = s.down, cooldown_until = cool, throttle_until = slot,
      evaluations = Engine.evaluations(site, rule), fires = rule.fires, unknowns = rule.unknowns, errors = rule.errors,
      fired = rule.fired, why = s.why, problem = not ok and message(verdict) or s.problem, requests = held,
      captures = rule.kind == 'window' and Window.captures(rule) or nil,
    }
  end

  -- rule_list: how the rules do; changes nothing.
  --   ARGV  now, then names (none: all)
  --   Reply a JSON array, in the order of the program: name, kind (rule, or that of a flow), rev, disabled, parked, run (errors
  --         in a row), verdict and state (true, false, unknown; a flow has no verdict), acting, for_until, keep_until, cooldown_until, throttle_until
  --         (ms, while they run), evaluations, fires, unknowns, errors, fired (ms), why (the inputs of the last firing), problem
  --         (the last error), requests (output, value, priority, at, ttl, why), captures (of a window, what it put out last, as JSON)
  --   Errors NOTFOUND
  function Library.functions.rule_list(keys, args)
    local now = Library.number(args[1], 'the clock')
    local site = look(keys, now)
    local out = {}
    for i = 2, #args do out[#out + 1] = standing(site, Engine.find(site, args[i]), now) end
    if #args < 2 then
      for _, rule in ipairs(site.items) do
        if rule.name then out[#out + 1] = standing(site, rule, now) end
      end
    end
    Site.leave(site)
    return Json.encode(list(out))
  end

  -- MOST_NAMED bounds the rules that rule_metrics names.
  local MOST_NAMED = 10

  -- rule_metrics: how many rules and flows are in trouble.
  --   ARGV  now
  --   Reply a JSON object: rules (and flows), disabled, failing (at their last evaluation, and not parked), parked, and names of the
  --         first ones that are parked
  function Library.functions.rule_metrics(keys, args)
    local site = look(keys, Library.number(args[1], 'the clock'))
    local out = { rules = 0, disabled = 0, failing = 0, parked = 0, names = {} }
    for _, rule in ipairs(site.items) do
      if rule.name then
        out.rules = out.rules + 1
        if rule.disabled then
          out.disabled = out.disabled + 1
        elseif rule.s.parked then
          out.parked = out.parked + 1
          if #out.names < MOST_NAMED then out.names[#out.names + 1] = rule.name end
        elseif rule.s.run then
          out.failing = out.failing + 1
        end
      end
    end
    Site.leave(site)
    list(out.names)
    return Json.encode(out)
  end

  -- rule_measure: evaluates a rule's condition many times, and while the rule acts its values, so that the time of the call
  -- can be taken. Changes nothing. Of a chain its nodes run; a window beside it takes frames, and a sequence's attempts are asked whether
  -- they have a use for one.
  --   ARGV  now, name, how many times (0 to 1000)
  --   Reply how often it was evaluated
  --   Errors NOTFOUND
  function Library.functions.rule_measure(keys, args)
    local now = Library.number(args[1], 'the clock')
    local times = Library.number(args[3], 'how many times')
    if times < 0 or times > MOST_TIMES then Library.fail('BADARG', 'how many times must be 0 to ' .. MOST_TIMES) end
    local site = look(keys, now)
    local rule = Engine.find(site, args[2])
    local probe = rule.flow and rule.flow.probe(site, rule)
    local done = 0
    local acts = rule.s.v and rule.level
    aside(rule, function()
      for i = 1, times do
        if probe then
          probe()
        else
          Engine.judge(site.D, rule)
        end
        if acts and not probe then
          for _, set in ipairs(rule.set or {}) do
            if set.value then set.value() end
          end
        end
        done = i
      end
    end)
    Site.leave(site)
    return string.format('%d', done)
  end

  -- rule_trace: how a rule does, and the values of the parts of its expressions; changes nothing.
  --   ARGV  now, name, revision of the program that the parts are of, parts: a chunk of a program that gets (D, H, V) and puts
  --         values into the table V by number; how many values
  --   Reply the rule as in rule_list, in JSON, and of a flow its steps: name, kind, state, values by name, until_ms: of a chain its nodes, of a
  --         window what it holds, of a sequence its oldest attempts; what failed, or empty; the values as texts: a number, true, false, or empty
  --         for unknown; then of each input name, value, age in ms, quality
  --   Errors NOTFOUND, STALE when the program is another one, BADPROGRAM
  function Library.functions.rule_trace(keys, args)
    local now, n = Library.number(args[1], 'the clock'), Library.number(args[5], 'how many values')
    if n < 0 or n > MOST_VALUES then Library.fail('BADARG', 'how many values must be 0 to ' .. MOST_VALUES) end
    local site = look(keys, now)
    local rule = Engine.find(site, args[2])
    Site.leave(site) -- nothing is changed from here on, also when it fails
    if args[3] ~= site.head.rev then Library.fail('STALE', 'the program is ' .. tostring(site.head.rev) .. ' now; ask again') end
    local chunk, problem = loadstring('local D, H, V = ...\n' .. args[4], '=trace')
    if not chunk then Library.fail('BADPROGRAM', problem) end
    local V = {}
    local ok, failed = pcall(chunk, site.D, Logic, V)
    local told = standing(site, rule, now)
    if rule.flow and ok then
      local fine, steps = pcall(rule.flow.explain, site, rule)
      if fine then told.steps = list(steps) else ok, failed = false, steps end
    end
    local reply = { Json.encode(told), ok and '' or message(failed) }
    for i = 1, n do
      local v = V[i]
      if type(v) == 'boolean' then reply[#reply + 1] = tostring(v) else reply[#reply + 1] = Events.text(v) end
    end
    for _, input in ipairs(rule.inputs or {}) do
      local layout = site.layouts[input[2]]
      local _, class, reason, seen = Frame.point(layout, redis.call('HGET', keys[5], layout.name), input[3])
      reply[#reply + 1] = input[1]
      reply[#reply + 1] = Events.text(site.D[input[2]][input[3]])
      reply[#reply + 1] = seen and Events.text(now - seen) or ''
      reply[#reply + 1] = class .. (reason and ' (' .. reason .. ')' or '')
    end
    return reply
  end

  -- rule_unpark: lets a rule that failed too often try again.
  --   ARGV  now, name, by whom
  --   Reply OK
  --   Errors NOTFOUND, not_parked
  function Library.functions.rule_unpark(keys, args)
    local now = Library.number(args[1], 'the clock')
    local site = Setup.open(keys, now)
    local rule = Engine.find(site, args[2])
    if not rule.s.parked then Library.fail('not_parked', 'the rule ' .. rule.name .. ' is not parked') end
    local t = Site.advance(site, now, Engine.due)
    Engine.unpark(site, rule)
    Events.add(site.events, 'rule', t, { 'rule', rule.name, 'event', 'unparked', 'rev', rule.rev, 'by', args[3] or '' })
    Engine.close(site)
    return 'OK'
  end
end
