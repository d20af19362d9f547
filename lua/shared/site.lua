-- One site as a library sees it: its program, its devices' values, its items' state and timers, and its clock. All of it
-- is a cache of keys, kept per site from call to call, and made anew when the epoch key changed or a call failed midway.
--#include shared/library.lua
--#include shared/logic.lua
--#include shared/frame.lua
--#include shared/timers.lua
--#include shared/state.lua
--#include shared/events.lua
local Site = {}
do
  local MAX_SITES, MAX_CHUNKS = 32, 100000

  local sites, count = {}, 0

  -- chunks runs the program's chunks and returns head and items. Numbers of chunks and names are checked, as the program
  -- comes from a key.
  local function chunks(key, D)
    local n = tonumber(redis.call('HGET', key, 'n') or '')
    if not n or n < 1 or n > MAX_CHUNKS then
      Library.fail('NOPROGRAM', key .. ' has no program: the agent writes it when it has read the site')
    end
    local head, items = nil, {}
    for i = 1, n do
      local text = redis.call('HGET', key, tostring(i))
      if not text then Library.fail('NOPROGRAM', string.format('%s has no chunk %d of %d', key, i, n)) end
      local chunk, problem = loadstring('local D, H = ...\n' .. text, '=program ' .. i)
      if not chunk then Library.fail('BADPROGRAM', problem) end
      for _, item in ipairs(chunk(D, Logic)) do
        if item.head then head = item else items[#items + 1] = item end
      end
    end
    if not head then Library.fail('BADPROGRAM', key .. ' has no head') end
    return head, items
  end

  local function values(site, frames)
    local D = site.D
    local names = {}
    for i, device in ipairs(site.head.devices) do
      site.layouts[i] = Frame.layout(device)
      D.index[device.name] = i
      names[i] = device.name
    end
    for i, name in ipairs(names) do
      Frame.take(site.layouts[i], D[i], redis.call('HGET', frames, name))
    end
  end

  local function build(keys, epoch)
    local D = { index = {} }
    -- Programs are compiled against D[i], so each is there before, and stays the same table.
    setmetatable(D, { __index = function(t, i)
      if type(i) ~= 'number' then return nil end
      local v = { known = false }
      rawset(t, i, v)
      return v
    end })
    local site = { keys = keys, epoch = epoch, D = D, layouts = {}, items = {}, by_name = {}, rank = {} }
    site.head, site.items = chunks(keys[2], D)
    for i, item in ipairs(site.items) do
      item.rank = i
      if item.name then
        site.by_name[item.name] = item
        site.rank[item.name] = i
      end
    end
    values(site, keys[5])
    setmetatable(D, nil)
    site.state = State.load(keys[3])
    site.clock = site.state.clock
    D.clock = site.clock
    site.timers = Timers.load(keys[4], function(item) return site.rank[item] end)
    site.events = Events.new(keys[7])
    if site.state.migrated then
      Events.add(site.events, 'library', site.clock, {
        'library', Library.name, 'event', 'migrated', 'version', Library.version, 'hash', Library.hash,
        'detail', string.format('state of schema %d is of schema %d now', site.state.migrated, Library.schema),
      })
    end
    return site
  end

  -- open returns the site of the seven keys and whether it was built anew by this call; setup(site, before, now) is then called once, with
  -- what was kept until then when that is sound.
  -- Every function that may change something ends with Site.close. A site that was not closed, because the call failed, is
  -- built anew by the next.
  function Site.open(keys, setup, now)
    if #keys < 7 then
      Library.fail('BADKEYS', 'needs the seven keys epoch, program, state, timers, frames, requests, events')
    end
    local epoch = redis.call('GET', keys[1]) or ''
    local site = sites[keys[2]]
    if site and not site.busy and site.epoch == epoch then
      site.busy = true
      return site, false
    end
    local before = site and not site.busy and site or nil
    if not site then
      if count >= MAX_SITES then sites, count = {}, 0 end
      count = count + 1
    end
    sites[keys[2]] = { busy = true }
    site = build(keys, epoch)
    site.busy = true
    sites[keys[2]] = site
    if setup then setup(site, before, now) end
    return site, true
  end

  -- close writes what changed and lets the site be used by the next call. A function that must not write closes with
  -- Site.leave instead.
  function Site.close(site)
    State.flush(site.state, site.clock)
    Timers.flush(site.timers)
    Events.flush(site.events)
    site.busy = false
  end

  -- leave lets the site be used by the next call without writing; nothing may have been changed.
  function Site.leave(site) site.busy = false end

  -- forget drops the cache of a site, for a self-test that is done.
  function Site.forget(keys) sites[keys[2]] = { busy = true } end

  -- since moves the clock of a site that is set up to what its state tells of the time.
  function Site.since(site, t)
    if t > site.clock then site.clock, site.D.clock = t, t end
  end

  -- advance moves the site's clock to t, never back. What is due at or before t happens first, each at its deadline.
  function Site.advance(site, t, due)
    local timers = site.timers
    while true do
      local item, at = Timers.due(timers, t)
      if not item then break end
      if at > site.clock then site.clock = at end
      site.D.clock = site.clock
      due(site, item, at)
    end
    if t > site.clock then site.clock = t end
    site.D.clock = site.clock
    return site.clock
  end

  -- run takes the arguments of a function that takes frames: the clock, then device, t and packed frame of each. due(site,
  -- item, at) is called for each deadline, take(site, i, t) when device i has new values. Devices that the program does not
  -- read only move the clock.
  function Site.run(site, args, take, due)
    local n = #args
    local now = Library.number(args[1], 'the clock')
    if n % 3 ~= 1 then Library.fail('BADARG', 'frames come as device, t and packed frame') end
    for k = 3, n, 3 do args[k] = Library.number(args[k], 't') end
    local D, layouts = site.D, site.layouts
    for k = 2, n, 3 do
      local t = Site.advance(site, args[k + 1], due)
      local i = D.index[args[k]]
      if i then
        Frame.take(layouts[i], D[i], args[k + 2])
        take(site, i, t)
      end
    end
    Site.advance(site, now, due)
  end

  local function whole(n) return n == 0 and '0' or string.format('%d', n) end

  -- reply is what a function that takes frames answers.
  function Site.reply(site, evaluated, changed)
    local at = Timers.next(site.timers)
    return { at and string.format('%.0f', at) or '', whole(evaluated), whole(changed) }
  end
end
