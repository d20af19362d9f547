package plugin

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// staleAfter is the age at which a folder without a socket is no plugin that is just starting.
const staleAfter = time.Minute

// clearStale removes the socket folders that a killed predecessor left behind. One whose socket still answers belongs to
// a plugin that runs, and stays.
func clearStale(runDir string) error {
	entries, err := os.ReadDir(runDir)
	if err != nil {
		return fmt.Errorf("look for sockets that were left behind: %w", err)
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), "plugin-dir") {
			continue
		}
		dir := filepath.Join(runDir, e.Name())
		if inUse(dir) {
			continue
		}
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("remove the sockets that were left behind: %w", err)
		}
	}
	return nil
}

func inUse(dir string) bool {
	sockets, _ := filepath.Glob(filepath.Join(dir, "plugin*"))
	for _, s := range sockets {
		if c, err := net.DialTimeout("unix", s, time.Second); err == nil {
			c.Close()
			return true
		}
	}
	if len(sockets) > 0 {
		return false
	}
	info, err := os.Stat(dir)
	return err == nil && time.Since(info.ModTime()) < staleAfter
}
