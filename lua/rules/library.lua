-- The rules library: conditions with actions.
--#library  rules
--#version  0.1.0
--#schema   1
--#function rules_version no-writes
--#include  shared/site.lua

function Library.functions.rules_version() return Library.identity() end
