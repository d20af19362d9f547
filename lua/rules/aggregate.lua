-- Aggregates over the entries of a window: lists {t, value, value, …}, where false is a value that is not known.
local Aggregate = {}
do
  local sqrt = math.sqrt

  local compute = {}

  function compute.count(values) return #values end
  function compute.first(values) return values[1] end
  function compute.last(values) return values[#values] end

  function compute.sum(values)
    local total = 0
    for i = 1, #values do total = total + values[i] end
    return total
  end

  function compute.avg(values) return compute.sum(values) / #values end

  function compute.min(values)
    local least = values[1]
    for i = 2, #values do if values[i] < least then least = values[i] end end
    return least
  end

  function compute.max(values)
    local most = values[1]
    for i = 2, #values do if values[i] > most then most = values[i] end end
    return most
  end

  -- stddev is that of the population.
  function compute.stddev(values)
    local mean, total = compute.avg(values), 0
    for i = 1, #values do total = total + (values[i] - mean) ^ 2 end
    return sqrt(total / #values)
  end

  function compute.median(values)
    local sorted = {}
    for i = 1, #values do sorted[i] = values[i] end
    table.sort(sorted)
    local n = #sorted
    if n % 2 == 1 then return sorted[(n + 1) / 2] end
    return (sorted[n / 2] + sorted[n / 2 + 1]) / 2
  end

  -- results gives the aggregates by name, nil where nothing was known.
  function Aggregate.results(aggregates, entries)
    local results = {}
    for k, a in ipairs(aggregates) do
      if not a.value then
        results[a.as] = #entries
      else
        local values = {}
        for i = 1, #entries do
          local v = entries[i][k + 1]
          if v then values[#values + 1] = v end
        end
        if a.fn == 'count' then
          results[a.as] = #values
        elseif #values > 0 then
          local v = compute[a.fn](values)
          if v - v == 0 then results[a.as] = v end
        end
      end
    end
    return results
  end

  -- entry is what a window keeps of a frame.
  function Aggregate.entry(aggregates, t)
    local entry = { t }
    for k, a in ipairs(aggregates) do
      local v = a.value and a.value()
      entry[k + 1] = v == nil and false or v
    end
    return entry
  end
end
