-- Windows: what a device's frames had, over a stretch of time or a number of frames.
--
-- Tumbling windows, sessions and state windows without a median hold no frames, only what these come to, see rules/sums.lua.
-- All others hold them, see rules/held.lua. A window's state s has, beside that, captures: its last result as JSON; on: whether its last
-- frame had a result, of a sliding one; open: whether a state window has begun. Its deadline is that of the timers.
--#include rules/held.lua
--#include rules/sums.lua
--#include rules/effect.lua
--#include rules/request.lua
local Window = {}
do
  local floor, NAN = math.floor, 0 / 0
  -- SOME frames are in the window beside one that is measured.
  local SOME = 32

  local HOLDS = { hopping = true, sliding = true, count = true }

  local function holds(rule)
    if HOLDS[rule.window] then return true end
    for _, a in ipairs(rule.aggregates) do
      if a.fn == 'median' then return true end
    end
    return false
  end

  local function keeper(rule) return holds(rule) and Held or Sums end

  -- results are what a window's frames come to now, by name, and the same in the form for Json.
  local function results(rule)
    local values, shown = {}, {}
    for name, read in pairs(rule.readers) do
      local v = read()
      values[name] = v
      shown[name] = v == nil and Json.NULL or v
    end
    return values, shown
  end

  -- captures is what a window put out last, as JSON, and nothing if it never did.
  function Window.captures(rule)
    if not rule.s.on then return rule.s.captures end
    local _, shown = results(rule)
    return Json.encode(shown)
  end

  -- saw says what a window came to.
  local function saw(rule, values)
    local parts = {}
    for i, a in ipairs(rule.aggregates) do
      local v = values[a.as]
      parts[i] = a.as .. '=' .. (v == nil and 'unknown' or string.format('%.10g', v))
    end
    return table.concat(parts, ', ')
  end

  -- again are the effects of a sliding window at each frame for as long as it acts: all but what stands until somebody changes it.
  local function again(rule)
    local out = {}
    for _, e in ipairs(rule.effects or {}) do
      if e.kind ~= 'raise' and e.kind ~= 'clear' then out[#out + 1] = e end
    end
    return out
  end

  -- giver makes what hands a result to who reads it. In site.given, and so in the reply, it is three values: the names of the window
  -- and of the aggregates that are read, each behind a zero byte; the time; and their values as packed numbers, NaN where nothing is known.
  local function giver(site, rule)
    local names = rule.read
    if not names then return nil end
    local of, n = table.concat({ rule.name, unpack(names) }, '\0'), #names
    local form, pack, unpack, reads, values = '<' .. string.rep('d', n), struct.pack, unpack, {}, {}
    for k = 1, n do reads[k] = rule.readers[names[k]] end
    return function(t)
      for k = 1, n do values[k] = reads[k]() or NAN end
      local given = site.given
      local last = #given
      given[last + 1], given[last + 2], given[last + 3] = of, t, pack(form, unpack(values, 1, n))
    end
  end

  -- act does what a window does with a result, and tells of it; a sliding one, which acts at each frame, when it begins to.
  local function act(site, rule, t, goes_on)
    local values, shown = results(rule)
    local why, effects = saw(rule, values), Effect.prepare(goes_on and rule.again or rule.effects, values)
    if rule.tells or not goes_on then
      Events.add(site.events, 'rule', t, { 'rule', rule.name, 'event', 'fired', 'edge', 'window', 'rev', rule.rev,
        'why', why, 'captures', Json.encode(shown) })
    end
    site.changed = site.changed + Request.make(site, rule, t, not goes_on, values, why)
    Effect.run(site, rule, t, effects, why)
  end

  -- put_out gives a result. A state keeps the last one: of a sliding window, while it puts one out at each frame, what its frames come to.
  local function put_out(site, rule, t)
    local s = rule.s
    local goes_on = s.on
    if goes_on and rule.acts_on or not goes_on and rule.acts then act(site, rule, t, goes_on) end
    rule.fires, rule.fired = rule.fires + 1, t
    if rule.window ~= 'sliding' then
      local _, shown = results(rule)
      s.captures, rule.dirty = Json.encode(shown), true
    elseif not goes_on then
      s.on, s.captures, rule.dirty = true, nil, true
    end
    if rule.give then rule.give(t) end
  end

  -- finish puts out what a window has, if it has something and having lets it.
  local function finish(site, rule, t)
    if rule.held.rows() > 0 and (not rule.having or rule.having(rule.readers)) then put_out(site, rule, t) end
  end

  local function ends(site, rule) return Timers.get(site.timers, rule.name) end

  local function set(site, rule, at) Timers.set(site.timers, rule.name, at) end

  -- takers make of a rule and its reader what its kind of window does with a frame of device i.
  local takers = {}

  function takers.tumbling(site, rule, read)
    return function(t, i)
      local row = read(i)
      if not row then return end
      rule.held.add(t, row)
      if not ends(site, rule) then set(site, rule, (floor(t / rule.size) + 1) * rule.size) end
    end
  end

  function takers.hopping(site, rule, read)
    return function(t, i)
      local row = read(i)
      if not row then return end
      rule.held.add(t, row)
      if not ends(site, rule) then set(site, rule, (floor(t / rule.every) + 1) * rule.every) end
    end
  end

  function takers.sliding(site, rule, read)
    local add, rows, having, readers, younger = rule.held.add, rule.held.rows, rule.having, rule.readers, rule.size - 1
    local on, give, acts_on = rule.s.on, rule.give, rule.acts_on
    local last -- what was put out last, if having may hold the next one back

    local function note()
      if having then last = select(2, results(rule)) end
    end

    local function rests()
      on = false
      rule.s.on, rule.s.captures, rule.dirty = nil, Json.encode(last), true
    end

    if on then note() end
    return function(t, i)
      local row = read(i)
      if not row then return end
      add(t, row, t - younger)
      if on and rows() == 1 then rests() end -- the frames before it left unseen
      if having and not having(readers) then
        if on then rests() end
        return
      end
      if on and not acts_on then -- as put_out does it, in less calls
        rule.fires, rule.fired = rule.fires + 1, t
        if give then give(t) end
      else
        put_out(site, rule, t)
        on = true
      end
      if having then note() end
    end
  end

  function takers.session(site, rule, read)
    return function(t, i)
      local row = read(i)
      if not row then return end
      rule.held.add(t, row)
      set(site, rule, t + rule.gap)
    end
  end

  function takers.count(site, rule, read)
    local held, count = rule.held, rule.count
    local every = rule.count_every > 0 and rule.count_every or count
    return function(t, i)
      local row = read(i)
      if not row then return end
      held.add(t, row)
      held.newest(count)
      local n = held.number()
      if n >= count and n % every == 0 then finish(site, rule, t) end
    end
  end

  function takers.state(site, rule, read)
    local s, held = rule.s, rule.held
    return function(t, i)
      local row = read(i)
      if not row then return end
      if not s.open then
        if not rule.begin() then return end
        s.open, rule.dirty = true, true
        held.add(t, row)
        return
      end
      if not rule.emit and rule.begin() then
        finish(site, rule, t)
        held.clear()
      end
      held.add(t, row)
      if rule.emit and rule.emit() then
        finish(site, rule, t)
        held.clear()
        s.open, rule.dirty = nil, true
      end
    end
  end

  -- reader makes the function that gives the values of a frame of device i, or nothing when where does not let it in, or there is none.
  local function reader(rule)
    local where, values, row = rule.where, rule.values, {}
    local n, first = #values, values[1]
    if n == 1 and not where then -- as it is mostly
      return function(i)
        if not i then return nil end
        row[1] = first() or NAN
        return row
      end
    end
    return function(i)
      if not i or where and not where() then return nil end
      for k = 1, n do row[k] = values[k]() or NAN end
      return row
    end
  end

  -- probe makes a function that takes frames as the window does, into another one beside it that has some, and does nothing.
  function Window.probe(site, rule)
    local beside = { state = { items = {}, texts = Texts.load({}, {}) }, clock = site.clock, D = site.D }
    local held = keeper(rule).new(beside, setmetatable({ s = {} }, { __index = rule }))
    local read, having, readers = reader(rule), rule.having, Aggregate.readers(rule, held.columns, held.rows)
    local give = giver(beside, setmetatable({ readers = readers }, { __index = rule }))
    local t = site.clock
    return function()
      local row = read(true)
      if not row then return end
      t = t + 1
      held.add(t, row, t - SOME)
      if (not having or having(readers)) and give then
        beside.given = {}
        give(t)
      end
      beside.state.texts.forget()
    end
  end

  -- due is the end of a window.
  function Window.due(site, rule, at)
    local held = rule.held
    if rule.window ~= 'hopping' then
      finish(site, rule, at)
      held.clear()
      return
    end
    held.since(at - rule.size)
    finish(site, rule, at)
    held.since(at + rule.every - rule.size)
    held.note()
    if held.rows() > 0 then set(site, rule, at + rule.every) end
  end

  -- explain says what a window has now. One of stretches of time still has what the next frame lets go of.
  function Window.explain(site, rule)
    local n, _, shown = rule.held.rows(), results(rule)
    local state = string.format(n == 1 and 'has %d frame' or 'has %d frames', n)
    if rule.window == 'state' and not rule.s.open then
      state = 'waits for the frame that begins it'
    elseif rule.having and n > 0 then
      state = state .. (rule.having(rule.readers) and ', having is true' or ', having is not true')
    end
    return { { name = 'now', kind = rule.window, state = state, values = shown, until_ms = ends(site, rule) } }
  end

  -- load takes what the state has of a window; kept are the items beside its own.
  function Window.load(site, rule, kept)
    rule.held = keeper(rule).new(site, rule, kept)
    rule.readers = Aggregate.readers(rule, rule.held.columns, rule.held.rows)
    rule.again = again(rule)
    rule.acts = rule.tells or #rule.set > 0 or rule.effects ~= nil
    rule.acts_on = rule.tells or #rule.set > 0 or #rule.again > 0
    rule.give = giver(site, rule)
    if rule.s.on then rule.fired = rule.held.last() or rule.fired end
    rule.take = takers[rule.window](site, rule, reader(rule))
  end
end
