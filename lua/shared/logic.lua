-- Three-valued logic and arithmetic of compiled programs: nil is unknown, and so is every number that is not finite.
-- Programs get this table as H.
local Logic = {}
do
  local floor, abs, select, byte = math.floor, math.abs, select, string.byte

  -- finite gives back a finite number and makes nil of all else.
  local function finite(x)
    if x - x == 0 then return x end
    return nil
  end

  function Logic.all(a, b)
    if a == false or b == false then return false end
    if a == nil or b == nil then return nil end
    return true
  end

  function Logic.any(a, b)
    if a or b then return true end
    if a == nil or b == nil then return nil end
    return false
  end

  function Logic.no(a)
    if a == nil then return nil end
    return not a
  end

  function Logic.eq(a, b) if a == nil or b == nil then return nil end return a == b end
  function Logic.ne(a, b) if a == nil or b == nil then return nil end return a ~= b end
  function Logic.lt(a, b) if a == nil or b == nil then return nil end return a < b end
  function Logic.le(a, b) if a == nil or b == nil then return nil end return a <= b end
  function Logic.gt(a, b) if a == nil or b == nil then return nil end return a > b end
  function Logic.ge(a, b) if a == nil or b == nil then return nil end return a >= b end

  function Logic.add(a, b) if a == nil or b == nil then return nil end return finite(a + b) end
  function Logic.sub(a, b) if a == nil or b == nil then return nil end return finite(a - b) end
  function Logic.mul(a, b) if a == nil or b == nil then return nil end return finite(a * b) end
  function Logic.div(a, b) if a == nil or b == nil or b == 0 then return nil end return finite(a / b) end
  function Logic.minus(a) if a == nil then return nil end return -a end

  -- mod has the sign of the dividend, as in HCL.
  function Logic.mod(a, b)
    if a == nil or b == nil or b == 0 then return nil end
    return finite(math.fmod(a, b))
  end

  function Logic.abs(a) if a == nil then return nil end return abs(a) end
  function Logic.floor(a) if a == nil then return nil end return floor(a) end
  function Logic.ceil(a) if a == nil then return nil end return math.ceil(a) end

  -- round goes away from zero at a half.
  function Logic.round(a)
    if a == nil then return nil end
    local whole = floor(abs(a))
    if abs(a) - whole >= 0.5 then whole = whole + 1 end
    if a < 0 then return -whole end
    return whole
  end

  -- clamp is unknown when its limits cross.
  function Logic.clamp(x, lo, hi)
    if x == nil or lo == nil or hi == nil or lo > hi then return nil end
    if x < lo then return lo end
    if x > hi then return hi end
    return x
  end

  function Logic.min(...)
    local least = (...)
    for i = 1, select('#', ...) do
      local x = select(i, ...)
      if x == nil then return nil end
      if x < least then least = x end
    end
    return least
  end

  function Logic.max(...)
    local most = (...)
    for i = 1, select('#', ...) do
      local x = select(i, ...)
      if x == nil then return nil end
      if x > most then most = x end
    end
    return most
  end

  function Logic.sum(...)
    local total = 0
    for i = 1, select('#', ...) do
      local x = select(i, ...)
      if x == nil then return nil end
      total = total + x
    end
    return finite(total)
  end

  function Logic.avg(...)
    return Logic.div(Logic.sum(...), select('#', ...))
  end

  -- coalesce is the first known of its arguments.
  function Logic.coalesce(...)
    for i = 1, select('#', ...) do
      local x = select(i, ...)
      if x ~= nil then return x end
    end
    return nil
  end

  function Logic.known(x) return x ~= nil end

  -- captured is a value of a frame that a sequence captured as name: of the only one, or of a repeat's by index from 0, or
  -- from the end: -1 is the last, -2 the one before it.
  function Logic.captured(C, name, index, value)
    local held = C[name]
    if held == nil then return nil end
    if index == nil then return held[value] end
    if index < 0 then index = #held + index end
    held = held[index + 1]
    return held and held[value]
  end

  -- choose is a conditional; an unknown condition makes it unknown.
  function Logic.choose(c, a, b)
    if c == nil then return nil end
    if c then return a end
    return b
  end

  -- truth makes a condition of a boolean point, which is 0 or 1.
  function Logic.truth(x) if x == nil then return nil end return x ~= 0 end

  -- bit makes 0 or 1 of a condition, for a value that is written.
  function Logic.bit(c)
    if c == nil then return nil end
    if c then return 1 end
    return 0
  end

  -- good tells whether a slot of device i is of good quality.
  function Logic.good(D, i, slot)
    local qualities = D[i].qualities
    return qualities ~= nil and byte(qualities, slot) % 4 == 0
  end

  -- age is how old the reading of device i is, in seconds, by the site's clock.
  function Logic.age(D, i)
    local t = D[i].t
    if t == nil then return nil end
    return (D.clock - t) / 1000
  end
end
