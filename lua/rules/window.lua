-- Windows: what a device's frames had, over a stretch of time or a number of frames.
--
-- A window's state s: e the entries, at the deadline by which it ends, n the frames that were counted, open whether a state
-- window has begun.
--#include rules/aggregate.lua
--#include rules/json.lua
local Window = {}
do
  local floor = math.floor

  -- MOST bounds the entries of one window; beyond it the oldest go.
  local MOST = 5000

  local function put_out(site, rule, t, entries)
    if #entries == 0 then return end
    local results = Aggregate.results(rule.aggregates, entries)
    if rule.having and not rule.having(results) then return end
    local captures = {}
    for _, a in ipairs(rule.aggregates) do
      local v = results[a.as]
      captures[a.as] = v == nil and Json.NULL or v
    end
    rule.fires, rule.fired = rule.fires + 1, t
    Events.add(site.events, 'rule', t, { 'rule', rule.name, 'event', 'fired', 'edge', 'window', 'rev', rule.rev,
      'why', Request.why(site, rule), 'captures', Json.encode(captures) })
  end

  local function add(s, entry)
    if #s.e >= MOST then table.remove(s.e, 1) end
    s.e[#s.e + 1] = entry
  end

  -- after gives the entries of t or later.
  local function after(entries, t)
    local kept = {}
    for i = 1, #entries do
      if entries[i][1] >= t then kept[#kept + 1] = entries[i] end
    end
    return kept
  end

  local take = {}

  function take.tumbling(_, rule, t, entry)
    local s = rule.s
    add(s, entry)
    s.at = s.at or (floor(t / rule.size) + 1) * rule.size
  end

  function take.hopping(_, rule, t, entry)
    local s = rule.s
    add(s, entry)
    s.at = s.at or (floor(t / rule.every) + 1) * rule.every
  end

  function take.sliding(site, rule, t, entry)
    local s = rule.s
    s.e = after(s.e, t - rule.size + 1)
    add(s, entry)
    put_out(site, rule, t, s.e)
  end

  function take.session(_, rule, t, entry)
    add(rule.s, entry)
    rule.s.at = t + rule.gap
  end

  function take.count(site, rule, t, entry)
    local s = rule.s
    add(s, entry)
    while #s.e > rule.count do table.remove(s.e, 1) end
    s.n = (s.n or 0) + 1
    local every = rule.count_every > 0 and rule.count_every or rule.count
    if s.n >= rule.count and s.n % every == 0 then put_out(site, rule, t, s.e) end
  end

  function take.state(site, rule, t, entry)
    local s = rule.s
    if not s.open then
      if rule.begin() then
        s.open = true
        add(s, entry)
      end
      return
    end
    if rule.emit then
      add(s, entry)
      if not rule.emit() then return end
      put_out(site, rule, t, s.e)
      s.e, s.open = {}, nil
    elseif rule.begin() then
      put_out(site, rule, t, s.e)
      s.e = { entry }
    else
      add(s, entry)
    end
  end

  -- take adds a frame, if where lets it in.
  function Window.take(site, rule, t, i)
    if not i or rule.where and not rule.where() then return end
    take[rule.window](site, rule, t, Aggregate.entry(rule.aggregates, t))
    rule.dirty = true
  end

  -- due is the end of a window.
  function Window.due(site, rule, at)
    local s = rule.s
    if rule.window == 'hopping' then
      put_out(site, rule, at, after(s.e, at - rule.size))
      s.e = after(s.e, at + rule.every - rule.size)
      s.at = #s.e > 0 and at + rule.every or nil
    else
      put_out(site, rule, at, s.e)
      s.e, s.at = {}, nil
    end
    rule.dirty = true
  end

  function Window.deadline(rule) return rule.s.at end

  function Window.load(_, rule) rule.s.e = rule.s.e or {} end
end
