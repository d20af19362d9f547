-- Values by name: a model's measurement or property, or a device's point.
local Reading = {}
do
  local function none(text) return text == nil and '' or text end

  -- unknown is the error for a name that there is not.
  function Reading.unknown(catalog, name)
    local hint = Suggest.name(name, catalog.readable) or Suggest.name(name, catalog.writable)
    Library.fail('unknown_name', string.format('there is no %s%s', name, hint and ': did you mean ' .. hint .. '?' or ''))
  end

  -- value gives value (text, empty while unknown), unit, quality and time in ms (empty when there is none).
  function Reading.value(site, name)
    local catalog = site.catalog
    local entry = catalog.readable[name]
    if not entry then
      if catalog.writable[name] then Library.fail('not_readable', name .. ' can be set, not read') end
      Reading.unknown(catalog, name)
    end
    if entry.property ~= nil then return { tostring(entry.property), none(entry.unit), 'good', '' } end
    if entry.reading then
      local reading = entry.reading
      local class, missed = reading.quality or 'bad', Totals.missed(catalog, reading.measurement)
      if missed > 0 then class = string.format('%s (values were missing for %.15g s in all)', class, missed / 1000) end
      return {
        reading.value and Text.number(reading.value) or '', none(reading.measurement.unit), class,
        reading.seen and string.format('%.0f', reading.seen) or '',
      }
    end
    local packed = redis.call('HGET', site.keys[5], site.head.devices[entry.device].name)
    local value, class, reason, at = Frame.point(site.layouts[entry.device], packed, entry.slot)
    return {
      value and Text.number(value) or '', none(entry.unit), reason and class .. ' (' .. reason .. ')' or class,
      at and string.format('%.0f', at) or '',
    }
  end
end
