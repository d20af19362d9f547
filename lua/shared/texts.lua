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

  local function begin(texts, round)
    texts.round, texts.head, texts.entries = round, string.format('%d ', round), 0
    texts.sources, texts.concerned = {}, {}
  end

  local function concern(texts, item, source)
    if not texts.sources[item] then texts.concerned[#texts.concerned + 1] = item end
    texts.sources[item] = source
  end

  local function add(texts, said, bytes)
    local log, n = texts.log, texts.logged
    log[n + 1], log[n + 2] = said, bytes
    texts.logged = n + 2
  end

  -- appender makes the function that adds to a text, so many bytes each time.
  function Texts.appender(texts, item, length, source)
    local said, round = record(APPEND, item, length), nil
    return function(bytes)
      if texts.round ~= round then
        round = texts.round
        concern(texts, item, source)
      end
      local log, n = texts.log, texts.logged
      log[n + 1], log[n + 2] = said, bytes
      texts.logged = n + 2
    end
  end

  -- replace puts another text in the place of one, or of none.
  function Texts.replace(texts, item, bytes, source)
    concern(texts, item, source)
    add(texts, record(REPLACE, item, #bytes), bytes)
  end

  local function nothing() return nil end

  function Texts.drop(texts, item)
    concern(texts, item, nothing)
    add(texts, record(DROP, item, 0), '')
  end

  -- take makes a text of the items one that is written whole with the next change.
  function Texts.take(texts, item, items)
    concern(texts, item, function() return items[item] end)
  end

  -- own says who has a text from now on.
  function Texts.own(texts, item, source)
    if texts.sources[item] then texts.sources[item] = source end
  end

  -- read applies an entry to the items.
  local function read(texts, entry, at, items, source)
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
      concern(texts, item, source)
    end
  end

  -- load makes the texts of items, to which it applies the log, and which come from the fields of the hash.
  function Texts.load(fields, items)
    local texts = { log = {}, logged = 0 }
    begin(texts, tonumber(fields['@log'] or '0'))
    local head = texts.head
    local function source(item) return items[item] end
    for n = 1, ENTRIES do
      local entry = fields[NAMES[n]]
      if not entry or string.sub(entry, 1, #head) ~= head then break end
      texts.entries = n
      read(texts, entry, #head + 1, items, source)
    end
    return texts
  end

  -- entry makes a new entry of the log, its field and text, or nothing when there are enough of them.
  function Texts.entry(texts)
    local log, count, n = texts.log, texts.logged, texts.entries + 1
    texts.logged = 0
    if n > ENTRIES then return nil end
    local text
    if count == 2 then
      text = texts.head .. log[1] .. log[2]
    else
      text = texts.head .. table.concat(log, '', 1, count)
      if count > KEPT then texts.log = {} end
      if #text > LONG then return nil end
    end
    texts.entries = n
    return NAMES[n], text
  end

  -- whole lists the texts that the log concerns, and those that were taken, behind the n fields and values in set and the m fields in
  -- gone, and begins the log anew.
  function Texts.whole(texts, set, n, gone, m)
    for _, item in ipairs(texts.concerned) do
      n, m = Write.item(set, n, gone, m, item, texts.sources[item](item))
    end
    begin(texts, texts.round + 1)
    texts.logged = 0
    set[n + 1], set[n + 2] = '@log', tostring(texts.round)
    return n + 2, m
  end
end
