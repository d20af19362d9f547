-- The frames library: keeps the newest frame of every device, as cheaply as can be.
--#library  frames
--#version  1.0.0
--#schema   1
--#function frames_put
--#function frames_version no-writes
--#include  shared/library.lua

-- frames_put: writes frames, and neither to the append-only file nor to replicas. A frame is worth nothing a second
-- later and the journal has it; written to disk, they would be most of what a site writes. Whoever meets a server that
-- was started anew deletes the key and writes the frames that it knows.
--   KEYS  frames
--   ARGV  device, packed frame, device, packed frame …
--   Reply the number of devices
--   Errors BADKEYS, BADARG
function Library.functions.frames_put(keys, args)
  if #keys ~= 1 then Library.fail('BADKEYS', 'needs the one key frames') end
  local n = #args
  if n % 2 ~= 0 then Library.fail('BADARG', 'frames come as device and packed frame') end
  redis.set_repl(redis.REPL_NONE)
  for i = 1, n, 2 do redis.call('HSET', keys[1], args[i], args[i + 1]) end
  return n / 2
end

function Library.functions.frames_version() return Library.identity() end
