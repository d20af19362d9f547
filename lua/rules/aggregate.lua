-- Aggregates of values, kept so that one more or less costs the same however many there are. A window collects columns of
-- values. Those of a column, from the oldest on, are in
--   the front    the values of one chunk, of which the oldest go one by one; with what comes behind them in blocks,
--                they are summed up from each of them on when an aggregate is read
--   blocks       chunks on a stack, the oldest at the top, each summed up with those below
--   newer ones   chunks that came since then, summed up
--   current ones what came since the last of these
-- What is not known is NaN.
local Aggregate = {}
do
  local floor, huge, NAN = math.floor, math.huge, 0 / 0

  local NEEDS = { avg = 'sum', sum = 'sum', min = 'min', max = 'max', first = 'first', last = 'last', stddev = 'spread', median = 'sorted' }

  -- EMPTY is what no values come to; m2 is the sum of the squares of the deviations from the mean.
  local EMPTY = { known = 0, sum = 0, min = huge, max = -huge, first = NAN, last = NAN, mean = 0, m2 = 0 }

  -- pool gives mean and m2 of older and newer values together.
  local function pool(older, mean, m2, newer, mean2, m22)
    if older == 0 then return mean2, m22 end
    if newer == 0 then return mean, m2 end
    local d, both = mean2 - mean, older + newer
    return mean + d * newer / both, m2 + m22 + d * d * older * newer / both
  end

  -- join gives what older and newer values come to together.
  local function join(older, newer)
    local mean, m2 = pool(older.known, older.mean, older.m2, newer.known, newer.mean, newer.m2)
    return {
      known = older.known + newer.known, sum = older.sum + newer.sum, min = math.min(older.min, newer.min), max = math.max(older.max, newer.max),
      first = older.known > 0 and older.first or newer.first, last = newer.known > 0 and newer.last or older.last, mean = mean, m2 = m2,
    }
  end

  -- needs says of each column what has to be kept.
  local function needs(rule)
    local out = {}
    for k = 1, #rule.values do out[k] = {} end
    for _, a in ipairs(rule.aggregates) do
      if a.of and NEEDS[a.fn] then out[a.of][NEEDS[a.fn]] = true end
    end
    return out
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

  -- with has, for each kind of sum, what x and one older value come to.
  local with = {}

  function with.known(x, v) return v == v and x + 1 or x end

  function with.min(x, v) return v < x and v or x end

  function with.max(x, v) return v > x and v or x end

  function with.first(x, v) return v == v and v or x end

  function with.last(x, v) return x == x and x or v end

  -- A fold goes on from x over the values of a front, from the newest to the oldest: row[at - step], row[at - 2 * step], …, count of them.
  -- What it comes to at each is put in a list.
  local function fold(with_one, list, x, row, at, count, step)
    for k = 1, count do
      at = at - step
      x = with_one(x, row[at])
      list[k] = x
    end
  end

  -- fold_sum is of two lists, what it comes to, and how many are known: averages are read at each sample.
  local function fold_sum(list, x, row, at, count, step, known, n)
    for k = 1, count do
      at = at - step
      local v = row[at]
      if v == v then x, n = x + v, n + 1 end
      list[k], known[k] = x, n
    end
  end

  -- fold_spread is of two lists, too: the mean, and the sum of the squares of the deviations from it. before is how many values are known
  -- behind the front, known how many from each of it on.
  local function fold_spread(means, squares, mean, m2, row, at, count, step, known, before)
    local n = before
    for k = 1, count do
      at = at - step
      local v = row[at]
      if v == v then
        local d, share = mean - v, n / (n + 1)
        mean, m2 = v + d * share, m2 + d * d * share
      end
      means[k], squares[k] = mean, m2
      n = known[k]
    end
  end

  local function finite(v)
    if v - v == 0 then return v end
  end

  -- column makes a column of no values. It has
  --   add(v)              a value comes, behind all others
  --   fill(chunk)         the current values are a chunk's last ones
  --   block(chunk, n)     a chunk of the newer values becomes block n
  --   front(row, from, count, step, below)  values are the front's now, the oldest first: row[from], row[from + step], …;
  --                       behind them are so many blocks as are below
  --   pop()               the front's oldest value goes
  --   turn()              the newer values go; turn(true): the current ones too
  --   clear()             all go
  --   read[fn]()          an aggregate, nil where nothing is known
  --   kept(), keep(...)   what the current values come to, as numbers to be kept
  -- add and pop run for each sample.
  local function column(need)
    local keeps_spread, keeps_sorted = need.spread, need.sorted
    local keeps_others = need.first or need.last or need.sorted
    -- What the current values come to, and the newer ones, with the chunks that are in them.
    local known, sum, min, max, first, last, mean, m2 = 0, 0, huge, -huge, NAN, NAN, 0, 0
    local newer, newer_known, newer_sum, newer_min, newer_max, chunks = EMPTY, 0, 0, huge, -huge, {}
    -- What the blocks come to.
    local on = { [0] = EMPTY }
    -- The front: its number, what it was called with, and its oldest value that is left, as the i-th newest; by kind of sum what it comes
    -- to from each of its values on, and for the front of which number.
    local number, i, row, from, count, step, below = 0, 0, nil, 0, 0, 0, 0
    local at, of = {}, {}
    for kind in pairs(EMPTY) do at[kind], of[kind] = {}, 0 end
    local at_known, at_sum, at_min, at_max = at.known, at.sum, at.min, at.max
    -- The known values of all, in order.
    local sorted = {}

    -- list has what the front comes to.
    local function list(kind)
      local out = at[kind]
      if of[kind] == number then return out end
      of[kind] = number
      local block, past = on[below], from + count * step
      if kind == 'sum' then
        of.known = number
        fold_sum(out, block.sum, row, past, count, step, at_known, block.known)
      else
        fold(with[kind], out, block[kind], row, past, count, step)
      end
      return out
    end

    local function spread()
      if of.mean ~= number then
        of.mean = number
        local block = on[below]
        fold_spread(at.mean, at.m2, block.mean, block.m2, row, from + count * step, count, step, list('known'), block.known)
      end
      return at.mean[i], at.m2[i]
    end

    local c, read = {}, {}
    c.read = read

    function c.add(v)
      if v ~= v then return end
      known = known + 1
      sum = sum + v
      if v < min then min = v end
      if v > max then max = v end
      if keeps_spread then
        local d = v - mean
        mean = mean + d / known
        m2 = m2 + d * (v - mean)
      end
      if keeps_others then
        if known == 1 then first = v end
        last = v
        if keeps_sorted then table.insert(sorted, place(sorted, v), v) end
      end
    end

    local function reset()
      known, sum, min, max, first, last, mean, m2 = 0, 0, huge, -huge, NAN, NAN, 0, 0
    end

    function c.fill(chunk)
      local whole = { known = known, sum = sum, min = min, max = max, first = first, last = last, mean = mean, m2 = m2 }
      chunks[chunk], newer = whole, join(newer, whole)
      newer_known, newer_sum, newer_min, newer_max = newer.known, newer.sum, newer.min, newer.max
      reset()
    end

    function c.block(chunk, n) on[n] = join(chunks[chunk], on[n - 1]) end

    function c.front(...)
      row, from, count, step, below = ...
      number, i = number + 1, count
    end

    function c.pop()
      if keeps_sorted then
        local v = row[from + (count - i) * step]
        if v == v then table.remove(sorted, place(sorted, v)) end
      end
      i = i - 1
    end

    function c.turn(all)
      newer, newer_known, newer_sum, newer_min, newer_max, chunks = EMPTY, 0, 0, huge, -huge, {}
      if all then reset() end
    end

    function c.clear()
      c.turn(true)
      i, sorted = 0, {}
    end

    function read.count()
      local n = newer_known + known
      return i == 0 and n or list('known')[i] + n
    end

    function read.sum()
      if read.count() > 0 then return finite((i == 0 and 0 or list('sum')[i]) + newer_sum + sum) end
    end

    function read.avg()
      if i == 0 then return finite((newer_sum + sum) / (newer_known + known)) end
      if of.sum ~= number then list('sum') end
      local v = (at_sum[i] + newer_sum + sum) / (at_known[i] + newer_known + known)
      if v - v == 0 then return v end
    end

    function read.min()
      local least = newer_min < min and newer_min or min
      if i > 0 then
        if of.min ~= number then list('min') end
        local v = at_min[i]
        if v < least then return v - v == 0 and v or nil end
      end
      if least - least == 0 then return least end
    end

    function read.max()
      local most = newer_max > max and newer_max or max
      if i > 0 then
        if of.max ~= number then list('max') end
        local v = at_max[i]
        if v > most then return v - v == 0 and v or nil end
      end
      if most - most == 0 then return most end
    end

    function read.first()
      if i > 0 and list('known')[i] > 0 then return list('first')[i] end
      return finite(newer.known > 0 and newer.first or first)
    end

    function read.last()
      if known > 0 then return last end
      return finite(newer.known == 0 and i > 0 and list('last')[i] or newer.last)
    end

    -- stddev is that of the population.
    function read.stddev()
      local n, u, q = newer.known, newer.mean, newer.m2
      if i > 0 then
        local older, older_mean, older_m2 = list('known')[i], spread()
        u, q = pool(older, older_mean, older_m2, n, u, q)
        n = n + older
      end
      local _, squares = pool(n, u, q, known, mean, m2)
      return finite(math.sqrt(squares / (n + known)))
    end

    function read.median()
      local n = #sorted
      if n % 2 == 1 then return sorted[(n + 1) / 2] end
      if n > 0 then return (sorted[n / 2] + sorted[n / 2 + 1]) / 2 end
    end

    function c.kept() return known, sum, min, max, first, last, mean, m2 end

    function c.keep(...) known, sum, min, max, first, last, mean, m2 = ... end

    return c
  end

  -- columns makes those of a rule.
  function Aggregate.columns(rule)
    local out = needs(rule)
    for k, need in ipairs(out) do out[k] = column(need) end
    return out
  end

  -- readers has the functions that give a rule's aggregates, nil where nothing is known, by name; rows() says of how many frames.
  function Aggregate.readers(rule, columns, rows)
    local readers = {}
    for _, a in ipairs(rule.aggregates) do readers[a.as] = a.of and columns[a.of].read[a.fn] or rows end
    return readers
  end
end
