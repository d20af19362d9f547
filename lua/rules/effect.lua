-- Effects: alarms that are raised and cleared, events that are published, chains that are called. Of alarms and events the library only
-- says what is to be done; the agent carries it out. Who is called is put on the list site.calls, and runs behind the caller.
--
-- What a while or an action of a chain raised is cleared when that ends. A rule's state s.raised has the alarms that stand
-- for it: by the node of a chain, '' of a rule.
--#include shared/events.lua
--#include rules/json.lua
local Effect = {}
do
  -- prepare computes what effects are to say, and changes nothing.
  function Effect.prepare(effects, T)
    local out = {}
    for i, e in ipairs(effects or {}) do
      local said = { kind = e.kind, name = e.name, priority = e.priority, message = e.message }
      if e.kind == 'publish' then
        local fields = {}
        for _, f in ipairs(e.fields) do
          local v = f.value(T)
          fields[f.name] = v == nil and Json.NULL or v
        end
        said.fields = Json.encode(fields)
      end
      out[i] = said
    end
    return out
  end

  local function alarm(site, rule, t, action, name, said, why)
    Events.add(site.events, 'action', t, { 'rule', rule.name, 'action', action, 'alarm', name, 'priority', said.priority or '',
      'message', said.message or '', 'rev', rule.rev, 'why', why })
  end

  -- run says what was prepared.
  function Effect.run(site, rule, t, prepared, why)
    for _, said in ipairs(prepared) do
      if said.kind == 'publish' then
        Events.add(site.events, 'publish', t, { 'publish', said.name, 'rule', rule.name, 'rev', rule.rev, 'fields', said.fields })
      elseif said.kind == 'call' then
        site.calls[#site.calls + 1] = { chain = said.name, by = rule }
      else
        alarm(site, rule, t, said.kind, said.name, said, why)
      end
    end
  end

  -- begin is run for what goes on until finish: what it raises stands until then.
  function Effect.begin(site, rule, key, t, prepared, why)
    Effect.run(site, rule, t, prepared, why)
    local names = {}
    for _, said in ipairs(prepared) do
      if said.kind == 'raise' then names[#names + 1] = said.name end
    end
    if #names == 0 then return end
    rule.s.raised = rule.s.raised or {}
    rule.s.raised[key] = names
    rule.dirty = true
  end

  -- finish clears what begin raised.
  function Effect.finish(site, rule, key, t, why)
    local raised = rule.s.raised
    if not raised or not raised[key] then return end
    for _, name in ipairs(raised[key]) do alarm(site, rule, t, 'clear', name, {}, why) end
    raised[key] = nil
    if not next(raised) then rule.s.raised = nil end
    rule.dirty = true
  end

  -- abandon clears all that an item raised which is gone, changed, disabled or parked.
  function Effect.abandon(site, item, t)
    local keys = {}
    for key in pairs(item.s.raised or {}) do keys[#keys + 1] = key end
    table.sort(keys)
    for _, key in ipairs(keys) do Effect.finish(site, item, key, t, 'the rule ended') end
  end
end
