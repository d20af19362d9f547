-- The functions of the library. KEYS are always the site's seven: epoch program state timers frames requests events.
do
  local MAX_NAME, MAX_TEXT, MAX_MANUAL = 200, 1000, 10000

  local PRIORITIES = { low = true, medium = true, high = true, critical = true }

  -- open gives the panel of the site of the keys; now is for what a new program or a new site begins with.
  local function open(keys, now)
    local site = Site.open(keys, function(site)
      Panel.build(site, now, function(device) return redis.call('HGET', keys[5], device) end)
    end)
    return site.panel
  end

  local function text(value, longest) return string.sub(value or '', 1, longest) end

  local function find(panel, name)
    local alarm = panel.by_name[name]
    if alarm then return alarm end
    local hint = Suggest.name(name, panel.by_name)
    return nil, redis.error_reply(string.format('unknown_alarm there is no alarm %s%s', name, hint and ': did you mean ' .. hint .. '?' or ''))
  end

  -- alarm_check_conditions: now, then device, t, packed frame of each frame. Reply: next deadline, evaluated, changed.
  function Library.functions.alarm_check_conditions(keys, args)
    local now = Library.number(args[1], 'the clock')
    local panel = open(keys, tonumber(args[3]) or now)
    local evaluated = Frames.run(panel, args)
    Site.close(panel.site)
    return Site.reply(panel.site, evaluated, panel.changed)
  end

  -- options reads the pairs behind a command.
  local function options(args)
    local out = {}
    for k = 6, #args, 2 do
      local key, value = args[k], args[k + 1]
      if key == 'mode' then
        out.mode = value
      elseif key == 'occurrence' or key == 'duration' then
        out[key] = Library.number(value, key)
      else
        Library.fail('BADARG', 'the options are occurrence, mode and duration, not ' .. tostring(key))
      end
    end
    return out
  end

  -- alarm_update_state: now, name, command, by, comment, then pairs of option and value (occurrence; mode and duration in
  -- ms of shelve). Reply: the state as JSON. Errors: unknown_alarm, disabled, unknown_occurrence, already_acked,
  -- not_acked, already_confirmed, invalid_state, bad_shelving_time, already_shelved, not_shelved; BADARG.
  function Library.functions.alarm_update_state(keys, args)
    local now = Library.number(args[1], 'the clock')
    local name, command = args[2] or '', args[3] or ''
    if not Commands.known(command) then
      Library.fail('BADARG', 'there is no command ' .. command
        .. ': use ack, confirm, reset, shelve, unshelve, suppress, unsuppress, out_of_service, in_service, disable or enable')
    end
    local given = options(args)
    local panel = open(keys, now)
    Frames.begin(panel)
    local t = Frames.advance(panel, now)
    local alarm, reply = find(panel, name)
    if alarm then
      local code, why = Commands.apply(panel, alarm, command, t, text(args[4], MAX_NAME), text(args[5], MAX_TEXT), given)
      if code then
        reply = redis.error_reply(string.format('%s alarm %s: %s', code, name, why))
      else
        reply = Listing.one(alarm, t)
      end
    end
    Site.close(panel.site)
    return reply
  end

  -- raised finds the alarm without a condition of that name, or makes it.
  local function raised(panel, name, quick)
    local alarm = panel.by_name[name]
    if not alarm then
      if panel.manual >= MAX_MANUAL then
        return nil, 'too_many there are ' .. panel.manual .. ' alarms without a condition already: acknowledge some'
      end
      return Panel.add_manual(panel, name, quick)
    end
    if alarm.class ~= 'manual' then return nil, 'has_condition alarm ' .. name .. ' has a condition: it raises and clears itself' end
    if alarm.s.disabled then return nil, 'disabled alarm ' .. name .. ' is disabled: enable it first' end
    return alarm
  end

  -- alarm_quick_create: now, name, priority, message, active (1 or 0), by. Raises or clears an alarm that has no condition;
  -- it is forgotten when it is clear and acknowledged. Reply: the state as JSON. Errors: has_condition, disabled, too_many;
  -- BADARG.
  function Library.functions.alarm_quick_create(keys, args)
    local now = Library.number(args[1], 'the clock')
    local name, priority, active = args[2] or '', args[3] or '', args[5]
    if #name > MAX_NAME or not string.match(name, '^[%w_][%w_%.%-%[%]"]*$') then
      Library.fail('BADARG', 'a name is made of letters, digits, _ . - and [ ], and has at most ' .. MAX_NAME .. ' bytes')
    end
    if not PRIORITIES[priority] then Library.fail('BADARG', 'the priority is low, medium, high or critical, not ' .. priority) end
    if active ~= '1' and active ~= '0' then Library.fail('BADARG', 'active is 1 or 0') end
    local panel = open(keys, now)
    Frames.begin(panel)
    local t = Frames.advance(panel, now)
    local quick = { priority = priority, message = text(args[4], MAX_TEXT), by = text(args[6], MAX_NAME) }
    local alarm, refusal = raised(panel, name, quick)
    if alarm then Commands.raise(panel, alarm, t, active == '1', quick) end
    Site.close(panel.site)
    if not alarm then return redis.error_reply(refusal) end
    return Listing.one(alarm, t)
  end

  -- look runs a function that only reads on the panel at the clock of its first argument. What a new program brings about
  -- stays in memory until the next call that writes.
  local function look(keys, args, callback)
    local now = Library.number(args[1], 'the clock')
    local panel = open(keys, now)
    local reply = callback(panel, now)
    Site.leave(panel.site)
    return reply
  end

  -- alarm_list: now, and all or retained (the default). Reply: a JSON array, by name.
  function Library.functions.alarm_list(keys, args)
    local which = args[2] or 'retained'
    if which ~= 'all' and which ~= 'retained' then Library.fail('BADARG', 'lists all or retained alarms, not ' .. which) end
    return look(keys, args, function(panel, now) return Listing.all(panel, now, which == 'all') end)
  end

  -- alarm_metrics: now. Reply: a JSON object: flood, annunciations_10min, and how many alarms are in which state.
  function Library.functions.alarm_metrics(keys, args)
    return look(keys, args, Listing.metrics)
  end

  -- alarms_selftest: no keys, no arguments. Runs an alarm through its life in memory. Reply: ok, or an error.
  function Library.functions.alarms_selftest()
    local problem = SelfTest.run()
    if problem then return redis.error_reply('SELFTEST ' .. problem) end
    return redis.status_reply('OK')
  end

  -- alarms_version: no keys, no arguments. Reply: version, hash, schema.
  function Library.functions.alarms_version() return Library.identity() end
end
