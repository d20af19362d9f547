package daemon

import (
	"os"
	"runtime/debug"
)

// steadyGC is the garbage collector's percentage once the site runs: frames leave little garbage behind, so that a small
// heap costs next to no time. GOGC overrides it.
const steadyGC = 50

// giveBack gives back the memory that reading and compiling a site took, which is several times what running it needs.
func giveBack() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(steadyGC)
	}
	debug.FreeOSMemory()
}
