-- The libraries run in Redis: Lua 5.1 with a few globals of Redis' own.
std = 'lua51'
read_globals = { 'redis', 'cjson', 'cmsgpack', 'struct', 'bit' }
max_line_length = 150
-- Sources are bundled into one text: what a file exports is a local that another file uses. Library is the bundler's.
files['lua/'] = {
  globals = { 'Library' },
  read_globals = { 'Logic', 'Frame', 'Timers', 'Write', 'State', 'Texts', 'Events', 'Site', 'Suggest', 'Request', 'Condition', 'Engine', 'Setup', 'Json', 'Chain', 'Aggregate', 'Window', 'Attempt', 'Sequence', 'Held', 'Sums', 'Effect' },
  ignore = { '211/[A-Z].*', '241/[A-Z].*', '431/[A-Z].*' },
}
files['lua/alarms/'] = {
  read_globals = { 'Suggest', 'Metrics', 'Verdict', 'Journal', 'Machine', 'Panel', 'Frames', 'Commands', 'Listing', 'SelfTest' },
}
files['lua/routes/'] = {
  read_globals = { 'Ledger', 'Thinning', 'Output', 'Points', 'Texts', 'Computed', 'SelfTest' },
}
files['lua/models/'] = {
  read_globals = { 'Suggest', 'Text', 'Totals', 'Catalog', 'Mirror', 'Reading', 'Requests', 'SelfTest' },
}
