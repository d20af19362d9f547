// Package site reads site.hcl: blocks, references, for_each, point tables; it checks all of it, expands it, and says all
// that is wrong at once, with the place of each.
//
// The grammar is a table (constructs): the decoder, the checks and docs/site-hcl.md come from it. A site with an error
// still holds what is sound, so that the compiler and the plugins can look at it too.
package site

//go:generate go run ./gendoc ../../docs/site-hcl.md
