-- Text points of one device on their way through one route. The texts themselves stay where they are: the agent has the frame.
local Texts = {}
do
  local byte, sub = string.byte, string.sub
  -- KEPT is the longest text that is kept as it is; of a longer one its hash.
  local KEPT = 40
  local list = {}

  function Texts.prepare(site, item)
    local device = site.head.devices[item.device]
    item.layout = Frame.layout({ name = device.name, n = device.n, id = device.id, used = {} })
    item.place = {}
    Thinning.prepare(item)
    for k, i in ipairs(item.texts) do item.place[i] = k end
  end

  local function short(text)
    if #text <= KEPT then return text end
    return redis.sha1hex(text)
  end

  function Texts.take(site, item, packed, t, out)
    local at = item.layout.size + 1
    if #packed < at + 1 then return end
    local total = byte(packed, at) + 256 * byte(packed, at + 1)
    at = at + 2
    local count = Output.count(out, item)
    local s = item.thin and Thinning.state(site, item, #item.texts) or nil
    if s and Thinning.none(item, count, s, #item.texts, t) then return end
    local n = 0
    for i = 1, total do
      local q, length = byte(packed, at), byte(packed, at + 2) + 256 * byte(packed, at + 3)
      local k = item.place[i]
      if k then
        local x = q % 4 < 2 and s and short(sub(packed, at + 4, at + 3 + length)) or false
        if Thinning.pass(site, item, count, s, k, t, q, x) then
          list[n + 1], list[n + 2], list[n + 3] = k, q, 0
          n = n + 3
        end
      end
      at = at + 4 + length
    end
    Output.add(out, item.group, list, n / 3)
  end
end
