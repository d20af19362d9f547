-- The panel: a site's alarms as they run. It is made when the site's cache is made anew, from the program and the saved
-- state, and brings the one in line with the other.
local Panel = {}
do
  local HOURS_8 = 28800000

  -- bind gives a runtime alarm to an item and its state.
  local function bind(panel, item, s)
    local class = Verdict.class(item.kind)
    if not class then
      Library.fail('BADPROGRAM', string.format('alarm %s has the kind %s, which this library does not know', item.name, tostring(item.kind)))
    end
    local alarm = {
      name = item.name, item = item, s = s, class = class, parents = {}, children = {}, order = 0,
      slots = {}, touched = false,
    }
    alarm.read = class ~= 'manual' and Verdict.reading(alarm) or nil
    panel.by_name[item.name] = alarm
    return alarm
  end

  -- manual makes the item of an alarm that somebody raises without a condition.
  local function manual(name, quick)
    return { name = name, kind = 'manual', priority = quick.priority, message = quick.message, max_shelve_ms = HOURS_8, dev = {} }
  end

  function Panel.add_manual(panel, name, quick)
    panel.last_order, panel.manual = panel.last_order + 1, panel.manual + 1
    local alarm = bind(panel, manual(name, quick), { quick = quick })
    alarm.order = panel.last_order
    Verdict.window(alarm)
    return alarm
  end

  -- renew takes over the state of an alarm whose definition changed: the bits stay, what was pending is cancelled.
  local function renew(panel, alarm, now)
    local s, item = alarm.s, alarm.item
    s.rev, s.quick, s.deferred, s.left = item.rev, nil, nil, nil
    Machine.give_up(panel, alarm)
    s.bad, s.last, s.last_ts, s.rate = nil, nil, nil, nil
    if not s.active or not (item.levels and item.levels[s.level]) then s.level = nil end
    if not s.active or (item.re_alarm_ms or 0) <= 0 then
      s.re_alarm_at = nil
    elseif not s.re_alarm_at then
      Machine.repeat_from(alarm, now)
    end
    if not item.first_out then s.first_out = nil end
    Machine.touch(panel, alarm)
  end

  -- follow_site switches an alarm off or on when the site's configuration changed its mind about that.
  local function follow_site(panel, alarm, now)
    local s, item = alarm.s, alarm.item
    local off = item.disabled and true or nil
    if s.site_disabled == off then return end
    local fresh = not s.rev
    s.site_disabled = off
    Machine.touch(panel, alarm)
    if s.disabled == off then return end
    s.disabled = off
    if fresh then return end
    if off then
      s.re_alarm_at = nil
      Machine.give_up(panel, alarm)
    end
    Journal.add(panel, alarm, off and 'disable' or 'enable', now, 'site')
    if not off then s.deferred = true end
  end

  -- links connects parents and children, and orders the alarms so that parents come first. A circle is cut where it is
  -- found.
  local function links(panel, alarms)
    for _, alarm in ipairs(alarms) do
      for _, name in ipairs(alarm.item.suppressed_by or {}) do
        local parent = panel.by_name[name]
        if parent and parent ~= alarm then
          alarm.parents[#alarm.parents + 1] = parent
          parent.children[#parent.children + 1] = alarm
        end
      end
    end
    local order = 0
    for _, alarm in ipairs(alarms) do
      -- An explicit stack of {alarm, next parent}: chains may be longer than Lua's own.
      local stack = { { alarm, 1 } }
      while #stack > 0 do
        local top = stack[#stack]
        local at = top[1]
        local parent = at.parents[top[2]]
        top[2] = top[2] + 1
        if at.order > 0 or not parent then
          if at.order <= 0 then
            order = order + 1
            at.order = order
          end
          stack[#stack] = nil
        elseif parent.order == 0 and not parent.visited then
          parent.visited = true
          stack[#stack + 1] = { parent, 1 }
        end
        at.visited = true
      end
    end
    panel.last_order = order
    for _, alarm in ipairs(alarms) do Machine.sort(alarm.children) end
  end

  local function group(panel, alarm)
    local name, s = alarm.item.first_out, alarm.s
    if not name or name == '' then return end
    local members = panel.groups[name]
    if not members then
      members = { busy = 0 }
      panel.groups[name] = members
    end
    alarm.group = members
    alarm.busy = (s.active or s.unacked) == true
    if alarm.busy then members.busy = members.busy + 1 end
    if s.first_out then
      if members.holder then s.first_out = nil else members.holder = alarm end
    end
  end

  -- readers lists for each device the alarms that read one of its points, parents first, with the slots they read.
  local function readers(panel, alarms)
    local sorted = {}
    for i, alarm in ipairs(alarms) do sorted[i] = alarm end
    Machine.sort(sorted)
    for _, alarm in ipairs(sorted) do
      for _, input in ipairs(alarm.item.inputs or {}) do
        local device, slot = input[2], input[3]
        local list = panel.readers[device]
        if not list then
          list = { n = 0, alarms = {}, reads = {}, slots = {} }
          panel.readers[device] = list
        end
        local slots = alarm.slots[device]
        if not slots then
          slots = {}
          alarm.slots[device] = slots
          list.n = list.n + 1
          list.alarms[list.n], list.reads[list.n], list.slots[list.n] = alarm, alarm.read, slots
        end
        slots[#slots + 1] = slot
      end
    end
  end

  -- newest finds the newest accepted frame of each device that is read: the site's newest one, or, when the site has a
  -- late one in its place, the one that was kept for that case.
  local function newest(panel, accepted)
    local site = panel.site
    for i, device in ipairs(site.head.devices) do
      local layout, kept = site.layouts[i], site.state.items['@frame:' .. device.name]
      local packed = accepted(device.name)
      if packed and Frame.fits(layout, packed) then panel.newest[i] = struct.unpack('<d', packed, 9) end
      if kept then
        panel.kept[i] = true
        if not panel.newest[i] or kept.ts >= panel.newest[i] then
          panel.newest[i] = kept.ts
          if kept.packed then Frame.take(layout, site.D[i], kept.packed) end
        end
      end
    end
    for item in pairs(site.state.items) do
      local name = string.match(item, '^@frame:(.*)$')
      if name and not site.D.index[name] then State.put(site.state, item, nil) end
    end
  end

  -- patience is from when on a stale alarm counts.
  local function patience(panel, alarm, now)
    local s = alarm.s
    if not s.good_at then
      s.good_at = now
      Machine.touch(panel, alarm)
    end
    if alarm.item.input() == nil then return end
    for device in pairs(alarm.slots) do
      local ts = panel.newest[device]
      if ts and ts > s.good_at then s.good_at = math.min(ts, math.max(now, s.good_at)) end
    end
  end

  -- orphans takes up the alarms that have no condition, and drops the state of those that the program lost.
  local function orphans(panel, now)
    local site = panel.site
    local names = {}
    for name in pairs(site.state.items) do
      if string.sub(name, 1, 1) ~= '@' and not site.by_name[name] then names[#names + 1] = name end
    end
    table.sort(names)
    for _, name in ipairs(names) do
      local s = site.state.items[name]
      if s.quick then
        local alarm = Panel.add_manual(panel, name, s.quick)
        alarm.s = s
        Verdict.window(alarm)
      else
        Events.add(site.events, 'alarm', now, { 'alarm', name, 'event', 'removed', 'by', 'site', 'annunciate', false })
        State.put(site.state, name, nil)
      end
    end
  end

  -- build makes the panel of a site. accepted(device) gives a device's newest packed frame, or nil.
  function Panel.build(site, now, accepted)
    local panel = {
      site = site, by_name = {}, groups = {}, readers = {}, newest = {}, kept = {}, touched = {}, n = 0, released = {},
      changed = 0, budget = 0, target = now, last_order = 0, manual = 0,
    }
    site.panel = panel
    local alarms = {}
    for i, item in ipairs(site.items) do
      alarms[i] = bind(panel, item, site.state.items[item.name] or {})
    end
    links(panel, alarms)
    readers(panel, alarms)
    newest(panel, accepted)
    orphans(panel, now)
    for _, alarm in ipairs(alarms) do
      local s = alarm.s
      if s.rev and s.rev ~= alarm.item.rev or s.quick then renew(panel, alarm, now) end
      follow_site(panel, alarm, now)
      s.rev = alarm.item.rev
      group(panel, alarm)
      if alarm.class == 'stale' then patience(panel, alarm, now) end
    end
    for _, alarm in ipairs(alarms) do
      Machine.suppress(panel, alarm, now, 'site')
      if alarm.s.suppressed then Machine.release(panel, alarm, 'site') end
    end
    for _, alarm in pairs(panel.by_name) do
      Verdict.window(alarm)
      Timers.set(site.timers, alarm.name, Machine.deadline(alarm))
    end
    Machine.settle(panel, now)
    panel.changed = 0
    return panel
  end
end
