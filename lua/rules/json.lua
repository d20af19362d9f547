-- What flows did, as JSON text with exact numbers.
local Json = {}
do
  local function quote(s)
    return '"' .. string.gsub(s, '[%z\1-\31"\\]', function(c) return string.format('\\u%04x', string.byte(c)) end) .. '"'
  end

  -- NULL stands for a value that is not known. LIST is the key under which a list has its length.
  Json.NULL, Json.LIST = {}, {}

  -- encode writes numbers, texts, true, false, NULL, lists and tables with text keys, which are sorted.
  function Json.encode(v)
    local kind = type(v)
    if v == Json.NULL or v == nil then return 'null' end
    if kind == 'number' then
      local short = string.format('%.15g', v)
      return tonumber(short) == v and short or string.format('%.17g', v)
    end
    if kind == 'boolean' then return tostring(v) end
    if kind == 'string' then return quote(v) end
    local out = {}
    if v[Json.LIST] then
      for i = 1, v[Json.LIST] do out[i] = Json.encode(v[i]) end
      return '[' .. table.concat(out, ',') .. ']'
    end
    local keys = {}
    for k in pairs(v) do keys[#keys + 1] = k end
    table.sort(keys)
    for i, k in ipairs(keys) do out[i] = quote(k) .. ':' .. Json.encode(v[k]) end
    return '{' .. table.concat(out, ',') .. '}'
  end
end
