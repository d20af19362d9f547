-- Aggregates of values, kept so that one more or less costs the same however many there are. A window collects columns of
-- values; of each it keeps what its aggregates need:
--   n      how many are known
--   sum, min, max, first, last
--   mean, m2   the mean, and the sum of the squares of the deviations from it (need.spread)
--   sorted     the known values in order, of a median
-- What is not known, or not there yet, is false.
local Aggregate = {}
do
  local sqrt, floor = math.sqrt, math.floor

  local NEEDS = { avg = 'sum', sum = 'sum', min = 'min', max = 'max', first = 'first', last = 'last', stddev = 'spread', median = 'sorted' }
  -- SAVED are the parts of an accumulator, in the order in which they are kept.
  local SAVED = { 'n', 'sum', 'min', 'max', 'first', 'last', 'mean', 'm2' }

  -- needs says of each column what has to be kept.
  function Aggregate.needs(rule)
    local needs = {}
    for k = 1, #rule.values do needs[k] = {} end
    for _, a in ipairs(rule.aggregates) do
      if a.of and NEEDS[a.fn] then needs[a.of][NEEDS[a.fn]] = true end
    end
    return needs
  end

  -- nothing is an accumulator of no values.
  function Aggregate.nothing()
    return { n = 0, sum = 0, min = false, max = false, first = false, last = false, mean = 0, m2 = 0 }
  end

  -- add adds a value to an accumulator, behind those that it has.
  function Aggregate.add(need, a, v)
    if not v then return end
    local n = a.n + 1
    a.n = n
    if need.sum then a.sum = a.sum + v end
    if need.min and (n == 1 or v < a.min) then a.min = v end
    if need.max and (n == 1 or v > a.max) then a.max = v end
    if need.first and n == 1 then a.first = v end
    if need.last then a.last = v end
    if need.spread then
      local d = v - a.mean
      a.mean = a.mean + d / n
      a.m2 = a.m2 + d * (v - a.mean)
    end
  end

  -- stack makes the lists of a column's sums from each of its values to the newest.
  function Aggregate.stack()
    return { n = {}, sum = {}, min = {}, max = {}, first = {}, last = {}, mean = {}, m2 = {} }
  end

  -- before puts a value before the i that a stack has.
  function Aggregate.before(need, f, i, v)
    local j, n = i + 1, 0
    if i > 0 then n = f.n[i] end
    f.n[j] = v and n + 1 or n
    if need.sum then f.sum[j] = (v or 0) + (i > 0 and f.sum[i] or 0) end
    if need.min then
      local least = i > 0 and f.min[i]
      f.min[j] = v and (not least or v < least) and v or least
    end
    if need.max then
      local most = i > 0 and f.max[i]
      f.max[j] = v and (not most or v > most) and v or most
    end
    if need.first then f.first[j] = v or i > 0 and f.first[i] end
    if need.last then f.last[j] = i > 0 and f.last[i] or v end
    if need.spread then
      local mean, m2 = 0, 0
      if i > 0 then mean, m2 = f.mean[i], f.m2[i] end
      if v then
        local d = mean - v
        mean, m2 = v + d * n / (n + 1), m2 + d * d * n / (n + 1)
      end
      f.mean[j], f.m2[j] = mean, m2
    end
  end

  local compute = {}

  function compute.sum(f, i, b) return (i > 0 and f.sum[i] or 0) + b.sum end

  function compute.avg(f, i, b, n) return compute.sum(f, i, b) / n end

  function compute.min(f, i, b)
    local least = i > 0 and f.min[i]
    if not least or b.min and b.min < least then return b.min end
    return least
  end

  function compute.max(f, i, b)
    local most = i > 0 and f.max[i]
    if not most or b.max and b.max > most then return b.max end
    return most
  end

  function compute.first(f, i, b) return i > 0 and f.first[i] or b.first end

  function compute.last(f, i, b) return b.last or f.last[i] end

  -- stddev is that of the population.
  function compute.stddev(f, i, b, n)
    local m2 = b.m2
    if i > 0 then
      local d = b.mean - f.mean[i]
      m2 = m2 + f.m2[i] + d * d * f.n[i] * b.n / n
    end
    return sqrt(m2 / n)
  end

  function compute.median(_, _, _, n, sorted)
    if n % 2 == 1 then return sorted[(n + 1) / 2] end
    return (sorted[n / 2] + sorted[n / 2 + 1]) / 2
  end

  -- result gives an aggregate, nil where nothing was known: of rows frames, whose columns' older values are in the first i of
  -- stacks and the newer ones in accumulators.
  function Aggregate.result(a, rows, stacks, i, accumulators, sorted)
    local k = a.of
    if not k then return rows end
    local f, b = stacks[k], accumulators[k]
    local n = (i > 0 and f.n[i] or 0) + b.n
    if a.fn == 'count' then return n end
    if n == 0 then return nil end
    local v = compute[a.fn](f, i, b, n, sorted[k])
    if v - v == 0 then return v end
  end

  -- results are a rule's aggregates by name, result(rule, a) gives each.
  function Aggregate.results(rule, result)
    local results = {}
    for _, a in ipairs(rule.aggregates) do results[a.as] = result(rule, a) end
    return results
  end

  -- view is results that are computed when they are read: a condition at each frame reads some of them.
  function Aggregate.view(rule, result)
    local by_name = {}
    for _, a in ipairs(rule.aggregates) do by_name[a.as] = a end
    return setmetatable({}, { __index = function(_, name) return result(rule, by_name[name]) end })
  end

  -- pack and unpack keep accumulators, and how many rows they have.
  function Aggregate.pack(rows, accumulators)
    local out = { struct.pack('<d', rows) }
    for _, a in ipairs(accumulators) do
      for _, part in ipairs(SAVED) do out[#out + 1] = struct.pack('<d', a[part] or 0 / 0) end
    end
    return table.concat(out)
  end

  function Aggregate.unpack(text, accumulators)
    local at = 9
    for _, a in ipairs(accumulators) do
      for _, part in ipairs(SAVED) do
        local v = struct.unpack('<d', text, at)
        a[part] = v == v and v
        at = at + 8
      end
    end
    return (struct.unpack('<d', text, 1))
  end

  -- place is where a value stands in a sorted list, or would be put.
  local function place(sorted, v)
    local low, high = 1, #sorted + 1
    while low < high do
      local mid = floor((low + high) / 2)
      if sorted[mid] < v then low = mid + 1 else high = mid end
    end
    return low
  end

  function Aggregate.insert(sorted, v)
    if v then table.insert(sorted, place(sorted, v), v) end
  end

  function Aggregate.remove(sorted, v)
    if v then table.remove(sorted, place(sorted, v)) end
  end
end
