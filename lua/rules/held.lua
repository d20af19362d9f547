-- The frames that a window holds: their times and values, in the order in which they came. One more, and one less at the
-- old end, costs the same however many there are: the older frames lie on a stack from which the oldest is taken, with the
-- sums from each to the stack's newest; the newer ones are summed up as they come. When the stack is empty, all that is
-- there becomes the new stack (flip).
--
-- They are kept in chunks of SIZE frames, each an item of its own of the library's state: NAME@0, NAME@1, …, packed numbers:
-- time and values of each frame. Frames are numbered; the rule's state has head, the number of the first that is held,
-- where it does not follow from the kind of window, and mid, that of the first one behind the stack: what is summed up anew
-- after a restart is then the same to the last bit.
--#include rules/aggregate.lua
local Held = {}
do
  local floor = math.floor

  -- MOST bounds the frames of one window; beyond it the oldest go.
  local MOST = 100000
  local SIZE = 32

  local function key(rule, chunk) return string.format('%s@%d', rule.name, chunk) end

  local function accumulators(needs)
    local out = {}
    for k = 1, #needs do out[k] = Aggregate.nothing() end
    return out
  end
  Held.accumulators = accumulators

  local function lists(needs, make)
    local out = {}
    for k = 1, #needs do out[k] = make() end
    return out
  end

  local function empty() return {} end

  -- forget drops what lies behind the stack.
  local function forget(h)
    h.behind, h.times, h.values, h.back = 0, {}, lists(h.needs, empty), accumulators(h.needs)
  end

  -- push puts a frame behind all others in memory.
  local function push(h, t, values)
    local n = h.behind + 1
    h.behind = n
    h.times[n] = t
    for k = 1, h.columns do
      local v = values[k]
      h.values[k][n] = v
      Aggregate.add(h.needs[k], h.back[k], v)
      if h.sorted[k] then Aggregate.insert(h.sorted[k], v) end
    end
  end

  local function flip(h)
    for n = h.behind, 1, -1 do
      local i = h.stacked
      h.old_times[i + 1] = h.times[n]
      for k = 1, h.columns do
        local v = h.values[k][n]
        Aggregate.before(h.needs[k], h.stacks[k], i, v)
        if h.sorted[k] then h.old_values[k][i + 1] = v end
      end
      h.stacked = i + 1
    end
    forget(h)
  end

  local function pop(h)
    if h.stacked == 0 then
      flip(h)
      h.flipped = true
    end
    local i = h.stacked
    for k = 1, h.columns do
      if h.sorted[k] then Aggregate.remove(h.sorted[k], h.old_values[k][i]) end
    end
    h.stacked = i - 1
  end

  local function oldest(h)
    if h.stacked > 0 then return h.old_times[h.stacked] end
    return h.times[1]
  end

  function Held.rows(h) return h.stacked + h.behind end

  local function head(h) return h.tail - h.stacked - h.behind end

  -- numbers lists the chunks that the state has, in order.
  local function numbers(kept)
    local out = {}
    for _, item in ipairs(kept or {}) do out[#out + 1] = tonumber(string.match(item, '@(%d+)$')) end
    table.sort(out)
    return out
  end

  -- load makes the frames that a rule holds from its state, whose items are kept.
  function Held.load(site, rule, kept)
    local needs = Aggregate.needs(rule)
    local h = { needs = needs, columns = #needs, sorted = {}, packed = {} }
    h.stacked, h.stacks, h.old_times, h.old_values = 0, lists(needs, Aggregate.stack), {}, lists(needs, empty)
    for k = 1, #needs do h.sorted[k] = needs[k].sorted and {} end
    h.form, h.width = '<' .. string.rep('d', h.columns + 1), 8 * (h.columns + 1)
    forget(h)
    local s, items = rule.s, site.state.items
    local first, mid = s.head or 0, s.mid or 0
    local chunks = numbers(kept)
    h.tail, h.low = first, chunks[1] or floor(first / SIZE)
    local frames = {}
    for _, chunk in ipairs(chunks) do
      local text = items[key(rule, chunk)]
      for n = 0, #text / h.width - 1 do
        local frame = { struct.unpack(h.form, text, n * h.width + 1) }
        frames[#frames + 1] = frame
        frame.number = chunk * SIZE + n
      end
    end
    if #frames > 0 then h.tail = math.max(first, frames[#frames].number + 1) end
    first = math.max(first, h.tail - MOST, h.tail - (rule.window == 'count' and rule.count or MOST))
    local after = rule.window == 'sliding' and #frames > 0 and frames[#frames][1] - rule.size or -1
    local turned = false
    for _, frame in ipairs(frames) do
      if frame.number >= first and frame[1] > after then
        if not turned and frame.number >= mid then
          flip(h)
          turned = true
        end
        for k = 1, h.columns do
          local v = frame[k + 1]
          frame[k + 1] = v == v and v
        end
        push(h, frame[1], { unpack(frame, 2, h.columns + 1) })
      end
    end
    if not turned then flip(h) end
    return h
  end

  -- trim follows frames that went: chunks that hold nothing any more go too.
  local function trim(site, rule, h)
    local chunk = floor(head(h) / SIZE)
    for n = h.low, chunk - 1 do State.put(site.state, key(rule, n), nil) end
    if chunk > h.low then h.low = chunk end
    if h.flipped then
      h.flipped = nil
      rule.s.mid = h.tail - h.behind
      rule.dirty = true
    end
  end

  -- add takes a frame.
  function Held.add(site, rule, t, values)
    local h = rule.held
    if h.stacked + h.behind >= MOST then pop(h) end
    local chunk = floor(h.tail / SIZE)
    if h.chunk ~= chunk then h.chunk, h.item = chunk, key(rule, chunk) end
    local item, packed = h.item, h.packed
    for k = 1, h.columns do packed[k] = values[k] or 0 / 0 end
    State.put(site.state, item, (site.state.items[item] or '') .. struct.pack(h.form, t, unpack(packed, 1, h.columns)))
    push(h, t, values)
    h.tail = h.tail + 1
    trim(site, rule, h)
  end

  -- since lets go of what is older than t.
  function Held.since(site, rule, t)
    local h = rule.held
    local rows = h.stacked + h.behind
    while rows > 0 and oldest(h) < t do
      pop(h)
      rows = rows - 1
    end
    trim(site, rule, h)
  end

  -- newest lets go of all but the newest n.
  function Held.newest(site, rule, n)
    local h = rule.held
    for _ = 1, h.stacked + h.behind - n do pop(h) end
    trim(site, rule, h)
  end

  -- clear lets go of all.
  function Held.clear(site, rule)
    local h = rule.held
    h.stacked = 0
    forget(h)
    for k = 1, h.columns do h.sorted[k] = h.sorted[k] and {} end
    h.flipped = true
    trim(site, rule, h)
  end

  -- note keeps where the frames begin, for kinds of windows that don't tell it.
  function Held.note(rule)
    rule.s.head = head(rule.held)
    rule.dirty = true
  end

  function Held.result(rule, a)
    local h = rule.held
    return Aggregate.result(a, h.stacked + h.behind, h.stacks, h.stacked, h.back, h.sorted)
  end
end
