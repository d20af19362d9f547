-- Chains: a graph of nodes that runs at each frame of a device that it reads. It keeps nothing but its requests, those of
-- the actions that its last run came to, and in its state s: path, the actions, and on, those that have effects.
--#include rules/request.lua
--#include rules/effect.lua
--#include rules/json.lua
local Chain = {}
do
  local NOWHERE = {}

  local ports = { [true] = 'true', [false] = 'false' }

  local run = {}

  function run.condition(node, T)
    return ports[node.when(T)] or 'unknown'
  end

  function run.switch(node, T)
    for _, case in ipairs(node.cases) do
      if case.when(T) then return case.port end
    end
    return 'default'
  end

  -- A transform sets all its names from what held before it.
  function run.transform(node, T)
    local values = {}
    for i, set in ipairs(node.set) do values[i] = set.value(T) end
    for i, set in ipairs(node.set) do T[set.name] = values[i] end
    return 'out'
  end

  function run.merge() return 'out' end

  -- reached are the actions with effects that a run comes to.
  local reached

  function run.action(node, T, actions)
    for _, set in ipairs(node.set) do
      local value = set.constant
      if value == nil then value = set.value(T) end
      actions[#actions + 1] = { node = node.id, output = set.output, value = value, ttl = set.ttl_ms }
    end
    if node.effects then reached[#reached + 1] = { node = node.id, prepared = Effect.prepare(node.effects, T) } end
  end

  -- pass runs the nodes that a way leads to, and calls see(i, node, port, T, actions, before) behind each, or with no port for one that is
  -- passed by; before is how many actions there were.
  local function pass(rule, see)
    local T, taken, actions = {}, {}, {}
    reached = {}
    for i, node in ipairs(rule.nodes) do
      local come, before, port = taken[i] or 0, #actions, nil
      if node.incoming == 0 or come > 0 and (not node.all or come == node.incoming) then
        port = run[node.kind](node, T, actions) or 'acts'
        for _, to in ipairs(node.next[port] or NOWHERE) do taken[to] = (taken[to] or 0) + 1 end
      end
      if see then see(i, node, port, T, actions, before) end
    end
    return actions
  end

  -- affect begins the effects of the actions that the run before did not come to, and ends those of the others.
  local function affect(site, rule, t, why)
    local s, on, changed = rule.s, {}, false
    for _, r in ipairs(reached) do
      on[r.node] = true
      if not (s.on and s.on[r.node]) then
        Effect.begin(site, rule, r.node, t, r.prepared, why)
        changed = true
      end
    end
    for _, node in ipairs(rule.nodes) do
      if s.on and s.on[node.id] and not on[node.id] then
        Effect.finish(site, rule, node.id, t, why)
        changed = true
      end
    end
    if changed then
      s.on = next(on) and on or nil
      rule.dirty = true
    end
  end

  -- shown are the values of a node: of a transform its names, of an action its outputs. NULL is one that is not known.
  local function shown(node, T, actions, before)
    local out = {}
    if node.kind == 'transform' then
      for _, set in ipairs(node.set) do out[set.name] = T[set.name] == nil and Json.NULL or T[set.name] end
    end
    for i = before + 1, #actions do
      out[actions[i].output] = actions[i].value == nil and Json.NULL or actions[i].value
    end
    return out
  end

  -- explain says what the nodes would do now, and does nothing: the way that each goes, or that none leads there.
  function Chain.explain(_, rule)
    local out, kept = {}, reached
    pass(rule, function(i, node, port, T, actions, before)
      local state = port == 'out' and 'passed' or port or 'not reached'
      out[i] = { name = node.id, kind = node.kind, state = state, values = port and shown(node, T, actions, before) }
    end)
    reached = kept
    return out
  end

  -- probe makes a function that runs the nodes as a frame does, and does nothing.
  function Chain.probe(_, rule)
    return function()
      local kept = reached
      pass(rule)
      reached = kept
    end
  end

  local function told(actions)
    local list, n = {}, 0
    for _, a in ipairs(actions) do
      if a.value ~= nil then
        n = n + 1
        list[n] = { node = a.node, output = a.output, value = a.value }
      end
    end
    list[Json.LIST] = n
    return list
  end

  -- take runs a chain at t. One that is called has no run before: what it does, it does at each call.
  function Chain.take(site, rule, t, _, by)
    local actions = pass(rule)
    local list, why = told(actions), Request.why(site, rule)
    local path
    if #list + #reached > 0 then
      local nodes = {}
      for i = 1, #list do nodes[i] = list[i].node end
      for _, r in ipairs(reached) do nodes[#nodes + 1] = r.node end
      path = table.concat(nodes, ' ')
      if rule.tells or rule.called or rule.s.path ~= path then
        local said = { 'rule', rule.name, 'event', 'fired', 'edge', 'chain', 'rev', rule.rev, 'why', why, 'actions', Json.encode(list) }
        if by then said[#said + 1], said[#said + 2] = 'caller', by end
        Events.add(site.events, 'rule', t, said)
      end
      rule.fires, rule.fired = rule.fires + 1, t
    end
    if rule.s.path ~= path then
      rule.s.path = path
      rule.dirty = true
    end
    if rule.called then
      rule.dirty = true
      for _, r in ipairs(reached) do Effect.run(site, rule, t, r.prepared, why) end
    else
      affect(site, rule, t, why)
    end
    site.changed = site.changed + Request.keep(site, rule, actions, t)
  end
end
