-- State that goes with a place in the journal. It is kept at two places: at base, a place that the sink's cursor has on
-- disk, and at to, the end of what was shaped. What changed since base has its value of then beside it, so that a batch
-- which is given again is shaped from the state that it was shaped from before.
--#include shared/site.lua
local Ledger = {}
do
  local PLACE = 'place'

  -- place is { base, to } of the site, nil when nothing was shaped yet.
  function Ledger.place(site) return site.state.items[PLACE] end

  local function set(site, base, to) State.put(site.state, PLACE, { base = base, to = to }) end

  -- back makes the state that of base.
  local function back(site, base)
    local items = site.state.items
    local dropped = {}
    for name, entry in pairs(items) do
      if entry.at == base then
        if entry.old then
          entry.now = cmsgpack.unpack(entry.old)
          State.mark(site.state, name)
        else
          dropped[#dropped + 1] = name
        end
      end
    end
    for _, name in ipairs(dropped) do State.put(site.state, name, nil) end
  end

  -- begin makes the state that of the place from. base is the place to which it can be brought back from now on: the one that
  -- it had, or from itself. It says whether there was no state before, and whether values must be looked at anew. The error
  -- MISPLACED has base and to of the state in it: no state is at from.
  function Ledger.begin(site, base, from, to)
    if to < from or from < base then
      Library.fail('BADARG', string.format('the places %.0f, %.0f and %.0f go backwards', base, from, to))
    end
    local place = Ledger.place(site)
    if not place then
      set(site, from, to)
      return true, false
    end
    local kept = base == place.base or base == from
    if not kept or from ~= place.to and from ~= place.base then
      Site.leave(site)
      Library.fail('MISPLACED', string.format('%.0f %.0f', place.base, place.to))
    end
    local reverted = from ~= place.to
    if reverted then back(site, place.base) end
    set(site, base, to)
    return false, reverted
  end

  -- entry is an item's state of now, for one that is about to change it; nil: it has none yet.
  function Ledger.open(site, name)
    local base = Ledger.place(site).base
    local entry = site.state.items[name]
    if not entry then
      entry = { at = base, old = false }
      site.state.items[name] = entry
    elseif entry.at ~= base then
      entry.at, entry.old = base, cmsgpack.pack(entry.now)
    end
    State.mark(site.state, name)
    return entry
  end

  -- look is an item's state, to be read only.
  function Ledger.look(site, name)
    local entry = site.state.items[name]
    return entry and entry.now
  end

  -- forget drops all state.
  function Ledger.forget(site)
    local names = {}
    for name in pairs(site.state.items) do names[#names + 1] = name end
    for _, name in ipairs(names) do State.put(site.state, name, nil) end
  end

  -- keep drops the state of items that the program has no longer.
  function Ledger.keep(site, wanted)
    local gone = {}
    for name in pairs(site.state.items) do
      if name ~= PLACE and not wanted[name] then gone[#gone + 1] = name end
    end
    for _, name in ipairs(gone) do State.put(site.state, name, nil) end
  end
end
