-- A check of the library in memory: no keys.
local SelfTest = {}
do
  local function frame(t, x, quality)
    return struct.pack('<BBHI4dd', 1, quality == 0 and 1 or 0, 1, 7, t, x) .. string.char(quality, 1)
  end

  -- run gives nothing, or what was wrong.
  function SelfTest.run()
    local D = { index = { a = 1 }, { known = false } }
    local item = { name = 'g', group = 1, device = 1, rev = '1', slots = { 1 }, gain = { 2 }, offset = { 1 }, thin = true, every_ms = 1000,
      change = true, deadband = 0.5, percent = 0, max_ms = 60000 }
    local site = { keys = {}, D = D, head = { rev = '1', devices = { { name = 'a', n = 1, id = 7, used = {} } } }, items = { item },
      state = { items = {}, marked = {}, order = {} } }
    Points.prepare(site, item)
    local function send(base, from, to, t, x, quality)
      Ledger.begin(site, base, from, to)
      site.turn = (site.turn or 0) + 1
      local out = Output.new()
      Points.take(site, item, frame(t, x, quality), t, out)
      local text = Output.take(out)
      return text and { struct.unpack('<HHHBd', text) } or nil
    end
    local first = send(0, 0, 1, 0, 5, 0)
    if not first or first[5] ~= 11 then return 'the first sample, 5 times 2 plus 1, does not go out as 11' end
    if send(0, 1, 2, 500, 9, 0) then return 'a sample goes out half a second behind the one before, where one second is the least' end
    if send(0, 2, 3, 1500, 5.2, 0) then return 'a sample goes out within the deadband' end
    if not send(0, 3, 4, 2500, 6, 0) then return 'a sample beyond the deadband does not go out' end
    local again = send(0, 0, 1, 0, 5, 0)
    if not again or again[5] ~= 11 then return 'a batch that is given again is not shaped as before' end
    local bad = send(1, 1, 2, 1500, 5, 6)
    if not bad or bad[4] ~= 6 then return 'a change to bad quality does not go out' end
    return nil
  end
end
