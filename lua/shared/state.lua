-- State of items: tables in memory over a hash of packed fields. What was marked is written once, at the end of a call; texts, which change
-- at every frame, have a log.
-- Fields that begin with @ are the library's own: @schema, the schema number, @clock, the clock when state was last
-- written, and those of the log. cmsgpack keeps every number exactly.
--#include shared/library.lua
--#include shared/texts.lua
--#include shared/write.lua
local State = {}
do
  -- mark says that an item's table in state.items changed, or was set to nil.
  function State.mark(state, item)
    if not state.marked[item] then
      state.marked[item] = true
      state.order[#state.order + 1] = item
    end
  end

  -- put replaces an item's table; nil drops it.
  function State.put(state, item, value)
    state.items[item] = value
    State.mark(state, item)
  end

  -- migrate brings the unpacked items of an older schema to that of the library, one step after the other. It changes nothing but
  -- memory: what it made is written by the first call that writes, in one command with the new schema, or not at all.
  local function migrate(state)
    for from = state.schema, Library.schema - 1 do
      local step = Library.migrations[from]
      if not step then
        Library.fail('NOMIGRATION', string.format('the state in %s has schema %d, and this library has no way from schema %d to %d',
          state.key, state.schema, from, from + 1))
      end
      local ok, problem = pcall(step, state.items)
      if not ok then
        Library.fail('BADMIGRATION', string.format('the state in %s could not be brought from schema %d to %d: %s',
          state.key, from, from + 1, tostring(type(problem) == 'table' and problem.err or problem)))
      end
    end
  end

  -- load reads the hash. It fails with NEWERSTATE when a newer library wrote it, and with NOMIGRATION or BADMIGRATION when an older
  -- one did whose state can't be brought up to date. state.migrated is then the schema that it was of.
  function State.load(key)
    local state = { key = key, items = {}, marked = {}, order = {}, clock = 0 }
    local fields, flat = {}, redis.call('HGETALL', key)
    for i = 1, #flat, 2 do fields[flat[i]] = flat[i + 1] end
    local schema = tonumber(fields['@schema'] or '')
    if schema and schema > Library.schema then -- before anything is read that may be of another form
      Library.fail('NEWERSTATE', string.format('the state in %s has schema %d, and this version %s of the library %s knows schemas up to %d: '
        .. 'load the newer library again, or delete the key to begin with nothing active, acknowledged or counted',
        key, schema, Library.version, Library.name, Library.schema))
    end
    state.clock = tonumber(fields['@clock'] or '') or 0
    for item, text in pairs(fields) do
      if item ~= '@schema' and item ~= '@clock' and not Texts.is_log(item) then state.items[item] = cmsgpack.unpack(text) end
    end
    state.schema = schema
    state.texts = Texts.load(fields, state.items)
    if schema and schema < Library.schema then
      local names = {}
      for item in pairs(state.items) do names[#names + 1] = item end
      migrate(state)
      for item in pairs(state.items) do names[#names + 1] = item end
      table.sort(names)
      for _, item in ipairs(names) do
        if type(state.items[item]) == 'string' then
          state.texts.take(item)
        else
          State.mark(state, item)
        end
      end
      state.migrated = schema
    end
    return state
  end

  -- What a flush writes: fields with their values, and fields that go. Lists of up to KEPT texts are kept from call to call.
  local KEPT = 100
  local set, gone = {}, {}

  -- list_marked lists the items that were marked: the n fields and values that are set, and the m that go.
  local function list_marked(state, clock)
    local order, marked = state.order, state.marked
    local n, m = 0, 0
    for i = 1, #order do
      local item = order[i]
      order[i], marked[item] = nil, nil
      n, m = Write.item(set, n, gone, m, item, state.items[item])
    end
    if state.schema ~= Library.schema then
      set[n + 1], set[n + 2] = '@schema', Library.schema
      n = n + 2
      state.schema = Library.schema
    end
    set[n + 1], set[n + 2] = '@clock', string.format('%.17g', clock)
    return n + 2, m
  end

  -- flush writes what was marked, with the clock, and what changed of texts.
  function State.flush(state, clock)
    local n, m, texts, migrated = 0, 0, state.texts, state.migrated
    local changed, field, entry = false, nil, nil
    if texts.entry then changed, field, entry = texts.entry() end
    if state.order[1] or migrated or changed and state.schema ~= Library.schema then
      n, m = list_marked(state, clock)
      state.migrated = nil
    end
    if changed or migrated then
      if migrated or not field then
        n, m = texts.whole(set, n, gone, m)
      elseif n + m == 0 then
        redis.call('HSET', state.key, field, entry)
        return
      else
        set[n + 1], set[n + 2] = field, entry
        n = n + 2
      end
    end
    if n > 0 then Write.all('HSET', state.key, set, n) end
    if m > 0 then Write.all('HDEL', state.key, gone, m) end
    if n + m > KEPT then set, gone = {}, {} end
  end
end
