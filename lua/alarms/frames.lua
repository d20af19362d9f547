-- Frames in: what is due happens first, then each alarm that reads the device sees a sample.
local Frames = {}
do
  -- MAX_REPEATS bounds the re-alarms that one call makes up for one by one.
  local MAX_REPEATS = 5000

  -- advance lets everything happen that is due at or before t, each at its deadline and all of one deadline as one
  -- instant, and moves the clock to t.
  function Frames.advance(panel, t)
    local site = panel.site
    local timers = site.timers
    panel.target = t
    while true do
      local item, at = Timers.due(timers, t)
      if not item then break end
      local alarms = {}
      while item do
        alarms[#alarms + 1] = panel.by_name[item]
        item = Timers.due(timers, at)
      end
      if alarms[2] then Machine.sort(alarms) end
      if at > site.clock then site.clock = at end
      site.D.clock = site.clock
      for _, alarm in ipairs(alarms) do Machine.fire(panel, alarm, site.clock) end
      Machine.settle(panel, site.clock)
      -- One that had nothing to do yet, as its deadline had moved on, is not marked and gets its deadline here.
      for _, alarm in ipairs(alarms) do
        if panel.by_name[alarm.name] == alarm then Timers.set(timers, alarm.name, Machine.deadline(alarm)) end
      end
    end
    if t > site.clock then site.clock = t end
    site.D.clock = site.clock
    return site.clock
  end

  -- begin starts a call.
  function Frames.begin(panel)
    panel.budget = MAX_REPEATS
    panel.changed = 0
  end

  -- late journals a frame that is not newer than the newest accepted one. The site is about to put it in that one's place,
  -- so the accepted one is kept here.
  local function late(panel, i, t)
    local site = panel.site
    local device = site.head.devices[i].name
    for _, alarm in ipairs(panel.readers[i].alarms) do
      if not alarm.s.disabled then Journal.add(panel, alarm, 'late', t) end
    end
    if panel.kept[i] then return end
    local packed = redis.call('HGET', site.keys[5], device)
    local fits = packed and Frame.fits(site.layouts[i], packed) and struct.unpack('<d', packed, 9) == panel.newest[i]
    State.put(site.state, '@frame:' .. device, { ts = panel.newest[i], packed = fits and packed or nil })
    panel.kept[i] = true
  end

  local function is_bad(values, slots)
    for _, slot in ipairs(slots) do
      if values[slot] == nil then return true end
    end
    return false
  end

  -- affected lists the alarms for which a frame may change something. This is the path that runs for every frame: an alarm
  -- costs one call and two comparisons; so it does when the device is silent and the alarm knows that.
  local function affected(readers, values, device)
    local alarms, reads, slots = readers.alarms, readers.reads, readers.slots
    local known = values.known
    local found, n = nil, 0
    for k = 1, readers.n do
      local alarm, v = alarms[k], reads[k]()
      local lo = alarm.lo
      local same
      if lo then
        same = v ~= nil and v >= lo and v <= alarm.hi
      else
        same = v == alarm.steady
      end
      if same then
        same = known or not is_bad(values, slots[k])
      elseif v == nil and not known then
        same = alarm.deaf ~= nil and alarm.deaf[device] ~= nil and is_bad(values, slots[k])
      end
      if not same then
        n = n + 1
        found = found or {}
        found[n] = alarm
      end
    end
    return found
  end

  -- take gives device i's packed frame to its alarms at t.
  function Frames.take(panel, i, t, packed)
    local site, readers = panel.site, panel.readers[i]
    local layout, values = site.layouts[i], site.D[i]
    if not readers or not Frame.fits(layout, packed) then return 0 end
    local ts, newest = struct.unpack('<d', packed, 9), panel.newest[i]
    if ts - ts ~= 0 then return 0 end
    if newest and ts <= newest then
      late(panel, i, t)
      return 0
    end
    panel.newest[i] = ts
    if panel.kept[i] then
      panel.kept[i] = nil
      State.put(site.state, '@frame:' .. site.head.devices[i].name, nil)
    end
    Frame.take(layout, values, packed)
    local device = site.head.devices[i].name
    local found = affected(readers, values, device)
    if found then
      for _, alarm in ipairs(found) do
        Machine.sample(panel, alarm, device, t, ts, not values.known and is_bad(values, alarm.slots[i]))
      end
      Machine.settle(panel, t)
    end
    return readers.n
  end

  -- run takes a call's arguments: the clock, then device, t and packed frame of each. It gives the number of evaluations.
  function Frames.run(panel, args)
    local n, site = #args, panel.site
    local now = Library.number(args[1], 'the clock')
    if n % 3 ~= 1 then Library.fail('BADARG', 'frames come as device, t and packed frame') end
    for k = 3, n, 3 do Library.number(args[k], 't') end
    Frames.begin(panel)
    local evaluated = 0
    local index = site.D.index
    for k = 2, n, 3 do
      local t = Frames.advance(panel, tonumber(args[k + 1]))
      local i = index[args[k]]
      if i then evaluated = evaluated + Frames.take(panel, i, t, args[k + 2]) end
    end
    Frames.advance(panel, now)
    return evaluated
  end
end
