-- The alarms' entries in the event stream, and annunciation.
local Journal = {}
do
  -- silenced tells whether an alarm in state s may not demand attention.
  function Journal.silenced(s)
    return s.disabled or s.shelving or s.suppressed or s.out_of_service
  end

  -- retained tells whether an alarm in state s still concerns somebody.
  function Journal.retained(s)
    return not s.disabled and (s.active or s.unacked or s.unconfirmed or s.latched) and true or false
  end

  -- add appends an entry with the state as it is now, and returns it for annunciate.
  function Journal.add(panel, alarm, event, t, by, comment)
    local s, item = alarm.s, alarm.item
    local value = alarm.read and alarm.read()
    local events = panel.site.events
    Events.add(events, 'alarm', t, {
      'alarm', alarm.name, 'event', event, 'by', by or '', 'comment', comment or '',
      'value', type(value) == 'number' and value or '', 'quality', s.bad and 'bad' or 'good', 'text', item.message or '', 'unit', item.unit or '',
      'enabled', not s.disabled, 'active', s.active == true, 'acked', not s.unacked, 'confirmed', not s.unconfirmed,
      'latched', s.latched == true, 'suppressed', s.suppressed == true, 'out_of_service', s.out_of_service == true,
      'shelving', s.shelving or 'unshelved', 'shelf_end', s.shelf_end or '', 'level', s.active and s.level or '', 'occurrence', s.occurrence or 0,
      'priority', item.priority or '', 'since', s.since or '', 'repeat', s.repeats or 0,
      'first_out', s.first_out == true, 'annunciate', false,
    })
    return events[events.n]
  end

  -- annunciate demands attention by the entry that says why, or by one of its own; not when the alarm is silenced.
  function Journal.annunciate(panel, alarm, t, entry)
    if Journal.silenced(alarm.s) then return end
    entry = entry or Journal.add(panel, alarm, 'annunciate', t)
    entry[#entry] = '1'
    local record = panel.site.state.items['@metrics']
    if not record then
      record = {}
      panel.site.state.items['@metrics'] = record
    end
    Metrics.add(record, t)
    State.mark(panel.site.state, '@metrics')
  end

  -- resound annunciates what stands unacknowledged, when a silence ended.
  function Journal.resound(panel, alarm, t, entry)
    if alarm.s.active and alarm.s.unacked then Journal.annunciate(panel, alarm, t, entry) end
  end
end
