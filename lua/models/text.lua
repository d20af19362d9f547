-- Numbers and times as people read them.
local Text = {}
do
  local floor = math.floor
  local DAY = 86400000

  -- number is the shortest decimal text that reads back as the same number.
  function Text.number(x)
    local text = string.format('%.15g', x)
    if tonumber(text) == x then return text end
    text = string.format('%.16g', x)
    if tonumber(text) == x then return text end
    return string.format('%.17g', x)
  end

  -- civil is the Gregorian date of a number of days since 1970-01-01.
  local function civil(days)
    local z = days + 719468
    local era = floor(z / 146097)
    local doe = z - era * 146097
    local yoe = floor((doe - floor(doe / 1460) + floor(doe / 36524) - floor(doe / 146096)) / 365)
    local doy = doe - (365 * yoe + floor(yoe / 4) - floor(yoe / 100))
    local mp = floor((5 * doy + 2) / 153)
    local month = mp < 10 and mp + 3 or mp - 9
    return yoe + era * 400 + (month <= 2 and 1 or 0), month, doy - floor((153 * mp + 2) / 5) + 1
  end

  local last, last_text

  -- time is RFC 3339 in UTC of ms since the Unix epoch.
  function Text.time(ms)
    if ms == last then return last_text end
    last, last_text = ms, Text.date(floor(ms))
    return last_text
  end

  function Text.date(ms)
    local days = floor(ms / DAY)
    local rest = ms - days * DAY
    local year, month, day = civil(days)
    return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%03dZ', year, month, day,
      floor(rest / 3600000), floor(rest / 60000) % 60, floor(rest / 1000) % 60, rest % 1000)
  end
end
