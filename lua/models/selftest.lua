-- A check of the library in memory: no keys.
local SelfTest = {}
do
  -- run gives nothing, or what was wrong.
  function SelfTest.run()
    for text, x in pairs({ ['55.2'] = 55.2, ['0.1'] = 0.1, ['-3'] = -3, ['1e+300'] = 1e300, ['0.30000000000000004'] = 0.1 + 0.2 }) do
      if Text.number(x) ~= text then return 'the number ' .. text .. ' is written ' .. Text.number(x) end
    end
    for text, ms in pairs({
      ['1970-01-01T00:00:00.000Z'] = 0, ['2024-02-29T23:59:59.999Z'] = 1709251199999, ['2000-03-01T00:00:00.000Z'] = 951868800000,
    }) do
      if Text.time(ms) ~= text then return 'the time ' .. text .. ' is written ' .. Text.time(ms) end
    end
    local D = { index = { a = 1 }, { known = false } }
    local site = { keys = { 'v:{x}:epoch' }, D = D, head = { devices = { { name = 'a', n = 1, id = 7, points = { { 'x', 'V' } } } } }, items = {
      { name = 'm', rev = '1', measurements = { { name = 'half', dev = { 1 }, inputs = { { 'a.x', 1, 1 } },
        value = function() return Logic.div(D[1][1], 2) end } } },
    } }
    site.layouts = { Frame.layout(site.head.devices[1]) }
    local catalog = Catalog.build(site)
    local reading = catalog.models.m.readings[1]
    local packed = struct.pack('<BBHI4dd', 1, 3, 1, 7, 1000, 5) .. string.char(1, 1)
    Frame.take(site.layouts[1], D[1], packed)
    Catalog.receive(site, 1, packed)
    if not Mirror.evaluate(site, reading, 1000) or reading.value ~= 2.5 or reading.quality ~= 'uncertain' then
      return 'a measurement over an uncertain 5 is not an uncertain 2.5'
    end
    if Mirror.evaluate(site, reading, 2000) then return 'a measurement that did not change is said to have' end
    site.items[2] = { total = 1, of = 'm.sum', kind = 'energy', rev = '1', dev = { 1 }, limit = 7200000, value = function() return D[1][1] end }
    site.state = { items = {}, marked = {}, order = {} }
    Catalog.build(site)
    for _, t in ipairs({ 0, 1800000 }) do Totals.take(site, 1, t, t) end
    if D.totals[1] ~= 2.5 then return '5 kW for half an hour are said to be ' .. tostring(D.totals[1]) end
    return nil
  end
end
