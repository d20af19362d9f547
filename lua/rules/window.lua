-- Windows: what a device's frames had, over a stretch of time or a number of frames.
--
-- Tumbling windows, sessions and state windows without a median hold no frames, only what these come to: the item NAME@sums.
-- All others hold them, see rules/held.lua. A window's state s has, beside that, open: whether a state window has begun. Its
-- deadline is that of the timers.
--#include rules/held.lua
--#include rules/effect.lua
--#include rules/request.lua
local Window = {}
do
  local floor = math.floor

  local HOLDS = { hopping = true, sliding = true, count = true }

  local function holds(rule)
    if HOLDS[rule.window] then return true end
    for _, a in ipairs(rule.aggregates) do
      if a.fn == 'median' then return true end
    end
    return false
  end

  local NOTHING = {}

  -- Sums is what a window has that holds no frames; Held and it have the same functions.
  local Sums = {}

  function Sums.load(site, rule)
    local needs = Aggregate.needs(rule)
    local held = { needs = needs, rows = 0, sums = Held.accumulators(needs), item = rule.name .. '@sums' }
    local text = site.state.items[held.item]
    if text then held.rows = Aggregate.unpack(text, held.sums) end
    return held
  end

  function Sums.rows(h) return h.rows end

  function Sums.add(site, rule, _, values)
    local h = rule.held
    h.rows = h.rows + 1
    for k = 1, #h.needs do Aggregate.add(h.needs[k], h.sums[k], values[k]) end
    State.put(site.state, h.item, Aggregate.pack(h.rows, h.sums))
  end

  function Sums.clear(site, rule)
    local h = rule.held
    h.rows, h.sums = 0, Held.accumulators(h.needs)
    State.put(site.state, h.item, nil)
  end

  function Sums.note() end

  function Sums.result(rule, a)
    local h = rule.held
    return Aggregate.result(a, h.rows, NOTHING, 0, h.sums, NOTHING)
  end

  -- saw says what a window came to.
  local function saw(rule, results)
    local parts = {}
    for i, a in ipairs(rule.aggregates) do
      local v = results[a.as]
      parts[i] = a.as .. '=' .. (v == nil and 'unknown' or string.format('%.10g', v))
    end
    return table.concat(parts, ', ')
  end

  local function put_out(site, rule, t)
    if rule.keeper.rows(rule.held) == 0 then return end
    if rule.having and not rule.having(rule.view) then return end
    local results = Aggregate.results(rule, rule.keeper.result)
    local captures = {}
    for _, a in ipairs(rule.aggregates) do
      local v = results[a.as]
      captures[a.as] = v == nil and Json.NULL or v
    end
    local why, effects = saw(rule, results), Effect.prepare(rule.effects, results)
    rule.fires, rule.fired, rule.dirty = rule.fires + 1, t, true
    rule.s.captures = Json.encode(captures)
    Events.add(site.events, 'rule', t, { 'rule', rule.name, 'event', 'fired', 'edge', 'window', 'rev', rule.rev,
      'why', why, 'captures', rule.s.captures })
    site.changed = site.changed + Request.make(site, rule, t, true, results, why)
    Effect.run(site, rule, t, effects, why)
  end

  local function clear(site, rule)
    rule.keeper.clear(site, rule)
    rule.keeper.note(rule)
  end

  local take = {}

  function take.tumbling(site, rule, t, values)
    rule.keeper.add(site, rule, t, values)
    rule.at = rule.at or (floor(t / rule.size) + 1) * rule.size
  end

  function take.hopping(site, rule, t, values)
    Held.add(site, rule, t, values)
    rule.at = rule.at or (floor(t / rule.every) + 1) * rule.every
  end

  function take.sliding(site, rule, t, values)
    Held.since(site, rule, t - rule.size + 1)
    Held.add(site, rule, t, values)
    put_out(site, rule, t)
  end

  function take.session(site, rule, t, values)
    rule.keeper.add(site, rule, t, values)
    rule.at = t + rule.gap
  end

  function take.count(site, rule, t, values)
    Held.add(site, rule, t, values)
    Held.newest(site, rule, rule.count)
    local n = rule.held.tail
    local every = rule.count_every > 0 and rule.count_every or rule.count
    if n >= rule.count and n % every == 0 then put_out(site, rule, t) end
  end

  function take.state(site, rule, t, values)
    local s, keeper = rule.s, rule.keeper
    if not s.open then
      if rule.begin() then
        s.open, rule.dirty = true, true
        keeper.add(site, rule, t, values)
      end
      return
    end
    if rule.emit then
      keeper.add(site, rule, t, values)
      if not rule.emit() then return end
      put_out(site, rule, t)
      clear(site, rule)
      s.open, rule.dirty = nil, true
      return
    end
    if rule.begin() then
      put_out(site, rule, t)
      clear(site, rule)
    end
    keeper.add(site, rule, t, values)
  end

  -- take adds a frame, if where lets it in.
  function Window.take(site, rule, t, i)
    if not i or rule.where and not rule.where() then return end
    local values, row = rule.values, rule.row
    for k = 1, #values do row[k] = values[k]() or false end
    take[rule.window](site, rule, t, row)
  end

  -- due is the end of a window.
  function Window.due(site, rule, at)
    rule.at = nil
    if rule.window ~= 'hopping' then
      put_out(site, rule, at)
      clear(site, rule)
      return
    end
    Held.since(site, rule, at - rule.size)
    put_out(site, rule, at)
    Held.since(site, rule, at + rule.every - rule.size)
    Held.note(rule)
    if Held.rows(rule.held) > 0 then rule.at = at + rule.every end
  end

  function Window.deadline(rule) return rule.at end

  -- explain says what a window has now. One of stretches of time still has what the next frame lets go of.
  function Window.explain(_, rule)
    local rows, values = rule.keeper.rows(rule.held), {}
    local results = Aggregate.results(rule, rule.keeper.result)
    for _, a in ipairs(rule.aggregates) do values[a.as] = results[a.as] == nil and Json.NULL or results[a.as] end
    local state = string.format(rows == 1 and 'has %d frame' or 'has %d frames', rows)
    if rule.window == 'state' and not rule.s.open then
      state = 'waits for the frame that begins it'
    elseif rule.having and rows > 0 then
      state = state .. (rule.having(results) and ', having is true' or ', having is not true')
    end
    return { { name = 'now', kind = rule.window, state = state, values = values, until_ms = rule.at } }
  end

  -- load takes what the state has of a window; kept are the items beside its own.
  function Window.load(site, rule, kept)
    rule.keeper = holds(rule) and Held or Sums
    rule.held = rule.keeper.load(site, rule, kept)
    rule.view, rule.row = Aggregate.view(rule, rule.keeper.result), {}
    rule.at = Timers.get(site.timers, rule.name)
  end
end
