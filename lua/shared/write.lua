-- Writing: many fields of one key in few commands. A command costs a microsecond or two by itself, and once more in the
-- append-only file.
local Write = {}
do
  -- MOST arguments go in one command: Lua's stack takes some thousands. It is even, so that pairs stay together.
  local MOST = 1000

  -- item puts an item behind the n fields and values of set, or, if there is none, its name behind the m fields of gone. It gives both numbers.
  function Write.item(set, n, gone, m, item, value)
    if value == nil then
      gone[m + 1] = item
      return n, m + 1
    end
    set[n + 1], set[n + 2] = item, cmsgpack.pack(value)
    return n + 2, m
  end

  -- all calls a command on a key with the n arguments of a list, in as many parts as it needs.
  function Write.all(command, key, list, n)
    for i = 1, n, MOST do
      redis.call(command, key, unpack(list, i, math.min(i + MOST - 1, n)))
    end
  end
end
