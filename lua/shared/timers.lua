-- Deadlines of items: a binary heap in memory over the sorted set that keeps them. A change is written once, at the end
-- of a call. Deadlines of the same ms come in the order of rank, then of setting.
--#include shared/write.lua
local Timers = {}
do
  local function before(a, b)
    if a.at ~= b.at then return a.at < b.at end
    if a.rank ~= b.rank then return a.rank < b.rank end
    return a.seq < b.seq
  end

  local function push(heap, entry)
    local i = #heap + 1
    heap[i] = entry
    while i > 1 do
      local up = (i - i % 2) / 2
      if not before(heap[i], heap[up]) then return end
      heap[i], heap[up] = heap[up], heap[i]
      i = up
    end
  end

  local function pop(heap)
    local n = #heap
    heap[1] = heap[n]
    heap[n] = nil
    n = n - 1
    local i = 1
    while true do
      local least, left = i, 2 * i
      if left <= n and before(heap[left], heap[least]) then least = left end
      if left < n and before(heap[left + 1], heap[least]) then least = left + 1 end
      if least == i then return end
      heap[i], heap[least] = heap[least], heap[i]
      i = least
    end
  end

  -- settle drops entries of the heap's top that were replaced or cleared.
  local function settle(timers)
    local heap, live = timers.heap, timers.live
    local top = heap[1]
    while top and live[top.item] ~= top do
      pop(heap)
      top = heap[1]
    end
    return top
  end

  -- load reads the deadlines that the sorted set has. rank(item) orders those of the same ms; an item without a rank is
  -- no longer in the program, and its deadline is removed.
  function Timers.load(key, rank)
    local timers = { key = key, heap = {}, live = {}, saved = {}, changed = {}, seq = 0, rank = rank }
    local flat = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
    for i = 1, #flat, 2 do
      local item, at = flat[i], tonumber(flat[i + 1])
      timers.saved[item] = at
      if rank(item) then Timers.set(timers, item, at) else timers.changed[item] = true end
    end
    return timers
  end

  -- set gives an item its one deadline; nil clears it.
  function Timers.set(timers, item, at)
    local entry = timers.live[item]
    if entry then
      if entry.at == at then return end
    elseif at == nil then
      return
    end
    timers.changed[item] = true
    if at == nil then
      timers.live[item] = nil
      return
    end
    timers.seq = timers.seq + 1
    entry = { item = item, at = at, rank = timers.rank(item) or 0, seq = timers.seq }
    timers.live[item] = entry
    push(timers.heap, entry)
  end

  -- get is an item's deadline, or nil.
  function Timers.get(timers, item)
    local entry = timers.live[item]
    return entry and entry.at
  end

  -- next is the earliest deadline, or nil.
  function Timers.next(timers)
    local top = settle(timers)
    return top and top.at
  end

  -- due takes out the earliest deadline at or before t: item and deadline, or nil.
  function Timers.due(timers, t)
    local top = timers.heap[1]
    if not top or top.at > t then return nil end -- nothing else is due, then, whether that one counts or not
    top = settle(timers)
    if not top or top.at > t then return nil end
    Timers.set(timers, top.item, nil)
    return top.item, top.at
  end

  -- flush writes what changed since the last flush.
  function Timers.flush(timers)
    if not next(timers.changed) then return end
    local items = {}
    for item in pairs(timers.changed) do items[#items + 1] = item end
    table.sort(items)
    local set, n, gone, m = {}, 0, {}, 0
    for _, item in ipairs(items) do
      local at = Timers.get(timers, item)
      if at ~= timers.saved[item] then
        if at then
          set[n + 1], set[n + 2] = string.format('%.17g', at), item
          n = n + 2
        else
          m = m + 1
          gone[m] = item
        end
        timers.saved[item] = at
      end
    end
    Write.all('ZADD', timers.key, set, n)
    Write.all('ZREM', timers.key, gone, m)
    timers.changed = {}
  end
end
