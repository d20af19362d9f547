-- The hash of a model as people read it:
--
--   template           battery
--   property.capacity  100
--   soc                55.2               empty while it is unknown
--   soc.unit           %
--   soc.quality        good, uncertain or bad
--   soc.time           when value or quality last changed, by the device's frame
--   power.output       battery.setpoint   what an action sets
--   updated            when the hash last changed
--
-- Only what changed is written. What the hash has is remembered, and read once when the cache is made anew.
local Mirror = {}
do
  local RANK = { good = 0, uncertain = 1, bad = 2 }

  -- quality is the worst of a measurement's inputs; without a value it is bad.
  local function quality(site, measurement, value)
    if value == nil then return 'bad' end
    local worst, good, inputs = 'good', site.catalog.good, measurement.inputs
    for k = 1, inputs and #inputs or 0 do
      local device = inputs[k][2]
      if not good[device] then
        local _, class = Frame.point(site.layouts[device], site.catalog.packed[device], inputs[k][3])
        if RANK[class] > RANK[worst] then worst = class end
      end
    end
    return worst
  end

  -- evaluate takes a measurement's value at a frame of time ts. It tells whether value or quality changed.
  function Mirror.evaluate(site, reading, ts)
    local measurement = reading.measurement
    local value = measurement.value()
    if value == true then value = 1 elseif value == false then value = 0 end
    local class = quality(site, measurement, value)
    reading.seen = ts
    if reading.known and reading.value == value and reading.quality == class then return false end
    reading.known, reading.value, reading.quality, reading.time = true, value, class, ts
    return true
  end

  local function add_reading(fields, reading)
    local name, value = reading.measurement.name, reading.value
    fields[name] = value and Text.number(value) or ''
    fields[name .. '.quality'] = reading.quality or 'bad'
    fields[name .. '.time'] = reading.time and Text.time(reading.time) or ''
  end

  -- fields is everything that the hash of a model shall have, but for updated.
  local function fields(model)
    local item = model.item
    local out = { template = item.template or '' }
    for name, value in pairs(item.properties or {}) do out['property.' .. name] = tostring(value) end
    for _, reading in ipairs(model.readings) do
      add_reading(out, reading)
      out[reading.measurement.name .. '.unit'] = reading.measurement.unit or ''
    end
    for _, action in ipairs(item.actions or {}) do out[action.name .. '.output'] = action.output end
    return out
  end

  local function send(model, changed, now)
    local args = {}
    for name, text in pairs(changed) do
      model.written[name] = text
      args[#args + 1] = name
      args[#args + 1] = text
    end
    if #args == 0 then return 0 end
    redis.call('HSET', model.key, 'updated', Text.time(now), unpack(args))
    return #args / 2
  end

  local function recall(model)
    if model.written then return end
    model.written = {}
    local flat = redis.call('HGETALL', model.key)
    for i = 1, #flat, 2 do
      if flat[i] ~= 'updated' then model.written[flat[i]] = flat[i + 1] end
    end
  end

  -- align brings the whole hash in line with the program. It gives how many fields were written and removed.
  function Mirror.align(site, model, now)
    recall(model)
    local wanted, changed, gone = fields(model), {}, {}
    for name, text in pairs(wanted) do
      if model.written[name] ~= text then changed[name] = text end
    end
    for name in pairs(model.written) do
      if wanted[name] == nil then gone[#gone + 1] = name end
    end
    for _, name in ipairs(gone) do
      redis.call('HDEL', model.key, name)
      model.written[name] = nil
    end
    local known = site.state.items[model.name]
    if not known or known.rev ~= model.item.rev then State.put(site.state, model.name, { rev = model.item.rev }) end
    model.aligned = true
    return send(model, changed, now), #gone
  end

  -- renew writes the hash of a model as if there had been none.
  function Mirror.renew(site, model, now)
    redis.call('DEL', model.key)
    model.written = {}
    return Mirror.align(site, model, now)
  end

  -- update writes what changed in the readings of a model.
  function Mirror.update(site, model, readings, now)
    if not model.aligned then return Mirror.align(site, model, now) end
    local changed = {}
    for _, reading in ipairs(readings) do add_reading(changed, reading) end
    for name, text in pairs(changed) do
      if model.written[name] == text then changed[name] = nil end
    end
    return send(model, changed, now)
  end

  -- furnish aligns all models when the cache was made anew, and removes the hashes of models that the program lost.
  function Mirror.furnish(site, now)
    local gone = {}
    for name in pairs(site.state.items) do
      if not site.catalog.models[name] and string.sub(name, 1, 1) ~= '@' then gone[#gone + 1] = name end
    end
    table.sort(gone)
    for _, name in ipairs(gone) do
      redis.call('DEL', string.sub(site.keys[1], 1, -#'epoch' - 1) .. 'model:' .. name)
      State.put(site.state, name, nil)
    end
    Totals.furnish(site)
    for _, model in ipairs(site.catalog.order) do
      if not model.aligned then Mirror.align(site, model, now) end
    end
  end

  -- take gives device i's packed frame to the measurements that read it. It gives how many were evaluated, and changed.
  function Mirror.take(site, i, packed, now)
    local catalog = site.catalog
    local layout = site.layouts[i]
    if not Frame.fits(layout, packed) then return 0, 0 end
    local ts = struct.unpack('<d', packed, 9)
    local newest = catalog.newest[i]
    if ts - ts ~= 0 or newest and ts < newest then return 0, 0 end
    Frame.take(layout, site.D[i], packed)
    Catalog.receive(site, i, packed)
    Totals.take(site, i, ts, now)
    local readers = catalog.readers[i]
    if not readers then return 0, 0 end
    local stirred, changed = nil, 0
    for k = 1, #readers do
      local reader = readers[k]
      if Mirror.evaluate(site, reader.reading, ts) then
        stirred = stirred or {}
        stirred[reader.model] = stirred[reader.model] or {}
        table.insert(stirred[reader.model], reader.reading)
        changed = changed + 1
      end
    end
    if stirred then
      for _, model in ipairs(catalog.order) do
        if stirred[model] then Mirror.update(site, model, stirred[model], now) end
      end
    end
    return #readers, changed
  end
end
