-- State of older schemas.

-- Up to schema 1 texts of windows were of another form. Windows that had frames begin anew; all else of a rule stays.
Library.migrations[1] = function(items)
  for item, s in pairs(items) do
    if type(s) == 'string' then
      items[item] = nil
    else
      s.head, s.mid, s.open = nil, nil, nil
    end
  end
end

-- Up to schema 2 a sequence's attempts were a list in its own item.
Library.migrations[2] = function(items)
  local attempts = {}
  for item, s in pairs(items) do
    if type(s) == 'table' and type(s.a) == 'table' then
      for _, a in ipairs(s.a) do attempts[string.format('%s@a%d', item, a.id)] = a end
      s.a, s.seq = nil, nil
    end
  end
  for item, a in pairs(attempts) do items[item] = a end
end
