-- The functions that Redis knows. Keys are the seven of lua/README.md: epoch, program, state, timers, frames, requests,
-- events. Errors of all: NOPROGRAM, BADPROGRAM, NEWERSTATE, BADKEYS, BADARG.
--#include rules/setup.lua
do
  local function word(verdict)
    if verdict == nil then return 'unknown' end
    return tostring(verdict)
  end

  -- rules_batch_execute: takes frames and acts on them.
  --   ARGV  now, then device, t, packed frame of each
  --   Reply next deadline in ms or empty, rules evaluated, requests made and withdrawn; then of each result of a window that something
  --         reads the names of the window and of the aggregates that are read, each behind a zero byte, the time in ms, and their values
  --         as doubles, the lowest byte first, NaN where nothing is known
  function Library.functions.rules_batch_execute(keys, args)
    local site = Setup.open(keys, args[3] or args[1])
    Site.run(site, args, Engine.take, Engine.due)
    Engine.close(site)
    local reply, given = Site.reply(site, site.evaluated, site.changed), site.given
    local n = #reply
    for k = 1, #given do reply[n + k] = given[k] end
    if given[1] then site.given = {} end
    return reply
  end

  -- rule_execute: evaluates one rule at now and acts, as if a frame had come.
  --   ARGV  now, name
  --   Reply verdict (true, false, unknown), requests made and withdrawn
  --   Errors NOTFOUND, DISABLED, PARKED, and FAILED when the rule fails
  function Library.functions.rule_execute(keys, args)
    local now = Library.number(args[1], 'the clock')
    local site = Setup.open(keys, now)
    local rule = Engine.find(site, args[2])
    if rule.disabled then Library.fail('DISABLED', 'the rule ' .. rule.name .. ' is disabled') end
    if rule.s.parked then Library.fail('PARKED', 'the rule ' .. rule.name .. ' failed too often and waits for a change') end
    local t = Site.advance(site, now, Engine.due)
    local verdict = Engine.evaluate(site, rule, t)
    Engine.calls(site, t)
    Engine.close(site)
    return { word(verdict), tostring(site.changed) }
  end

  -- rule_evaluate_conditions: looks at one rule and changes nothing.
  --   ARGV  now, name
  --   Reply verdict, state (true, false, unknown), deadline of for or keep_for in ms or empty, evaluations, fires, times
  --         unknown, errors, last firing in ms or empty; then of each input name, value or empty, age in ms or empty
  --   Errors NOTFOUND
  function Library.functions.rule_evaluate_conditions(keys, args)
    local now = Library.number(args[1], 'the clock')
    local site = Site.open(keys, Setup.prepare, now)
    local rule = Engine.find(site, args[2])
    local remembered, dirty = rule.s.h, rule.dirty
    site.D.clock = math.max(now, site.clock)
    local verdict = rule.judge()
    rule.s.h, rule.dirty = remembered, dirty
    local at = Timers.get(site.timers, rule.name)
    local reply = {
      word(verdict), word(rule.s.v), Events.text(at), Events.text(Engine.evaluations(site, rule)), Events.text(rule.fires),
      Events.text(rule.unknowns), Events.text(rule.errors), Events.text(rule.fired),
    }
    for _, input in ipairs(rule.inputs or {}) do
      local layout = site.layouts[input[2]]
      local _, _, _, seen = Frame.point(layout, redis.call('HGET', keys[5], layout.name), input[3])
      reply[#reply + 1] = input[1]
      reply[#reply + 1] = Events.text(site.D[input[2]][input[3]])
      reply[#reply + 1] = seen and Events.text(now - seen) or ''
    end
    Site.leave(site)
    return reply
  end

  -- rule_execute_actions: makes a rule's requests whatever its condition says; cooldown and throttle are not asked.
  --   ARGV  now, name
  --   Reply requests made
  --   Errors NOTFOUND
  function Library.functions.rule_execute_actions(keys, args)
    local now = Library.number(args[1], 'the clock')
    local site = Setup.open(keys, now)
    local rule = Engine.find(site, args[2])
    local t = Site.advance(site, now, Engine.due)
    local before = site.changed
    Engine.act(site, rule, t)
    Engine.close(site)
    return tostring(site.changed - before)
  end

  -- rules_version: no keys, no arguments.
  --   Reply version, hash, schema
  function Library.functions.rules_version() return Library.identity() end
end
