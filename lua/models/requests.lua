-- Requests for outputs: the live ones are a hash, which the agent reads when it starts, and each is an event, which the
-- agent acts on.
local Requests = {}
do
  local MAX_OWNER, MAX_WHY, MAX_ID = 200, 1000, 100
  -- SWEEP_EVERY ms, SWEEP_COUNT requests or so are looked at, and those whose time is over are removed.
  local SWEEP_EVERY, SWEEP_COUNT = 1000, 100

  local function field(output, owner) return output .. '\0' .. owner end

  local function target(catalog, name)
    local entry = catalog.writable[name]
    if entry then return entry end
    if catalog.readable[name] then Library.fail('not_writable', name .. ' can be read, not set') end
    local hint = Suggest.name(name, catalog.writable)
    Library.fail('unknown_name', string.format('there is no output %s%s', name, hint and ': did you mean ' .. hint .. '?' or ''))
  end

  -- value_for checks a value for an output and gives it in the output's unit.
  local function value_for(entry, name, text)
    local given = tonumber(text)
    if not given or given - given ~= 0 then
      Library.fail('bad_value', string.format('%s takes a number, not %q', name, text))
    end
    local value = given * entry.factor
    if value - value ~= 0 or entry.min and value < entry.min or entry.max and value > entry.max then
      local low, high = (entry.min or -math.huge) / entry.factor, (entry.max or math.huge) / entry.factor
      if low > high then low, high = high, low end
      Library.fail('out_of_range', string.format('%s takes %s to %s%s, not %s', name, Text.number(low), Text.number(high),
        (entry.unit or '') ~= '' and ' ' .. entry.unit or '', text))
    end
    return value
  end

  -- next_id is the clock, and how many came at the same ms.
  local function next_id(site, now)
    local ids = site.catalog.ids
    if ids.at == now then ids.n = ids.n + 1 else ids.at, ids.n = now, 1 end
    return string.format('%.0f-%d', now, ids.n)
  end

  -- put makes, replaces or withdraws a request. args is that of model_set_value. It gives the request's id.
  function Requests.put(site, now, args)
    local name, text, owner = args[2] or '', args[3] or '', args[4] or ''
    local entry = target(site.catalog, name)
    if owner == '' or #owner > MAX_OWNER or string.find(owner, '%z') then
      Library.fail('BADARG', 'an owner such as api.anna is needed, of at most ' .. MAX_OWNER .. ' bytes')
    end
    local priority = Library.number((args[5] or '') == '' and '0' or args[5], 'the priority')
    if priority % 1 ~= 0 then Library.fail('BADARG', 'the priority is a whole number') end
    local ttl
    if (args[6] or '') ~= '' then
      ttl = Library.number(args[6], 'the time to live')
      if ttl <= 0 then Library.fail('BADARG', 'the time to live is more than 0 ms') end
    end
    local id, why = string.sub(args[7] or '', 1, MAX_ID), string.sub(args[8] or '', 1, MAX_WHY)
    local value
    if text ~= '' then value = value_for(entry, name, text) end
    if id == '' then id = next_id(site, now) end
    local key = field(entry.output, owner)
    if value then
      redis.call('HSET', site.keys[6], key, cmsgpack.pack({
        value = value, priority = priority, at = now, ttl = ttl, rev = '', id = id, why = why,
      }))
    else
      redis.call('HDEL', site.keys[6], key)
    end
    Events.add(site.events, 'request', now, {
      'output', entry.output, 'owner', owner, 'value', value or '', 'priority', priority, 'ttl', ttl or '', 'rev', '',
      'id', id, 'why', why,
    })
    return id
  end

  -- live unpacks a request; nothing when its time is over at now, or it is none.
  local function live(packed, now)
    local ok, request = pcall(cmsgpack.unpack, packed)
    if not ok or type(request) ~= 'table' or not tonumber(request.value) then return nil end
    if request.ttl and now >= (request.at or 0) + request.ttl then return nil end
    return request
  end

  -- sweep removes requests whose time is over: a bounded number at each call, and all of them in turn.
  function Requests.sweep(site, now)
    local catalog = site.catalog
    if now < catalog.sweep_at and catalog.sweep_at - now <= SWEEP_EVERY then return end
    catalog.sweep_at = now + SWEEP_EVERY
    local reply = redis.call('HSCAN', site.keys[6], catalog.cursor, 'COUNT', SWEEP_COUNT)
    catalog.cursor = reply[1]
    local flat = reply[2]
    for i = 1, #flat, 2 do
      if not live(flat[i + 1], now) then redis.call('HDEL', site.keys[6], flat[i]) end
    end
  end

  local function quoted(value) return cjson.encode(tostring(value == nil and '' or value)) end

  local function exact(value) return string.format('%.17g', tonumber(value) or 0) end

  -- list is the JSON array of the live requests, by output and owner. Numbers are exact.
  function Requests.list(site, now)
    local flat = redis.call('HGETALL', site.keys[6])
    local out = {}
    for i = 1, #flat, 2 do
      local output, owner = string.match(flat[i], '^([^%z]*)%z(.*)$')
      local request = output and live(flat[i + 1], now)
      if request then
        out[#out + 1] = string.format(
          '{"output":%s,"owner":%s,"value":%s,"priority":%s,"at":%s,"ttl":%s,"rev":%s,"id":%s,"why":%s}',
          quoted(output), quoted(owner), exact(request.value), exact(request.priority), exact(request.at),
          request.ttl and exact(request.ttl) or 'null', quoted(request.rev), quoted(request.id), quoted(request.why))
      end
    end
    table.sort(out)
    return '[' .. table.concat(out, ',') .. ']'
  end
end
