-- What every library has: errors, checked arguments, and the function NAME_version.
-- Library itself is set by the bundler: name, version, hash, schema, suffix, and functions, where a library puts what its
-- main file declares with --#function. A function gets (keys, args).
do
  -- fail ends a call with an error whose first word is its code. The text is kept aside, as Redis' pcall makes text with
  -- other words around it of what was thrown.
  function Library.fail(code, text)
    Library.refusal = code .. ' ' .. text
    error(Library.refusal, 0)
  end

  -- number reads a finite number from an argument, or ends the call.
  function Library.number(text, what)
    local x = tonumber(text)
    if not x or x - x ~= 0 then
      Library.fail('BADARG', what .. ' must be a number, not ' .. string.format('%q', tostring(text)))
    end
    return x
  end

  -- identity is the reply of NAME_version, which takes no keys and no arguments: version, hash, schema.
  function Library.identity()
    return { Library.version, Library.hash, tostring(Library.schema) }
  end
end
