-- What a window comes to that holds no frames: the same as Held, as far as such a window needs it. It is a text of the library's state,
-- NAME@sums: the time, how many frames there were, and each column's sums.
--#include shared/site.lua
--#include rules/aggregate.lua
local Sums = {}
do
  local function numbers(...) return struct.pack('<' .. string.rep('d', select('#', ...)), ...) end

  function Sums.new(site, rule)
    local item, columns, rows = rule.name .. '@sums', Aggregate.columns(rule), 0
    local h, items, log = { columns = columns }, site.state.items, site.state.texts

    local text

    local function source() return text end

    local function load()
      text = items[item]
      items[item] = nil
      log.own(item, source)
      if not text then return end
      local t
      t, rows = struct.unpack('<dd', text)
      local at = 17
      for _, column in ipairs(columns) do
        local kept = select('#', column.kept())
        column.keep(struct.unpack('<' .. string.rep('d', kept), text, at))
        at = at + 8 * kept
      end
      Site.since(site, t)
    end

    function h.add(t, row)
      rows = rows + 1
      text = struct.pack('<dd', t, rows)
      for k = 1, #columns do
        local column = columns[k]
        column.add(row[k])
        text = text .. numbers(column.kept())
      end
      log.replace(item, text, source)
    end

    function h.clear()
      rows = 0
      for _, column in ipairs(columns) do column.clear() end
      text = nil
      log.drop(item)
    end

    function h.rows() return rows end

    load()
    return h
  end
end
