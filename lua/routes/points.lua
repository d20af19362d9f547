-- Numeric points of one device on their way through one route.
local Points = {}
do
  local byte = string.byte
  local list = {}

  function Points.prepare(site, item)
    local device = site.head.devices[item.device]
    item.layout = Frame.layout({ name = device.name, n = device.n, id = device.id, used = item.slots })
    item.values = {}
    Thinning.prepare(item)
  end

  -- take judges all points of a frame at t, and adds those that go.
  function Points.take(site, item, packed, t, out)
    local slots, v, quality = item.slots, item.values, item.layout.quality
    local gain, offset = item.gain, item.offset
    local count = Output.count(out, item)
    local s = item.thin and Thinning.state(site, item, #slots) or nil
    if s and Thinning.none(item, count, s, #slots, t) then return end
    item.layout.read(v, packed)
    local n = 0
    for k = 1, #slots do
      local slot = slots[k]
      local q, x = byte(packed, quality + slot), v[slot]
      if q % 4 >= 2 or x - x ~= 0 then
        x = false
      elseif gain then
        x = x * gain[k] + offset[k]
        if x - x ~= 0 then q, x = 22, false end
      end
      if Thinning.pass(site, item, count, s, k, t, q, x) then
        list[n + 1], list[n + 2], list[n + 3] = k, q, x or 0
        n = n + 3
      end
    end
    Output.add(out, item.group, list, n / 3)
  end
end
