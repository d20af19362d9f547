-- Texts: items of a library's state that change at every frame, such as what a window holds. To write one whole each time would cost more than
-- all else that is done for the frame, so that its changes go to a log: fields of the hash too, @log:1, @log:2, …, one for each call. When
-- there are ENTRIES of them, or one would be longer than LONG, the texts that they concern are written whole, and the log begins anew, over
-- the old entries: those count that begin with the number in @log.
--
-- A text is among the items when the state is loaded. From then on who works with it has it, and says how it is had whole: source(item).
-- The log has no clock; what has to be known of the time stands in the texts.
--#include shared/write.lua
local Texts = {}
do
  local ENTRIES, LONG = 256, 4096
  -- KEPT is how long a list of changes may be to be used for the next call.
  local KEPT = 100
  local NAMES = {}
  for n = 1, ENTRIES do NAMES[n] = '@log:' .. n end
  local APPEND, REPLACE, DROP = '+', '=', '-'

  -- record is what the log has of a change, before what is appended or put in the place of the text.
  local function record(kind, item, length) return kind .. struct.pack('<I4I4', #item, length) .. item end

  -- is_log tells whether a field of the hash is the log's.
  function Texts.is_log(field) return field == '@log' or string.find(field, '^@log:') ~= nil end

  local function nothing() return nil end

  -- load makes the texts of items, to which it applies the log, and which come from the fields of the hash. Some of what it makes runs at
  -- each frame, so it keeps to local variables.
  function Texts.load(fields, items)
    local log, logged = {}, 0             -- what changed in this call: a record and its bytes, so many in all
    local round, head, entries            -- which log it is, how its entries begin, and how many it has
    local sources, concerned              -- who has the texts that the log concerns, by item, and these in order

    local function begin(number)
      round, head, entries = number, string.format('%d ', number), 0
      sources, concerned = {}, {}
    end

    local h = {}
    local new_entry

    local function concern(item, source)
      h.entry = new_entry
      if not sources[item] then concerned[#concerned + 1] = item end
      sources[item] = source
    end

    local function add(said, bytes)
      log[logged + 1], log[logged + 2] = said, bytes
      logged = logged + 2
    end

    -- appender makes the function that adds to a text, so many bytes each time.
    function h.appender(item, length, source)
      local said, told = record(APPEND, item, length), nil
      return function(bytes)
        if told ~= round then
          told = round
          concern(item, source)
        end
        log[logged + 1], log[logged + 2] = said, bytes
        logged = logged + 2
      end
    end

    -- replace puts another text in the place of one, or of none.
    function h.replace(item, bytes, source)
      concern(item, source)
      add(record(REPLACE, item, #bytes), bytes)
    end

    function h.drop(item)
      concern(item, nothing)
      add(record(DROP, item, 0), '')
    end

    local function source_of_items(item) return items[item] end

    -- take makes a text of the items one that is written whole with the next change.
    function h.take(item) concern(item, source_of_items) end

    -- own says who has a text from now on.
    function h.own(item, source)
      if sources[item] then sources[item] = source end
    end

    -- entry makes of the changes a new entry of the log. It tells whether there were any, and gives the entry's field and text, or nothing
    -- when there are enough of them. There is no h.entry as long as there are no texts.
    function new_entry()
      if logged == 0 then return false end
      local count, n = logged, entries + 1
      logged = 0
      if n > ENTRIES then return true end
      local text
      if count == 2 then
        text = head .. log[1] .. log[2]
      else
        text = head .. table.concat(log, '', 1, count)
        if count > KEPT then log = {} end
        if #text > LONG then return true end
      end
      entries = n
      return true, NAMES[n], text
    end

    -- whole lists the texts that the log concerns, and those that were taken, behind the n fields and values in set and the m fields in
    -- gone, and begins the log anew.
    function h.whole(set, n, gone, m)
      for _, item in ipairs(concerned) do
        n, m = Write.item(set, n, gone, m, item, sources[item](item))
      end
      begin(round + 1)
      logged = 0
      set[n + 1], set[n + 2] = '@log', tostring(round)
      return n + 2, m
    end

    -- forget drops the changes of this call.
    function h.forget() logged = 0 end

    -- read applies an entry to the items.
    local function read(entry, at)
      while at <= #entry do
        local kind = string.sub(entry, at, at)
        local named, length = struct.unpack('<I4I4', entry, at + 1)
        local item = string.sub(entry, at + 9, at + 8 + named)
        local bytes = string.sub(entry, at + 9 + named, at + 8 + named + length)
        at = at + 9 + named + length
        if kind == DROP then
          items[item] = nil
        else
          items[item] = (kind == APPEND and items[item] or '') .. bytes
        end
        concern(item, source_of_items)
      end
    end

    begin(tonumber(fields['@log'] or '0'))
    for n = 1, ENTRIES do
      local entry = fields[NAMES[n]]
      if not entry or string.sub(entry, 1, #head) ~= head then break end
      entries = n
      read(entry, #head + 1)
    end
    return h
  end
end
