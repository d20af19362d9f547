-- Values that are computed for a sink. What they read is the sink's: the frames up to its place in the journal, not the newest.
local Computed = {}
do
  -- NOT_AVAILABLE is a bad quality for a value that can't be computed from good ones.
  local NOT_AVAILABLE = 22
  local list = {}

  function Computed.input(name) return 'frame ' .. name end

  -- receive keeps a frame of a device that is read, and puts its values where the expressions find them.
  function Computed.receive(site, i, packed)
    Ledger.open(site, Computed.input(site.head.devices[i].name)).now = packed
    Frame.take(site.layouts[i], site.D[i], packed)
  end

  -- restore puts the kept frames where the expressions find them.
  function Computed.restore(site)
    for i, device in ipairs(site.head.devices) do
      Frame.take(site.layouts[i], site.D[i], Ledger.look(site, Computed.input(device.name)))
    end
  end

  -- worst is the worst quality of what an item reads.
  local function worst(site, item)
    local quality = 0
    for _, input in ipairs(item.inputs) do
      local packed = Ledger.look(site, Computed.input(site.head.devices[input[2]].name))
      local q = 6 -- bad, never read
      if packed then q = string.byte(packed, site.layouts[input[2]].quality + input[3]) end
      if q % 4 > quality % 4 then quality = q end
    end
    return quality
  end

  function Computed.take(site, item, t, out)
    local count = Output.count(out, item)
    local ok, x = pcall(item.value)
    if not ok then
      count.failed = count.failed + 1
      x = nil
    end
    local q = worst(site, item)
    if x == nil or x - x ~= 0 then
      x = false
      if q % 4 < 2 then q = NOT_AVAILABLE end
    elseif q % 4 >= 2 then
      q = 1 -- known all the same, as coalesce makes it: uncertain
    end
    local s = item.thin and Thinning.state(site, item, 1) or nil
    if Thinning.pass(site, item, count, s, 1, t, q, x) then
      list[1], list[2], list[3] = 1, q, x or 0
      Output.add(out, item.group, list, 1)
    end
  end
end
