-- rules_selftest: a check of the library before it goes live: a program of two rules on frames of a scratch site.
--   KEYS  the seven keys of a scratch site, which it empties
--   Reply OK
--   Errors SELFTEST what differed
do
  local program = [[
local d1 = D[1]
return {
  { head = true, schema = 1, rev = 'test', devices = { {name = 'meter', n = 2, id = 7, used = {1, 2}} } },
  { name = 'shave', rev = 'a', dev = {1}, fast = function() return d1[1] > 80 end,
    when = function() return H.gt(d1[1], 80) end, on = 'while', initial = 'arm', unknown = 'hold', for_ms = 2000,
    priority = 50, inputs = { {'meter.power', 1, 1} },
    set = { { output = 'battery.setpoint', value = function() return H.sub(d1[1], 80) end, ttl_ms = 30000 } } },
  { name = 'low', rev = 'b', dev = {1}, when = function() return H.lt(H.div(d1[1], d1[2]), 1) end,
    on = 'rising', initial = 'arm', unknown = 'hold', priority = 1, inputs = {}, set = {} },
}]]

  local function pack(power, limit, quality)
    return struct.pack('<BBHI4d', 1, quality == 0 and 1 or 0, 2, 7, 0) .. struct.pack('<dd', power, limit) .. string.char(quality, quality, 3)
  end

  local function expect(what, got, want)
    if got ~= want then
      Library.fail('SELFTEST', string.format('%s: got %q, expected %q', what, tostring(got), tostring(want)))
    end
  end

  -- run feeds frames; each is t, power, limit, quality, and the deadline that must come back.
  local function run(keys)
    local frames = {
      { 1000, 70, 1, 0, '' },
      { 2000, 90, 1, 0, '4000' },
      { 3000, 95, 0, 0, '4000' },
      { 4500, 95, 1, 2, '' },
      { 5000, 96, 1, 0, '' },
      { 6000, 60, 100, 0, '' },
    }
    for i, f in ipairs(frames) do
      local at = string.format('%.0f', f[1])
      local reply = Library.functions.rules_batch_execute(keys, { at, 'meter', at, pack(f[2], f[3], f[4]) })
      expect('deadline after frame ' .. i, reply[1], f[5])
    end
    local seen = {}
    for i, entry in ipairs(redis.call('XRANGE', keys[7], '-', '+')) do
      local fields = {}
      for k = 1, #entry[2], 2 do fields[entry[2][k]] = entry[2][k + 1] end
      seen[i] = (fields.kind == 'rule' and fields.rule .. ' ' .. fields.event or 'request ' .. fields.value) .. ' at ' .. fields.t
    end
    expect('what happened', table.concat(seen, '; '),
      'shave fired at 4000; request 15 at 4000; request 16 at 5000; shave ended at 6000; low fired at 6000; request  at 6000')
    expect('requests left', redis.call('HLEN', keys[6]), 0)
    expect('timers left', redis.call('ZCARD', keys[4]), 0)
    -- What was kept must do for a library that starts anew.
    Site.forget(keys)
    local verdict = Library.functions.rule_evaluate_conditions(keys, { '7000', 'shave' })
    expect('verdict without frames', verdict[1], 'unknown')
    expect('state that was kept', verdict[2], 'false')
  end

  local function clean(keys)
    for _, key in ipairs(keys) do redis.call('DEL', key) end
    Site.forget(keys)
  end

  function Library.functions.rules_selftest(keys)
    if #keys < 7 then Library.fail('BADKEYS', 'needs the seven keys of a scratch site') end
    clean(keys)
    redis.call('HSET', keys[2], 'rev', 'test', 'n', '1', '1', program)
    local ok, problem = pcall(run, keys)
    clean(keys)
    if not ok then error(problem) end
    return 'OK'
  end
end
