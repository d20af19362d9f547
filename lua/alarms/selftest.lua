-- A check of the library in memory: no keys, no clock, one alarm and its parent through their lives.
local SelfTest = {}
do
  local function pack(id, ts, value)
    return struct.pack('<BBHI4dd', 1, value and 3 or 2, 1, id, ts, value or 0) .. string.char(value and 0 or 2, 1)
  end

  local function site()
    local D = { index = { a = 1, b = 2 }, { known = false }, { known = false } }
    local devices = { { name = 'a', n = 1, id = 1 }, { name = 'b', n = 1, id = 2 } }
    local items = {
      { name = 'child', rev = '1', kind = 'high', limit = 10, deadband = 2, on_delay_ms = 1000, re_alarm_ms = 60000,
        latching = true, confirm = true, suppressed_by = { 'parent' }, dev = { 1 }, inputs = { { 'a.x', 1, 1 } },
        input = function() return D[1][1] end },
      { name = 'parent', rev = '1', kind = 'discrete', normal_state = 1, dev = { 2 }, inputs = { { 'b.x', 2, 1 } },
        input = function() return D[2][1] end },
    }
    local by_name, rank = {}, {}
    for i, item in ipairs(items) do by_name[item.name], rank[item.name] = item, i end
    return {
      keys = {}, D = D, head = { devices = devices }, layouts = { Frame.layout(devices[1]), Frame.layout(devices[2]) },
      items = items, by_name = by_name, clock = 0, events = Events.new(''),
      state = { items = {}, marked = {}, order = {}, clock = 0 },
      timers = { heap = {}, live = {}, saved = {}, changed = {}, seq = 0, rank = function(item) return rank[item] end },
    }
  end

  -- bits is the state in short: the letters of what is set.
  local function bits(s)
    return (s.active and 'A' or '') .. (s.unacked and 'u' or '') .. (s.unconfirmed and 'c' or '') .. (s.latched and 'L' or '')
      .. (s.suppressed and 'D' or '') .. (s.shelving and 'S' or '') .. (s.bad and 'b' or '')
  end

  -- run gives nothing, or what was wrong.
  function SelfTest.run()
    local panel = Panel.build(site(), 0, function() return nil end)
    local child = panel.by_name.child
    local function frame(device, t, value)
      Frames.begin(panel)
      Frames.take(panel, device, Frames.advance(panel, t), pack(device, t, value))
    end
    local function command(name, t, options)
      return function() return Commands.apply(panel, child, name, Frames.advance(panel, t), 'selftest', '', options or {}) end
    end
    local steps = {
      { function() frame(1, 1, 11) end, '', 'a pending alarm is not active' },
      { function() frame(2, 1001, 1) end, 'AuL', 'a delay that is over raises the alarm' },
      { function() frame(1, 1500, 9) end, 'AuL', 'the deadband holds the alarm' },
      { function() frame(2, 2000, 0) end, 'AuLD', 'a parent suppresses its child' },
      { function() frame(2, 3000, 1) end, 'AuL', 'a parent that returned releases its child' },
      { command('ack', 4000), 'AcL', 'acknowledging asks for confirmation' },
      { function() frame(1, 5000, nil) end, 'AcLb', 'bad quality holds the alarm' },
      { function() frame(1, 6000, 5) end, 'cL', 'a normal value clears the alarm' },
      { command('confirm', 7000), 'L', 'confirming confirms' },
      { command('reset', 8000), '', 'reset unlatches' },
    }
    for i, step in ipairs(steps) do
      step[1]()
      local got = bits(child.s)
      if got ~= step[2] then return string.format('step %d, %s: the state is %q, expected %q', i, step[3], got, step[2]) end
    end
    if Commands.apply(panel, child, 'ack', 9000, '', '', {}) ~= 'already_acked' then return 'a second acknowledgement was not refused' end
    return nil
  end
end
