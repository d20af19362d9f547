package plugin

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/voltage-edge/voltage/agent/durable"
	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/protocol"
)

// cache keeps what plugins say about themselves, by the checksum of their executable, so that a site can be checked
// without starting any. Without a data folder it keeps nothing. A file that can't be read or written is no error: the
// plugin is asked.
type cache struct{ dir string }

func (c cache) file(sum, name string) string { return filepath.Join(c.dir, sum, name) }

func (c cache) description(sum string) *protocol.Description {
	if c.dir == "" {
		return nil
	}
	b, err := os.ReadFile(c.file(sum, "description"))
	if err != nil {
		return nil
	}
	d, err := protocol.ParseDescription(b)
	if err != nil || d.Name == "" {
		return nil
	}
	return d
}

func (c cache) keep(sum string, d *protocol.Description) {
	if b, err := d.Bytes(); err == nil {
		c.write(sum, "description", b)
	}
}

func profileFile(name string) string { return "profile-" + hex.EncodeToString([]byte(name)) }

func (c cache) profile(sum, name string) *sdk.ProfileResponse {
	if c.dir == "" || len(name) > 100 {
		return nil
	}
	b, err := os.ReadFile(c.file(sum, profileFile(name)))
	if err != nil {
		return nil
	}
	var p sdk.ProfileResponse
	if json.Unmarshal(b, &p) != nil || len(p.CSV) == 0 {
		return nil
	}
	return &p
}

func (c cache) keepProfile(sum, name string, p *sdk.ProfileResponse) {
	if len(name) > 100 || len(p.CSV) == 0 {
		return
	}
	if b, err := json.Marshal(p); err == nil {
		c.write(sum, profileFile(name), b)
	}
}

func (c cache) write(sum, name string, b []byte) {
	if c.dir == "" || sum == "" {
		return
	}
	path := c.file(sum, name)
	if os.MkdirAll(filepath.Dir(path), 0o755) == nil {
		_ = durable.WriteFile(path, b, 0o600)
	}
}
