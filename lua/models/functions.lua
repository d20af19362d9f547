-- The functions of the library. KEYS begin with the site's seven: epoch program state timers frames requests events.
do
  -- open gives the site of the keys. A cache that was made anew knows the measurements as of the newest frames.
  local function open(keys)
    local site = Site.open(keys, function(site)
      local catalog = Catalog.build(site)
      for i, device in ipairs(site.head.devices) do
        local packed = redis.call('HGET', keys[5], device.name)
        if packed and Frame.fits(site.layouts[i], packed) then Catalog.receive(site, i, packed) end
      end
      for i, readers in pairs(catalog.readers) do
        local ts = catalog.newest[i]
        for _, reader in ipairs(readers) do
          if ts then Mirror.evaluate(site, reader.reading, ts) end
        end
      end
    end)
    return site
  end

  local function no_timers() return nil end

  -- refusing runs a function that fails before it changes anything: the cache stays.
  local function refusing(site, callback)
    local ok, reply = pcall(callback)
    if ok then return reply end
    Site.leave(site)
    error(reply, 0)
  end

  local function model_of(site, name)
    local model = site.catalog.models[name or '']
    if model then return model end
    local hint = Suggest.name(name or '', site.catalog.models)
    Library.fail('unknown_model', string.format('there is no model %s%s', tostring(name), hint and ': did you mean ' .. hint .. '?' or ''))
  end

  -- model_create: now, name; KEYS[8] is model:NAME. Creates the hash of a model of the program, or renews it. Reply: the
  -- number of its fields. Errors: unknown_model.
  function Library.functions.model_create(keys, args)
    local now = Library.number(args[1], 'the clock')
    local site = open(keys)
    local written = refusing(site, function() return Mirror.renew(site, model_of(site, args[2]), now) end)
    Site.close(site)
    return string.format('%.0f', written)
  end

  -- model_apply_template: now, name; KEYS[8] is model:NAME. Sets properties, adds what is new, removes what the template
  -- no longer has. Reply: how many fields were written, and removed. Errors: unknown_model.
  function Library.functions.model_apply_template(keys, args)
    local now = Library.number(args[1], 'the clock')
    local site = open(keys)
    local model = refusing(site, function() return model_of(site, args[2]) end)
    local written, removed = Mirror.align(site, model, now)
    Site.close(site)
    return { string.format('%.0f', written), string.format('%.0f', removed) }
  end

  -- model_get_value: name of a measurement or property (bess.soc) or of a point (battery.soc). Reply: value, unit, quality,
  -- time in ms, all text; value is empty while it is unknown. Errors: unknown_name, not_readable.
  function Library.functions.model_get_value(keys, args)
    local site = open(keys)
    local reply = refusing(site, function() return Reading.value(site, args[1] or '') end)
    Site.leave(site)
    return reply
  end

  -- model_set_value: now, name of an action (bess.power) or output (battery.setpoint), value (empty withdraws), owner,
  -- priority (empty: 0), time to live in ms (empty: for ever), id (empty: a new one), why. Reply: the request's id.
  -- Errors: unknown_name, not_writable, bad_value, out_of_range; BADARG.
  function Library.functions.model_set_value(keys, args)
    local now = Library.number(args[1], 'the clock')
    local site = open(keys)
    local id = refusing(site, function()
      return Requests.put(site, Site.advance(site, now, no_timers), args)
    end)
    Site.close(site)
    return id
  end

  -- model_requests: now. Reply: the live requests as a JSON array of output, owner, value, priority, at, ttl (ms or null),
  -- rev, id, why.
  function Library.functions.model_requests(keys, args)
    local now = Library.number(args[1], 'the clock')
    local site = open(keys)
    local reply = Requests.list(site, now)
    Site.leave(site)
    return reply
  end

  -- model_batch_sync: now, then device, t, packed frame of each frame. Writes the hashes of the models that changed. Reply:
  -- next deadline (always empty), evaluated, changed.
  function Library.functions.model_batch_sync(keys, args)
    local n = #args
    local now = Library.number(args[1], 'the clock')
    if n % 3 ~= 1 then Library.fail('BADARG', 'frames come as device, t and packed frame') end
    for k = 3, n, 3 do Library.number(args[k], 't') end
    local site = open(keys)
    local catalog = site.catalog
    if not catalog.furnished then
      Mirror.furnish(site, now)
      catalog.furnished = true
    end
    local evaluated, changed = 0, 0
    for k = 2, n, 3 do
      local i = site.D.index[args[k]]
      if i then
        local looked, stirred = Mirror.take(site, i, args[k + 2], Site.advance(site, tonumber(args[k + 1]), no_timers))
        evaluated, changed = evaluated + looked, changed + stirred
      end
    end
    Requests.sweep(site, Site.advance(site, now, no_timers))
    Site.close(site)
    return Site.reply(site, evaluated, changed)
  end

  -- models_selftest: no keys, no arguments. Reply: OK, or an error.
  function Library.functions.models_selftest()
    local problem = SelfTest.run()
    if problem then return redis.error_reply('SELFTEST ' .. problem) end
    return redis.status_reply('OK')
  end

  -- models_version: no keys, no arguments. Reply: version, hash, schema.
  function Library.functions.models_version() return Library.identity() end
end
