-- Events: collected during a call, appended to the stream at its end.
local Events = {}
do
  local MAXLEN = 10000

  -- text makes a field's text of a value: numbers exactly, true and false as 1 and 0, nil as the empty text.
  local function text(value)
    local kind = type(value)
    if kind == 'string' then return value end
    if kind == 'number' then return string.format('%.17g', value) end
    if kind == 'boolean' then return value and '1' or '0' end
    if value == nil then return '' end
    return tostring(value)
  end
  Events.text = text

  function Events.new(key) return { key = key, n = 0 } end

  -- add appends an event of a kind at t. fields is a list of field, value, field, value …; n its length, needed when a
  -- value may be nil at its end.
  function Events.add(events, kind, t, fields, n)
    local out = { 'kind', kind, 't', text(t) }
    for i = 1, n or #fields do out[4 + i] = text(fields[i]) end
    events.n = events.n + 1
    events[events.n] = out
  end

  function Events.flush(events)
    for i = 1, events.n do
      redis.call('XADD', events.key, 'MAXLEN', '~', MAXLEN, '*', unpack(events[i]))
      events[i] = nil
    end
    events.n = 0
  end
end
