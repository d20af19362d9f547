-- What people do to alarms. A command is refused with a code before it changes anything.
local Commands = {}
do
  local HOURS_8 = 28800000

  local handlers = {}

  local function refuse_disabled(alarm)
    if alarm.s.disabled then return 'disabled', 'the alarm is disabled: enable it first' end
  end

  -- refuse_occurrence checks that a named occurrence is the latest one.
  local function refuse_occurrence(alarm, options)
    if options.occurrence == nil then return nil end
    local latest = alarm.s.occurrence or 0
    if latest == 0 or options.occurrence ~= latest then
      return 'unknown_occurrence', string.format('the latest occurrence is %d, not %s', latest, tostring(options.occurrence))
    end
  end

  function handlers.ack(panel, alarm, t, by, comment, options)
    local s = alarm.s
    local code, text = refuse_disabled(alarm)
    if not code then code, text = refuse_occurrence(alarm, options) end
    if code then return code, text end
    if not s.unacked then return 'already_acked', 'there is nothing left to acknowledge' end
    s.unacked = nil
    if alarm.item.confirm then s.unconfirmed = true end
    Machine.touch(panel, alarm)
    Machine.occupy(panel, alarm)
    Journal.add(panel, alarm, 'ack', t, by, comment)
  end

  function handlers.confirm(panel, alarm, t, by, comment, options)
    local s = alarm.s
    local code, text = refuse_disabled(alarm)
    if not code then code, text = refuse_occurrence(alarm, options) end
    if code then return code, text end
    if s.unacked then return 'not_acked', 'the alarm has to be acknowledged first' end
    if not s.unconfirmed then return 'already_confirmed', 'there is nothing left to confirm' end
    s.unconfirmed = nil
    Machine.touch(panel, alarm)
    Journal.add(panel, alarm, 'confirm', t, by, comment)
  end

  function handlers.reset(panel, alarm, t, by, comment)
    local s = alarm.s
    local code, text = refuse_disabled(alarm)
    if code then return code, text end
    if not s.latched or s.active or s.unacked or s.unconfirmed then
      return 'invalid_state', 'only a latched alarm that is inactive, acknowledged and confirmed can be reset'
    end
    s.latched = nil
    Machine.touch(panel, alarm)
    Journal.add(panel, alarm, 'reset', t, by, comment)
  end

  function handlers.shelve(panel, alarm, t, by, comment, options)
    local s, longest = alarm.s, alarm.item.max_shelve_ms or HOURS_8
    local code, text = refuse_disabled(alarm)
    if code then return code, text end
    local mode, duration = options.mode or 'timed', longest
    if mode ~= 'timed' and mode ~= 'oneshot' then return 'BADARG', 'the mode is timed or oneshot, not ' .. mode end
    if mode == 'timed' then
      duration = options.duration
      if not duration or duration <= 0 or duration > longest then
        return 'bad_shelving_time', string.format('a shelf lasts more than 0 and at most %.0f ms', longest)
      end
    end
    if s.shelving == mode then return 'already_shelved', 'the alarm is shelved like this already' end
    s.shelving, s.shelf_end = mode, t + duration
    Machine.touch(panel, alarm)
    Journal.add(panel, alarm, 'shelve', t, by, comment)
  end

  function handlers.unshelve(panel, alarm, t, by, comment)
    local code, text = refuse_disabled(alarm)
    if code then return code, text end
    if not alarm.s.shelving then return 'not_shelved', 'the alarm is not shelved' end
    Machine.unshelve(panel, alarm, t, by, comment)
  end

  function handlers.suppress(panel, alarm, t, by, comment)
    if alarm.s.operator then return end
    alarm.s.operator = true
    Machine.touch(panel, alarm)
    Machine.suppress(panel, alarm, t, by, comment)
  end

  function handlers.unsuppress(panel, alarm, _, by, comment)
    if not alarm.s.operator then return end
    alarm.s.operator = nil
    Machine.touch(panel, alarm)
    Machine.release(panel, alarm, by, comment)
  end

  function handlers.out_of_service(panel, alarm, t, by, comment)
    if alarm.s.out_of_service then return end
    alarm.s.out_of_service = true
    Machine.touch(panel, alarm)
    Journal.add(panel, alarm, 'out_of_service', t, by, comment)
  end

  function handlers.in_service(panel, alarm, t, by, comment)
    if not alarm.s.out_of_service then return end
    alarm.s.out_of_service = nil
    Machine.touch(panel, alarm)
    Journal.resound(panel, alarm, t, Journal.add(panel, alarm, 'in_service', t, by, comment))
  end

  function handlers.disable(panel, alarm, t, by, comment)
    local s = alarm.s
    if s.disabled then return end
    s.disabled, s.deferred, s.re_alarm_at = true, nil, nil
    Machine.give_up(panel, alarm)
    Journal.add(panel, alarm, 'disable', t, by, comment)
    Machine.release_children(panel, alarm)
  end

  function handlers.enable(panel, alarm, t, by, comment)
    local s = alarm.s
    if not s.disabled then return end
    s.disabled = nil
    Machine.touch(panel, alarm)
    local entry = Journal.add(panel, alarm, 'enable', t, by, comment)
    Machine.suppress_children(panel, alarm, t)
    Machine.resume(panel, alarm, t, entry)
  end

  -- known tells whether there is such a command.
  function Commands.known(command) return handlers[command] ~= nil end

  -- apply does a command at t. It gives nothing, or the code and text of a refusal.
  function Commands.apply(panel, alarm, command, t, by, comment, options)
    local code, text = handlers[command](panel, alarm, t, by, comment, options)
    Machine.settle(panel, t)
    return code, text
  end

  -- raise activates or clears an alarm without a condition. An alarm that stands already only gets its new text.
  function Commands.raise(panel, alarm, t, active, quick)
    local s = alarm.s
    if not active and s.quick then
      -- What is cleared keeps what it was raised with.
      quick = { priority = s.quick.priority, message = s.quick.message, by = quick.by }
    end
    s.quick = quick
    alarm.item.priority, alarm.item.message = quick.priority, quick.message
    Machine.touch(panel, alarm)
    if active and not s.active then
      Machine.activate(panel, alarm, t)
    elseif not active and s.active then
      Machine.deactivate(panel, alarm, t)
    end
    Machine.settle(panel, t)
  end
end
