-- What a call answers: the samples of each frame, packed, and counts of each item.
--   samples  for each item that gave some: uint16 group, uint16 how many, then of each uint16 stream (from 1), uint8 quality,
--            float64 value (0 where the quality is bad, and for texts)
--   counts   for each item: uint16 group, then uint32 taken, passed, early, same, refused, failed
local Output = {}
do
  -- SLICE samples are packed by one call, which takes so many arguments.
  local SLICE = 60
  local forms = {}

  local function form(n)
    local f = forms[n]
    if not f then
      f = '<' .. string.rep('HBd', n)
      forms[n] = f
    end
    return f
  end

  function Output.new() return { parts = {}, n = 0, counts = {}, order = {} } end

  -- count is the table of counts of an item.
  function Output.count(out, item)
    local c = out.counts[item.group]
    if not c then
      c = { taken = 0, passed = 0, early = 0, same = 0, refused = 0, failed = 0 }
      out.counts[item.group] = c
      out.order[#out.order + 1] = item.group
    end
    return c
  end

  -- add appends n samples of a group; list has stream, quality and value of each, one behind the other.
  function Output.add(out, group, list, n)
    if n == 0 then return end
    local parts, at = out.parts, out.n + 1
    parts[at] = struct.pack('<HH', group, n)
    for from = 1, n, SLICE do
      local last = math.min(from + SLICE - 1, n)
      at = at + 1
      parts[at] = struct.pack(form(last - from + 1), unpack(list, 3 * from - 2, 3 * last))
    end
    out.n = at
  end

  -- take gives the samples that were added, nil when there are none, and empties the list.
  function Output.take(out)
    if out.n == 0 then return nil end
    local text = table.concat(out.parts, '', 1, out.n)
    out.n = 0
    return text
  end

  function Output.counts(out)
    local parts = {}
    for i, group in ipairs(out.order) do
      local c = out.counts[group]
      parts[i] = struct.pack('<HI4I4I4I4I4I4', group, c.taken, c.passed, c.early, c.same, c.refused, c.failed)
    end
    return table.concat(parts)
  end
end
