-- The functions of the routes library. Their keys are the seven of one sink: epoch, the sink's program and state, and others that
-- they don't use.
do
  -- setup finds which items a device's frames concern.
  local function setup(site)
    site.of = {}
    local wanted = {}
    local function concerns(i, kind, item)
      site.of[i] = site.of[i] or { points = {}, computed = {} }
      local items = site.of[i][kind]
      items[#items + 1] = item
    end
    for _, item in ipairs(site.items) do
      wanted[item.name] = item.thin
      if item.value then
        for _, i in ipairs(item.dev) do
          concerns(i, 'computed', item)
          wanted[Computed.input(site.head.devices[i].name)] = true
        end
      else
        item.take = item.texts and Texts.take or Points.take;
        (item.texts and Texts or Points).prepare(site, item)
        concerns(item.device, 'points', item)
      end
    end
    Ledger.keep(site, wanted)
    Computed.restore(site)
  end

  local function open(keys) return (Site.open(keys, setup)) end

  local function source_time(packed, t)
    local at = struct.unpack('<d', packed, 9)
    if at - at ~= 0 or math.abs(at) >= 2 ^ 53 then return t end
    return at
  end

  local function take(site, i, t, packed, out)
    local of = site.of[i]
    local at = source_time(packed, t)
    for _, item in ipairs(of.points) do item.take(site, item, packed, at, out) end
    if #of.computed == 0 then return end
    site.D.clock = t
    Computed.receive(site, i, packed)
    for _, item in ipairs(of.computed) do Computed.take(site, item, at, out) end
  end

  -- route_shape_batch: revision of the program, base, from and to (places in the journal: numbers of records), then device, t and
  -- packed frame of each frame behind from up to to. base is a place that the sink's cursor has on disk: the one of the call before, or
  -- from. Reply: fresh (1 when there was no state), the counts, then number (from 1) and samples of each frame that gave some; see
  -- routes/output.lua. The same call again gives the same reply, and so does any cut of the same frames into calls.
  -- Errors: OTHERPROGRAM (the program is of another revision), MISPLACED base to (no state is at from; the state can be brought to base
  -- and to to); BADARG.
  function Library.functions.route_shape_batch(keys, args)
    local n = #args
    if n < 4 or n % 3 ~= 1 then
      Library.fail('BADARG', 'needs revision, base, from and to, then device, t and packed frame of each frame')
    end
    local base, from, to = Library.number(args[2], 'base'), Library.number(args[3], 'from'), Library.number(args[4], 'to')
    for k = 6, n, 3 do Library.number(args[k], 't') end
    local site = open(keys)
    if site.head.rev ~= args[1] then
      Site.leave(site)
      Library.fail('OTHERPROGRAM', string.format('the program is of revision %s, not %s', site.head.rev, args[1]))
    end
    local fresh, reverted = Ledger.begin(site, base, from, to)
    if reverted then Computed.restore(site) end
    site.turn = (site.turn or 0) + 1
    local out = Output.new()
    local reply = { fresh and '1' or '' }
    for k = 5, n, 3 do
      local i, packed = site.D.index[args[k]], args[k + 2]
      if i and site.of[i] and Frame.fits(site.layouts[i], packed) then
        take(site, i, tonumber(args[k + 1]), packed, out)
        local samples = Output.take(out)
        if samples then
          reply[#reply + 1] = (k - 2) / 3
          reply[#reply + 1] = samples
        end
      end
    end
    table.insert(reply, 2, Output.counts(out))
    Site.close(site)
    return reply
  end

  -- route_forget: no arguments. Drops the state of the sink: every stream begins anew. Reply: OK.
  function Library.functions.route_forget(keys)
    local site = open(keys)
    Ledger.forget(site)
    Computed.restore(site)
    Site.close(site)
    return redis.status_reply('OK')
  end

  -- route_place: no arguments. Reply: base and to of the state, empty when there is none, and the program's revision.
  function Library.functions.route_place(keys)
    local site = open(keys)
    local place = Ledger.place(site)
    local reply = { place and string.format('%.0f', place.base) or '', place and string.format('%.0f', place.to) or '', site.head.rev }
    Site.leave(site)
    return reply
  end

  -- routes_selftest: no keys, no arguments. Reply: OK, or an error.
  function Library.functions.routes_selftest()
    local problem = SelfTest.run()
    if problem then return redis.error_reply('SELFTEST ' .. problem) end
    return redis.status_reply('OK')
  end

  -- routes_version: no keys, no arguments. Reply: version, hash, schema.
  function Library.functions.routes_version() return Library.identity() end
end
