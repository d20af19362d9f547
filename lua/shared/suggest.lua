-- Did-you-mean: the name that somebody may have meant.
local Suggest = {}
do
  -- LONGEST and MOST bound the work: names of that length, and that many of them.
  local LONGEST, MOST, FURTHEST = 64, 2000, 3

  -- distance is the number of edits from a to b, or FURTHEST + 1 when it is more than FURTHEST.
  local function distance(a, b)
    local before = {}
    for j = 0, #b do before[j] = j end
    for i = 1, #a do
      local row, least = { [0] = i }, i
      for j = 1, #b do
        local cost = string.byte(a, i) == string.byte(b, j) and 0 or 1
        local edits = math.min(before[j] + 1, row[j - 1] + 1, before[j - 1] + cost)
        row[j] = edits
        if edits < least then least = edits end
      end
      if least > FURTHEST then return FURTHEST + 1 end
      before = row
    end
    return before[#b]
  end

  -- name gives the key of names that is nearest to what was written, or nil when none is near. Ties go by name.
  function Suggest.name(written, names)
    if #written > LONGEST then return nil end
    local limit = math.min(FURTHEST, math.floor(#written / 2))
    local best, least, looked = nil, limit + 1, 0
    for name in pairs(names) do
      looked = looked + 1
      if looked > MOST then break end
      if #name <= LONGEST and math.abs(#name - #written) <= limit then
        local edits = distance(string.lower(written), string.lower(name))
        if edits < least or edits == least and best and name < best then best, least = name, edits end
      end
    end
    return best
  end
end
