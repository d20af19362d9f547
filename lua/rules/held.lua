-- The frames that a window holds: their times and values, in the order in which they came. One more, and one less at the
-- old end, costs the same however many there are.
--
-- Frames are numbered, and lie in chunks as packed numbers, time and values of each. The oldest frames, up to the end of their
-- chunk, are the front: unpacked, and let go one by one. The chunks behind it are blocks on a stack from which the oldest is taken
-- when the front is used up. What came since then is behind. When front and stack are used up, what is behind becomes front and
-- stack, but for the chunk that is not full (turn). What that means for the columns is in rules/aggregate.lua.
--
-- A chunk is a text of its own of the library's state: NAME@0, NAME@1, … The rule's state has head, the number of the first frame
-- that is held, where it does not follow from the kind of window, and mid, that of the first one behind: what is summed up anew
-- after a restart is then the same to the last bit.
--#include shared/site.lua
--#include rules/aggregate.lua
local Held = {}
do
  local floor, max, min, huge = math.floor, math.max, math.min, math.huge

  -- MOST bounds the frames of one window; beyond it the oldest go.
  local MOST = 100000
  -- LONGEST is how many frames a chunk has, and FULLEST how many numbers at most: they go over Lua's stack at once.
  local LONGEST, FULLEST = 128, 2000

  -- numbers lists the chunks that the state has, in order.
  local function numbers(kept)
    local out = {}
    for _, item in ipairs(kept or {}) do out[#out + 1] = tonumber(string.match(item, '@(%d+)$')) end
    table.sort(out)
    return out
  end

  -- new makes the frames that a rule holds from its state, whose items are kept. It runs at each frame, so it keeps to local variables.
  function Held.new(site, rule, kept)
    local items, log, s = site.state.items, site.state.texts, rule.s
    local columns = Aggregate.columns(rule)
    local width = #columns + 1
    local form, bytes = '<' .. string.rep('d', width), 8 * width
    local size = max(1, min(LONGEST, floor(FULLEST / width)))
    local pack, unpack = struct.pack, unpack
    local texts, low = {}, 0                              -- the chunks by number, and the lowest that the state has
    local newest, rows, filled, append = -1, {}, 0, nil   -- the chunk that is not full, its frames, and what adds to its text
    local head, mid, tail = 0, 0, 0                       -- the numbers of the first frame, of the first one behind, and of the next one
    local ends, unfolded, at = 0, {}, 1                   -- the number behind the front, and where its first frame is in a chunk's numbers
    local blocks = 0                                      -- how many chunks are on the stack
    local oldest, begins = huge, huge                     -- the times of the first frame, and of the first one behind

    local add_one, pop_one = nil, nil                     -- those of the column, if it is the only one
    if #columns == 1 then add_one, pop_one = columns[1].add, columns[1].pop end

    local function key(chunk) return string.format('%s@%d', rule.name, chunk) end

    -- source is the text of a chunk, by the name of its item.
    local function source(item)
      local chunk = tonumber(string.match(item, '@(%d+)$'))
      if chunk == newest and filled > 0 then return table.concat(rows, '', 1, filled) end
      return texts[chunk]
    end

    -- numbers_of gives the times and values of the frames from..to - 1, of one chunk, and one thing more.
    local function numbers_of(from, to)
      local chunk, first = floor(from / size), from % size
      local how = to - from == 1 and form or '<' .. string.rep('d', (to - from) * width)
      if chunk ~= newest then return struct.unpack(how, texts[chunk], first * bytes + 1) end
      return struct.unpack(how, table.concat(rows, '', first + 1, first + to - from))
    end

    local function time(n) return (numbers_of(n, n + 1)) end

    -- unfold makes the frames from..to - 1, of one chunk, the front.
    local function unfold(from, to)
      local count = to - from
      unfolded = { numbers_of(from, to) }
      for k = 1, #columns do columns[k].front(unfolded, k + 1, count, width, blocks) end
      ends, at = to, 1
    end

    -- turn makes what is behind front and stack, but for the chunk that is not full, unless there is no other.
    local function turn()
      local first, last = floor(head / size), floor(tail / size)
      if first == last then
        unfold(head, tail)
        mid, begins = tail, huge
      else
        for chunk = last - 1, first + 1, -1 do
          blocks = blocks + 1
          for k = 1, #columns do columns[k].block(chunk, blocks) end
        end
        unfold(head, first * size + size)
        mid = last * size
        begins = mid < tail and time(mid) or huge
      end
      for k = 1, #columns do columns[k].turn(first == last) end
    end

    -- trim drops chunks of which nothing is held any more.
    local function trim()
      for chunk = low, floor(head / size) - 1 do
        texts[chunk] = nil
        log.drop(key(chunk))
      end
      low = floor(head / size)
    end

    -- pop lets go of the oldest frame.
    local function pop()
      if head >= ends then
        turn()
        s.mid, rule.dirty = mid, true
      end
      if pop_one then
        pop_one()
      else
        for k = 1, width - 1 do columns[k].pop() end
      end
      head, at = head + 1, at + width
      if head < ends then
        oldest = unfolded[at]
        return
      end
      if blocks > 0 then
        blocks = blocks - 1
        unfold(head, head + size)
        oldest = unfolded[1]
      else
        oldest = begins
      end
      trim()
    end

    -- fill ends the chunk that is full now.
    local function fill()
      for k = 1, #columns do columns[k].fill(newest) end
      texts[newest] = table.concat(rows, '', 1, filled)
      newest, filled = newest + 1, 0
      append = log.appender(key(newest), bytes, source)
      while tail - head > MOST do pop() end
    end

    local h = { columns = columns }

    -- add takes a frame. What is older than a limit goes before.
    function h.add(t, row, limit)
      if limit then
        if oldest < limit and pop_one and head + 1 < ends then -- as pop does it, in less calls: mostly one goes as one comes
          pop_one()
          head, at = head + 1, at + width
          oldest = unfolded[at]
        end
        while oldest < limit do pop() end
      end
      local frame
      if add_one then
        local v = row[1]
        add_one(v)
        frame = pack(form, t, v)
      else
        for k = 1, width - 1 do columns[k].add(row[k]) end
        frame = pack(form, t, unpack(row, 1, width - 1))
      end
      append(frame)
      filled = filled + 1
      rows[filled] = frame
      if begins == huge then
        begins = t
        if oldest == huge then oldest = t end
      end
      tail = tail + 1
      if filled == size then fill() end
    end

    -- since lets go of what is older than t.
    function h.since(t)
      while oldest < t do pop() end
    end

    -- newest lets go of all but the newest n.
    function h.newest(n)
      while tail - head > n do pop() end
    end

    -- clear lets go of all.
    function h.clear()
      head, mid, ends, blocks, oldest, begins = tail, tail, tail, 0, huge, huge
      for _, column in ipairs(columns) do column.clear() end
      s.mid, s.head, rule.dirty = mid, head, true
      trim()
    end

    -- note keeps where the frames begin, for kinds of windows that don't tell it.
    function h.note() s.head, rule.dirty = head, true end

    -- number is how many frames ever came.
    function h.number() return tail end

    function h.rows() return tail - head end

    -- last is the time of the newest frame, if there is one.
    function h.last() return tail > head and time(tail - 1) or nil end

    -- load takes what the state has: the frames come again, with the last turn among them.
    local function load()
      local chunks = numbers(kept)
      head = s.head or 0
      low = chunks[1] or floor(head / size)
      local stop = head
      for _, chunk in ipairs(chunks) do
        local item = key(chunk)
        local text = items[item]
        texts[chunk], items[item] = text, nil
        stop = chunk * size + #text / bytes
        log.own(item, source)
      end
      if #chunks > 0 then
        head = max(head, low * size, stop - MOST, stop - (rule.window == 'count' and rule.count or MOST))
        local last = time(stop - 1)
        Site.since(site, last)
        if rule.window == 'sliding' then
          while time(head) <= last - rule.size do head = head + 1 end
        end
        oldest = head < stop and time(head) or huge
      end
      local turns = s.mid or 0
      ends, mid, tail = head, head, head
      while true do
        if tail == turns and tail > head then turn() end
        if tail == stop then break end
        local chunk = floor(tail / size)
        local row = { numbers_of(tail, tail + 1) }
        for k = 1, #columns do columns[k].add(row[k + 1]) end
        if begins == huge then begins = row[1] end
        tail = tail + 1
        if tail % size == 0 then
          for k = 1, #columns do columns[k].fill(chunk) end
        end
      end
      newest, filled = floor(tail / size), tail % size
      append = log.appender(key(newest), bytes, source)
      for n = 1, filled do rows[n] = string.sub(texts[newest], (n - 1) * bytes + 1, n * bytes) end
    end

    load()
    return h
  end
end
