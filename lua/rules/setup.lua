-- The rules of a site as they are set up: from a program that was loaded, with the state that was kept of them.
--#include rules/engine.lua
--#include rules/chain.lua
--#include rules/window.lua
--#include rules/sequence.lua
local Setup = {}
do
  -- FLOWS are the kinds of items that are more than a condition. Each has take(site, rule, t, i, by), for a frame of device i or for who
  -- calls it, unless its load(site, rule, kept) gives the rule take(t, i, by). It may have due(site, rule, t) and deadline(rule).
  local FLOWS = { chain = Chain, window = Window, sequence = Sequence }

  -- leave ends what an item did: its requests, what it raised, and its deadline.
  local function leave(site, name, s)
    Request.withdraw(site, name, site.began)
    if s then Effect.abandon(site, { name = name, s = s, rev = s.rev or '' }, site.began) end
    Timers.set(site.timers, name, nil)
  end

  -- own are the items of the state that a rule keeps beside the one of its name, as NAME@…, by rule.
  local function own(site)
    local out = {}
    for item in pairs(site.state.items) do
      local name = string.match(item, '^(.*)@')
      if name then
        out[name] = out[name] or {}
        table.insert(out[name], item)
      end
    end
    return out
  end

  -- drop drops such items: texts by the log of texts, which may have them still.
  local function drop(site, items)
    for _, item in ipairs(items or {}) do
      if type(site.state.items[item]) == 'table' then
        State.put(site.state, item, nil)
      else
        site.state.items[item] = nil
        site.state.texts.drop(item)
      end
    end
  end

  -- count goes on counting where an earlier build of the site was: the state has the counters of its last change only.
  local function count(rule, before)
    local old = before and before.by_name[rule.name]
    if not old or old.rev ~= rule.rev then return end
    rule.fires, rule.unknowns, rule.errors, rule.fired = old.fires, old.unknowns, old.errors, old.fired
    rule.counted = Engine.evaluations(before, old)
  end

  local function restore(site, rule, kept, before)
    local s = site.state.items[rule.name]
    if not s or s.rev ~= rule.rev then
      drop(site, kept)
      kept = nil
    end
    if s and s.rev ~= rule.rev then
      State.mark(site.state, rule.name)
      leave(site, rule.name, s)
      s = nil
    end
    local fresh = not s
    if fresh then
      s = { rev = rule.rev }
      site.state.items[rule.name] = s
    end
    if rule.disabled then leave(site, rule.name, s) end
    rule.s = s
    rule.level = rule.on == 'level' or rule.on == 'while'
    rule.flow = FLOWS[rule.kind]
    rule.judge = rule.flow and function() return nil end or Condition.judge(rule)
    rule.quiet, rule.renew, rule.dirty, rule.acted, rule.awake = Engine.NEVER, math.huge, false, false, false
    rule.fires, rule.unknowns, rule.errors, rule.fired = s.fires or 0, s.unknowns or 0, s.errors or 0, s.fired
    rule.counted = s.evaluations or 0
    count(rule, before)
    rule.reads = rule.reads or rule.dev
    if rule.flow then
      if rule.flow.load then rule.flow.load(site, rule, kept) end
      rule.deadline = rule.flow.deadline
      rule.follow = rule.deadline ~= nil or s.run ~= nil
      rule.take = rule.take or function(t, i, by) rule.flow.take(site, rule, t, i, by) end
    end
    if fresh and rule.flow then Engine.save(site, rule) end
  end

  -- prepare prepares a site's rules. Those that are gone or changed lose their state, their requests and their deadlines. before is the
  -- site as it was kept until then, if it was.
  function Setup.prepare(site, before, now)
    now = Library.number(now, 'the clock')
    site.began = math.max(site.clock, now)
    Request.load(site)
    site.taken, site.changed, site.evaluated, site.calls, site.given = {}, 0, 0, {}, {}
    for i in ipairs(site.head.devices) do site.taken[i] = 0 end
    local kept = own(site)
    for _, rule in ipairs(site.items) do
      if rule.name then restore(site, rule, kept[rule.name], before) end
    end
    local lost = {}
    for name in pairs(site.state.items) do
      if not site.by_name[string.match(name, '^(.*)@') or name] then lost[#lost + 1] = name end
    end
    table.sort(lost)
    for _, name in ipairs(lost) do
      local s = site.state.items[name]
      if type(s) == 'table' then
        leave(site, name, s)
        State.put(site.state, name, nil)
      else
        drop(site, { name })
      end
    end
    local gone = {}
    for name in pairs(site.requests) do
      if not site.by_name[name] then gone[#gone + 1] = name end
    end
    table.sort(gone)
    for _, name in ipairs(gone) do Request.withdraw(site, name, site.began) end
    Engine.index(site)
  end

  -- open begins each function that may change something, and Engine.close ends it. What is set up happens at now.
  function Setup.open(keys, now)
    local site = Site.open(keys, Setup.prepare, now)
    site.changed, site.evaluated = 0, 0
    return site
  end
end
