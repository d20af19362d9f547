-- Packed frames (sdk/frame, layout 1) into the table of values that compiled conditions read.
--#include shared/library.lua
local Frame = {}
do
  local byte, sub, floor = string.byte, string.sub, math.floor

  local VERSION, HEADER, FLAG_KNOWN, BAD = 1, 16, 1, 2
  -- SLICE values are unpacked and assigned in one statement: Lua has 250 registers a function.
  local SLICE = 100

  local reasons = { 'never read', 'no answer', 'stale', 'refused by the device', 'not available', 'channel stopped', 'out of range' }

  -- reader makes a function (values, packed) that assigns the used slots of a frame of which all are known.
  local function reader(used)
    local code = { 'local unpack = ...\nreturn function(v, s)\n' }
    local i = 1
    while i <= #used do
      local first, last = i, i
      while last < #used and last - first + 1 < SLICE and used[last + 1] == used[last] + 1 do last = last + 1 end
      local targets = {}
      for k = first, last do targets[#targets + 1] = 'v[' .. used[k] .. ']' end
      code[#code + 1] = string.format('%s = unpack("<%s", s, %d)\n', table.concat(targets, ', '),
        string.rep('d', #targets), HEADER + 8 * (used[first] - 1) + 1)
      i = last + 1
    end
    code[#code + 1] = 'end'
    return assert(loadstring(table.concat(code), '=reader'))(struct.unpack)
  end

  -- layout prepares the reading of a device's frames. device is an entry of a program's head: name, n, id, and used, the
  -- slots that the program reads in rising order (missing: all).
  function Frame.layout(device)
    local used = device.used
    if not used then
      used = {}
      for i = 1, device.n do used[i] = i end
    end
    return {
      name = device.name, n = device.n, used = used, aged = device.aged, graded = device.graded,
      head = struct.pack('<HI4', device.n, device.id),
      size = HEADER + 9 * device.n + floor((device.n + 7) / 8),
      quality = HEADER + 8 * device.n,
      read = reader(used), silence = {},
    }
  end

  -- fits tells whether a packed frame is one of the layout's point table.
  function Frame.fits(layout, packed)
    return byte(packed, 1) == VERSION and sub(packed, 3, 8) == layout.head and #packed >= layout.size
  end

  -- silent tells whether all numbers of a frame have the same quality: that of a device that does not answer.
  local function silent(layout, packed, quality)
    local like = layout.silence[quality]
    if not like then
      like = string.rep(string.char(quality), layout.n)
      layout.silence[quality] = like
    end
    return sub(packed, layout.quality + 1, layout.quality + layout.n) == like
  end

  -- take puts a frame's values into v, nil where the quality is bad, and sets v.known; v.bad lists the slots that are nil when
  -- others are not. A frame of another point table, or none, makes all unknown. Where the program asks for ages, v.t is the
  -- frame's source time in ms; where it asks for qualities, v.qualities has a byte of each slot. What is not so is false: to set
  -- a key to nil that is not there may cost as much as a new one, and at each frame.
  function Frame.take(layout, v, packed)
    if layout.graded then
      local fits = packed and Frame.fits(layout, packed)
      v.qualities = fits and sub(packed, layout.quality + 1, layout.quality + layout.n) or nil
    end
    if not packed or not Frame.fits(layout, packed) then
      for _, slot in ipairs(layout.used) do v[slot] = nil end
      v.known = #layout.used == 0
      v.bad, v.t = false, nil
      return
    end
    if layout.aged then v.t = struct.unpack('<d', packed, 9) end
    local first = byte(packed, layout.quality + 1)
    if first and first % 4 >= BAD and silent(layout, packed, first) then
      if not v.silent then
        for _, slot in ipairs(layout.used) do v[slot] = nil end
      end
      v.known, v.bad, v.silent = #layout.used == 0, false, true
      return
    end
    v.silent = false
    layout.read(v, packed)
    if byte(packed, 2) % 2 == FLAG_KNOWN then
      v.known, v.bad = true, false
      return
    end
    local used, quality, bad, n = layout.used, layout.quality, {}, 0
    for k = 1, #used do
      local slot = used[k]
      local x = v[slot]
      if byte(packed, quality + slot) % 4 >= BAD or x - x ~= 0 then
        v[slot] = nil
        n = n + 1
        bad[n] = slot
      end
    end
    v.known = n == 0
    v.bad = n > 0 and n < #used and bad
  end

  -- point reads one numeric slot of a packed frame: value (nil when bad), class (good, uncertain or bad), reason (text, or
  -- nil) and source time in ms. Nothing when the frame is not of the layout.
  function Frame.point(layout, packed, slot)
    if not packed or not Frame.fits(layout, packed) then return nil, 'bad', 'never read', nil end
    local q = byte(packed, layout.quality + slot)
    local class, reason = q % 4, reasons[floor(q / 4)]
    local at = struct.unpack('<d', packed, 9)
    if class >= BAD then return nil, 'bad', reason, at end
    return struct.unpack('<d', packed, HEADER + 8 * (slot - 1) + 1), class == 0 and 'good' or 'uncertain', reason, at
  end
end
