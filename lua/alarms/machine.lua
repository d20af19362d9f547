-- The state machine of a process alarm (ISA-18.2; OPC UA Part 9). An alarm's state s holds only what differs from an
-- enabled, inactive, acknowledged alarm:
--
--   disabled active unacked unconfirmed latched suppressed out_of_service first_out   true
--   operator        true while an operator suppresses it, beside its parents
--   occurrence      number of its latest occurrence
--   since           since when it is active
--   raised          when it became active last
--   level           of a level alarm; while pending, the level that it would have
--   pending, due    'on' or 'off', and when that delay ends
--   left            true when a return was pending and was given up: the value had left all levels, the level is held
--   repeats, re_alarm_at, shelving ('timed', 'oneshot'), shelf_end
--   returns         when it returned within the last minute
--   bad             device → true, whose newest sample was bad for it
--   deferred        true when it was enabled under bad quality: the next known verdict is judged as if enabled then
--   last, last_ts, rate   of a rate alarm;  good_at   of a stale alarm
--   rev, site_disabled, quick   what it was made from
--
-- Everything that happens at one instant is followed by one Machine.settle.
local Machine = {}
do
  local CHATTER_WINDOW, MAX_RETURNS, CHATTERS_FROM = 60000, 600, 3
  local ORDER = function(a, b) return a.order < b.order end

  -- touch notes that an alarm's state changed.
  local function touch(panel, alarm)
    if alarm.touched then return end
    alarm.touched = true
    panel.n = panel.n + 1
    panel.touched[panel.n] = alarm
  end
  Machine.touch = touch

  -- occupy keeps the count of a first-out group's members that are active or unacknowledged. With the last one the
  -- group's mark goes.
  local function occupy(panel, alarm)
    local group = alarm.group
    if not group then return end
    local busy = (alarm.s.active or alarm.s.unacked) == true
    if busy == alarm.busy then return end
    alarm.busy = busy
    group.busy = group.busy + (busy and 1 or -1)
    if group.busy == 0 and group.holder then
      group.holder.s.first_out = nil
      touch(panel, group.holder)
      group.holder = nil
    end
  end
  Machine.occupy = occupy

  -- reasons tells whether something suppresses the alarm: an operator, or a parent that is enabled and active.
  local function reasons(alarm)
    if alarm.s.operator then return true end
    for _, parent in ipairs(alarm.parents) do
      if parent.s.active and not parent.s.disabled then return true end
    end
    return false
  end

  -- suppress sets the suppressed bit at once if there is a reason; release clears it at the end of the instant if none is
  -- left then.
  local function suppress(panel, alarm, t, by, comment)
    if alarm.s.suppressed or not reasons(alarm) then return end
    alarm.s.suppressed = true
    touch(panel, alarm)
    Journal.add(panel, alarm, 'suppress', t, by, comment)
  end
  Machine.suppress = suppress

  local function release(panel, alarm, by, comment)
    if alarm.releasing then return end
    alarm.releasing = { by = by, comment = comment }
    panel.released[#panel.released + 1] = alarm
  end
  Machine.release = release

  local function suppress_children(panel, alarm, t)
    for _, child in ipairs(alarm.children) do suppress(panel, child, t, 'alarm.' .. alarm.name) end
  end
  Machine.suppress_children = suppress_children

  local function release_children(panel, alarm)
    for _, child in ipairs(alarm.children) do release(panel, child, 'alarm.' .. alarm.name) end
  end
  Machine.release_children = release_children

  local function set_pending(panel, alarm, way, due)
    alarm.s.pending, alarm.s.due = way, due
    touch(panel, alarm)
  end

  -- give_up takes back what is pending, without a new value.
  function Machine.give_up(panel, alarm)
    local s = alarm.s
    if s.pending == 'off' and alarm.class == 'level' then s.left = true end
    if not s.active then s.level = nil end
    set_pending(panel, alarm, nil, nil)
  end

  -- repeat_from begins the re-alarm interval of an active alarm at t.
  local function repeat_from(alarm, t)
    local every = alarm.item.re_alarm_ms or 0
    alarm.s.re_alarm_at = every > 0 and t + every or nil
  end
  Machine.repeat_from = repeat_from

  -- activate begins a new occurrence.
  function Machine.activate(panel, alarm, t, level)
    local s, group = alarm.s, alarm.group
    if group and group.busy == 0 then
      s.first_out = true
      group.holder = alarm
    end
    s.pending, s.due = nil, nil
    s.active, s.unacked, s.since, s.raised, s.level = true, true, t, t, level
    if alarm.item.latching then s.latched = true end
    s.occurrence, s.repeats = (s.occurrence or 0) + 1, nil
    repeat_from(alarm, t)
    touch(panel, alarm)
    occupy(panel, alarm)
    Journal.annunciate(panel, alarm, t, Journal.add(panel, alarm, 'activate', t))
    suppress_children(panel, alarm, t)
  end

  -- onoff is how often the alarm returned within the minute before t, and whether that is chattering.
  function Machine.onoff(s, t)
    local count = 0
    for _, at in ipairs(s.returns or {}) do
      if at > t - CHATTER_WINDOW and at <= t then count = count + 1 end
    end
    return count, count >= CHATTERS_FROM
  end

  local function count_return(s, t)
    local kept = {}
    local old = s.returns or {}
    for i = math.max(1, #old - MAX_RETURNS + 2), #old do
      if old[i] > t - CHATTER_WINDOW then kept[#kept + 1] = old[i] end
    end
    kept[#kept + 1] = t
    s.returns = kept
  end

  -- unshelve ends a shelf, by hand or by time.
  function Machine.unshelve(panel, alarm, t, by, comment)
    alarm.s.shelving, alarm.s.shelf_end = nil, nil
    touch(panel, alarm)
    Journal.resound(panel, alarm, t, Journal.add(panel, alarm, 'unshelve', t, by, comment))
  end

  -- deactivate is the return to normal.
  function Machine.deactivate(panel, alarm, t)
    local s = alarm.s
    s.pending, s.due, s.active, s.since, s.level, s.left, s.repeats, s.re_alarm_at = nil, nil, nil, nil, nil, nil, nil, nil
    count_return(s, t)
    touch(panel, alarm)
    occupy(panel, alarm)
    Journal.add(panel, alarm, 'return', t)
    if s.shelving == 'oneshot' then Machine.unshelve(panel, alarm, t) end
    release_children(panel, alarm)
  end

  local function change_level(panel, alarm, t, level)
    local s = alarm.s
    if s.left then
      s.left = nil
      touch(panel, alarm)
    end
    if level == s.level then return end
    local higher = Verdict.higher(level, s.level)
    s.level = level
    if higher then s.unacked = true end
    touch(panel, alarm)
    occupy(panel, alarm)
    local entry = Journal.add(panel, alarm, 'level', t)
    if higher then Journal.annunciate(panel, alarm, t, entry) end
  end

  -- begin and finish start an activation and a return, after their delays if they have some.
  local function begin(panel, alarm, t, level)
    local delay = alarm.item.on_delay_ms or 0
    if delay <= 0 then return Machine.activate(panel, alarm, t, level) end
    alarm.s.level = level
    set_pending(panel, alarm, 'on', t + delay)
  end

  local function finish(panel, alarm, t)
    local delay = alarm.item.off_delay_ms or 0
    if delay <= 0 then return Machine.deactivate(panel, alarm, t) end
    set_pending(panel, alarm, 'off', t + delay)
  end

  -- verdict takes a yes or no at t.
  function Machine.verdict(panel, alarm, t, violating)
    local s = alarm.s
    if s.active then
      if violating then
        if s.pending then set_pending(panel, alarm, nil, nil) end
      elseif not s.pending then
        finish(panel, alarm, t)
      end
    elseif violating then
      if not s.pending then begin(panel, alarm, t, nil) end
    elseif s.pending then
      s.level = nil
      set_pending(panel, alarm, nil, nil)
    end
  end

  -- leveled takes a value of a level alarm at t.
  function Machine.leveled(panel, alarm, t, v)
    local s, item = alarm.s, alarm.item
    if s.active and s.pending then
      local level = Verdict.level(item, nil, v)
      if level then
        set_pending(panel, alarm, nil, nil)
        change_level(panel, alarm, t, level)
      end
      return
    end
    local level = Verdict.level(item, s.level, v)
    if s.active then
      if not level then return finish(panel, alarm, t) end
      if s.left then level = Verdict.level(item, nil, v) end
      if level then change_level(panel, alarm, t, level) end
      return
    end
    if not s.pending then
      if level then begin(panel, alarm, t, level) end
    elseif level ~= s.level then
      s.level = level
      if level then touch(panel, alarm) else set_pending(panel, alarm, nil, nil) end
    end
  end

  -- judge takes what the alarm reads now: a number, or true or false.
  function Machine.judge(panel, alarm, t, v)
    local class = alarm.class
    if class == 'level' and type(v) == 'number' then
      return Machine.leveled(panel, alarm, t, v)
    end
    if class == 'level' and v and not alarm.s.active and not alarm.s.pending then
      return begin(panel, alarm, t, Verdict.lowest(alarm.item))
    end
    if type(v) == 'number' then v = Verdict.crossing(alarm, v) end
    if v ~= nil then Machine.verdict(panel, alarm, t, v) end
  end

  -- current is what the alarm reads now; an unknown is replaced as the alarm's policy says.
  local function current(alarm)
    local v = alarm.read()
    if v == nil then
      local policy = alarm.item.unknown
      if policy == 'true' then return true end
      if policy == 'false' then return false end
    end
    return v
  end

  -- resume judges the current value of an alarm that was enabled, as if it had been sampled at t. entry is the entry that
  -- says so, if any. While the value is unknown the state is held.
  function Machine.resume(panel, alarm, t, entry)
    local s = alarm.s
    if alarm.class == 'manual' then
      if s.active then
        repeat_from(alarm, t)
        Journal.resound(panel, alarm, t, entry)
      end
      return
    end
    local v
    if alarm.class == 'stale' then
      v = t >= s.good_at + alarm.item.timeout_ms
    else
      v = current(alarm)
    end
    s.deferred = v == nil or nil
    touch(panel, alarm)
    if v == nil then return end
    if not s.active then return Machine.judge(panel, alarm, t, v) end
    local unacked, level = s.unacked, s.level
    repeat_from(alarm, t)
    Machine.judge(panel, alarm, t, v)
    local escalated = s.active and s.level ~= level and Verdict.higher(s.level, level)
    if s.active and not s.pending and unacked and not escalated then Journal.annunciate(panel, alarm, t, entry) end
  end

  -- note_quality keeps whether the newest sample of a device was bad for the alarm, and journals when it turns bad.
  local function note_quality(panel, alarm, device, t, bad)
    local s = alarm.s
    local was = s.bad ~= nil and s.bad[device] == true
    if bad == was then return end
    s.bad = s.bad or {}
    s.bad[device] = bad or nil
    if next(s.bad) == nil then s.bad = nil end
    touch(panel, alarm)
    if bad and not s.disabled then Journal.add(panel, alarm, 'bad_quality', t) end
  end

  local function note_rate(panel, alarm, ts)
    local s, v = alarm.s, alarm.item.input()
    if v == nil or s.last_ts and ts <= s.last_ts then return end
    if s.last_ts then s.rate = (v - s.last) / (ts - s.last_ts) * 1000 end
    s.last, s.last_ts = v, ts
    touch(panel, alarm)
  end

  -- note_good keeps when a stale alarm's last good sample was. The newest frame says that too, so it is saved only now and
  -- then, for a server that lost its frames.
  local function note_good(panel, alarm, at)
    local s = alarm.s
    s.good_at = at
    if at - (alarm.saved_at or 0) < alarm.item.timeout_ms / 8 then return end
    alarm.saved_at = at
    touch(panel, alarm)
  end

  -- sample takes an accepted frame of a device at t, with source time ts; bad tells whether it is bad for this alarm.
  function Machine.sample(panel, alarm, device, t, ts, bad)
    local s = alarm.s
    note_quality(panel, alarm, device, t, bad)
    if alarm.class == 'stale' then
      if bad then return end
      note_good(panel, alarm, math.min(ts, t))
      if not s.disabled then
        s.deferred = nil
        Machine.verdict(panel, alarm, t, false)
      end
      return
    end
    if alarm.item.kind == 'rate' and not bad then note_rate(panel, alarm, ts) end
    if s.disabled then return end
    local v = current(alarm)
    if v == nil then
      if bad and s.pending == 'off' then Machine.give_up(panel, alarm) end
      return
    end
    if s.deferred then return Machine.resume(panel, alarm, t) end
    Machine.judge(panel, alarm, t, v)
  end

  -- stale_at is when a stale alarm runs out of patience; nil for other kinds, and when that has happened.
  local function stale_at(alarm)
    local s = alarm.s
    if alarm.class ~= 'stale' or s.disabled then return nil end
    if s.pending == 'off' or not s.active and not s.pending then return s.good_at + alarm.item.timeout_ms end
    return nil
  end

  -- deadline is when the alarm wants to be looked at next, or nil.
  function Machine.deadline(alarm)
    local s = alarm.s
    local at = s.due
    local other = s.re_alarm_at
    if other and (not at or other < at) then at = other end
    other = s.shelf_end
    if other and (not at or other < at) then at = other end
    other = stale_at(alarm)
    if other and (not at or other < at) then at = other end
    return at
  end

  -- re_alarm asks again. What was missed happens each at its time, as long as the call's budget lasts; then the intervals
  -- up to the last one are only counted.
  local function re_alarm(panel, alarm, t)
    local s, every = alarm.s, alarm.item.re_alarm_ms
    touch(panel, alarm)
    local missed = math.floor((panel.target - s.re_alarm_at) / every)
    if panel.budget <= 0 and missed > 0 then
      s.repeats, s.re_alarm_at = (s.repeats or 0) + missed, s.re_alarm_at + missed * every
      return
    end
    panel.budget = panel.budget - 1
    s.unacked, s.repeats, s.re_alarm_at = true, (s.repeats or 0) + 1, s.re_alarm_at + every
    occupy(panel, alarm)
    Journal.annunciate(panel, alarm, t, Journal.add(panel, alarm, 're_alarm', t))
  end

  -- fire does what is due for the alarm at t.
  function Machine.fire(panel, alarm, t)
    local s = alarm.s
    if s.due and s.due <= t then
      if s.pending == 'on' then Machine.activate(panel, alarm, t, s.level) else Machine.deactivate(panel, alarm, t) end
    end
    if s.re_alarm_at and s.re_alarm_at <= t then re_alarm(panel, alarm, t) end
    if s.shelf_end and s.shelf_end <= t then Machine.unshelve(panel, alarm, t) end
    local at = stale_at(alarm)
    if at and at <= t then Machine.verdict(panel, alarm, t, true) end
  end

  local function release_all(panel, t)
    local released = panel.released
    panel.released = {}
    table.sort(released, ORDER)
    for _, alarm in ipairs(released) do
      local why = alarm.releasing
      alarm.releasing = nil
      if alarm.s.suppressed and not reasons(alarm) then
        alarm.s.suppressed = nil
        touch(panel, alarm)
        Journal.resound(panel, alarm, t, Journal.add(panel, alarm, 'unsuppress', t, why.by, why.comment))
      end
    end
  end

  -- spent tells whether nothing is left to say about an alarm that has no condition: then it is forgotten.
  local function spent(s)
    return not (s.active or s.unacked or s.unconfirmed or s.latched or Journal.silenced(s))
  end

  -- settle ends an instant: suppressed children are released, and what changed gets its window, deadline and mark.
  function Machine.settle(panel, t)
    if panel.released[1] then release_all(panel, t) end
    local site, touched = panel.site, panel.touched
    for i = 1, panel.n do
      local alarm = touched[i]
      alarm.touched = false
      Verdict.window(alarm)
      if alarm.class == 'manual' and spent(alarm.s) then
        panel.by_name[alarm.name], panel.manual = nil, panel.manual - 1
        Timers.set(site.timers, alarm.name, nil)
        State.put(site.state, alarm.name, nil)
      else
        Timers.set(site.timers, alarm.name, Machine.deadline(alarm))
        State.put(site.state, alarm.name, alarm.s)
      end
    end
    panel.changed = panel.changed + panel.n
    panel.n = 0
  end

  -- sort puts alarms into the order in which they go at one instant: parents first.
  function Machine.sort(alarms) table.sort(alarms, ORDER) end
end
