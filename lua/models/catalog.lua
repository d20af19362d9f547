-- The catalog: what the program says there is. Models with measurements, actions and properties; outputs; devices.
local Catalog = {}
do
  -- prefix is what all keys of the site begin with, from the name of the epoch key.
  local function prefix(keys) return string.sub(keys[1], 1, -#'epoch' - 1) end

  local function add_model(site, catalog, item)
    local model = { item = item, name = item.name, key = prefix(site.keys) .. 'model:' .. item.name, written = nil, readings = {} }
    catalog.models[item.name] = model
    catalog.order[#catalog.order + 1] = model
    for k, measurement in ipairs(item.measurements or {}) do
      model.readings[k] = { measurement = measurement, known = false }
      catalog.readable[item.name .. '.' .. measurement.name] = { model = model, reading = model.readings[k] }
      for _, i in ipairs(measurement.dev or {}) do
        local readers = catalog.readers[i] or {}
        catalog.readers[i] = readers
        readers[#readers + 1] = { model = model, reading = model.readings[k] }
      end
    end
    for name, value in pairs(item.properties or {}) do
      catalog.readable[item.name .. '.' .. name] = { property = value, unit = (item.property_units or {})[name] }
    end
    for _, action in ipairs(item.actions or {}) do
      catalog.writable[item.name .. '.' .. action.name] = {
        output = action.output, factor = action.factor or 1, min = action.min, max = action.max, unit = action.unit,
      }
    end
  end

  -- points makes the points of the devices readable by name. The head says name and unit of each, in slot order; only that
  -- of the models' program needs to.
  local function points(site, catalog)
    for i, device in ipairs(site.head.devices) do
      for slot, point in ipairs(device.points or {}) do
        local full = device.name .. '.' .. point[1]
        if not catalog.readable[full] then
          catalog.readable[full] = { device = i, slot = slot, unit = point[2] }
        end
      end
    end
  end

  -- build makes the catalog of a site that was opened anew. Nothing is written.
  function Catalog.build(site)
    local catalog = {
      models = {}, order = {}, readers = {}, readable = {}, writable = {}, packed = {}, newest = {}, good = {}, sweep_at = 0, cursor = '0', ids = {},
    }
    site.catalog = catalog
    for _, item in ipairs(site.items) do
      if item.name then
        add_model(site, catalog, item)
      elseif item.output then
        catalog.writable[item.output] = { output = item.output, factor = 1, min = item.min, max = item.max, unit = item.unit }
      end
    end
    -- An action's output may be named by itself too.
    for _, model in ipairs(catalog.order) do
      for _, action in ipairs(model.item.actions or {}) do
        if not catalog.writable[action.output] then
          catalog.writable[action.output] = { output = action.output, factor = 1, min = action.min, max = action.max }
        end
      end
    end
    points(site, catalog)
    Totals.build(site, catalog)
    return catalog
  end

  local zeros = {}

  -- all_good tells whether no point of a frame has a quality other than good, which is 0.
  local function all_good(layout, packed)
    local n = layout.n
    zeros[n] = zeros[n] or string.rep('\0', n)
    return string.sub(packed, layout.quality + 1, layout.quality + n) == zeros[n]
  end

  -- receive keeps a device's newest frame for quality and time.
  function Catalog.receive(site, i, packed)
    local catalog = site.catalog
    catalog.packed[i] = packed
    catalog.good[i] = all_good(site.layouts[i], packed)
    catalog.newest[i] = struct.unpack('<d', packed, 9)
  end
end
