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

  -- prepare makes an item ready, once.
  function Thinning.prepare(item)
    -- Streams that are thinned by time alone all go together, or none does.
    item.together = item.every_ms and not item.change and not item.keep
  end

  -- state is that of an item's streams, to be looked at. It begins anew when the item is another than it was.
  function Thinning.state(site, item, n)
    local s = Ledger.look(site, item.name)
    if not s or s.rev ~= item.rev or #s.T ~= n then s = Thinning.fresh(item, n) end
    return s
  end

  -- change is called before a state is changed: the first time in a call it is put down.
  local function change(site, item, s)
    if item.turn == site.turn then return end
    item.turn = site.turn
    Ledger.open(site, item.name).now = s
  end

  -- none tells whether the whole frame of n streams comes too early, and counts them then.
  function Thinning.none(item, count, s, n, t)
    local last = item.together and s.T[1]
    if not last or not Thinning.early(item, t, last) then return false end
    count.taken, count.early = count.taken + n, count.early + n
    return true
  end

  -- pass judges a sample, counts it, and notes it as sent when it goes. s is nil for an item that leaves nothing out but by
  -- quality.
  function Thinning.pass(site, item, count, s, k, t, q, x)
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
      change(site, item, s)
      s.T[k], s.V[k], s.Q[k] = t, x, q
    end
    count.passed = count.passed + 1
    return true
  end
end
