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
