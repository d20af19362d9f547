-- Which samples of a stream are left out: too early, or not changed from the one that was sent.
local Thinning = {}
do
  local floor, abs = math.floor, math.abs

  -- early tells whether a sample comes too soon behind the one that was sent at last. A clock that went back makes none late.
  function Thinning.early(item, t, last)
    local every = item.every_ms
    if not every or t < last then return false end
    if item.align then return floor(t / every) <= floor(last / every) end
    return t - last < every
  end

  -- same tells whether a sample of quality q and value x (a number, a text, or false when it is bad) is as the one that was sent
  -- at last, with quality p and value y.
  function Thinning.same(item, t, last, q, x, p, y)
    if q ~= p or t < last then return false end
    if item.max_ms and t - last >= item.max_ms then return false end
    if type(x) ~= 'number' or type(y) ~= 'number' then return x == y end
    local band, part = item.deadband, item.percent * abs(y)
    if part > band then band = part end
    return abs(x - y) <= band
  end

  -- fresh is the state of a stream set of n streams: times, values and qualities of what was sent at last.
  function Thinning.fresh(item, n)
    local s = { rev = item.rev, T = {}, V = {}, Q = {} }
    for k = 1, n do s.T[k], s.V[k], s.Q[k] = false, false, 0 end
    return s
  end

  -- state is that of an item's streams, for a change. It begins anew when the item is another than it was.
  function Thinning.state(site, item, n)
    local entry = Ledger.open(site, item.name)
    local s = entry.now
    if not s or s.rev ~= item.rev or #s.T ~= n then
      s = Thinning.fresh(item, n)
      entry.now = s
    end
    return s
  end

  -- pass judges a sample, counts it, and notes it as sent when it goes. s is nil for an item that leaves nothing out but by
  -- quality.
  function Thinning.pass(item, count, s, k, t, q, x)
    count.taken = count.taken + 1
    if item.keep and not item.keep[q % 4] then
      count.refused = count.refused + 1
      return false
    end
    if s then
      local last = s.T[k]
      if last then
        if Thinning.early(item, t, last) then
          count.early = count.early + 1
          return false
        end
        if item.change and Thinning.same(item, t, last, q, x, s.Q[k], s.V[k]) then
          count.same = count.same + 1
          return false
        end
      end
      s.T[k], s.V[k], s.Q[k] = t, x, q
    end
    count.passed = count.passed + 1
    return true
  end
end
