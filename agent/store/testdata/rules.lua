-- A small library with the rules' names: every frame is an event, and so is a deadline a second after it.
--#library  rules
--#version  0.0.1
--#schema   1
--#function rules_batch_execute
--#function rules_selftest no-writes
--#function rules_version no-writes
--#include  shared/site.lua

function Library.functions.rules_batch_execute(keys, args)
  local site = Site.open(keys)
  local seen = 0
  Site.run(site, args, function(s, i, t)
    seen = seen + 1
    Timers.set(s.timers, s.items[1].name, t + 1000)
    Events.add(s.events, 'rule', t, { 'rule', 'seen', 'event', 'fired', 'device', s.head.devices[i].name, 'value', s.D[i][1] or 'unknown' })
    local n = s.state.items.seen or { n = 0 }
    n.n = n.n + 1
    State.put(s.state, 'seen', n)
  end, function(s, item, at)
    Events.add(s.events, 'rule', at, { 'rule', item, 'event', 'due' })
  end)
  Site.close(site)
  return Site.reply(site, seen, seen)
end

function Library.functions.rules_selftest() return redis.status_reply('OK') end

function Library.functions.rules_version() return Library.identity() end
