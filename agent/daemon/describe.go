package daemon

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/voltage-edge/voltage/agent/plugin"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/sdk"
)

// PluginDescription is what a plugin says of itself.
type PluginDescription struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Doc     string `json:"doc,omitempty"`
	Path    string `json:"path"`
	// Driver is nil for a plugin that offers no channels, Sink for one that takes no samples.
	Driver   *sdk.SchemaResponse     `json:"driver,omitempty"`
	Profiles []string                `json:"profiles,omitempty"`
	Sink     *sdk.SinkSchemaResponse `json:"sink,omitempty"`
}

// DescribePlugin asks a plugin what it takes in site.hcl: one by its name, from where the agent finds its plugins, or an
// executable by its path, which is then trusted whatever its checksum.
func DescribePlugin(ctx context.Context, data, nameOrPath string) (*PluginDescription, error) {
	o := CheckOptions{Data: data}
	name := nameOrPath
	var block []*site.Plugin
	if strings.ContainsRune(nameOrPath, filepath.Separator) {
		found, ok := strings.CutPrefix(filepath.Base(nameOrPath), plugin.Prefix)
		if !ok {
			return nil, fmt.Errorf("%s is no plugin: the executable of a plugin is called %sNAME", nameOrPath, plugin.Prefix)
		}
		name, block = found, []*site.Plugin{{Name: found, Path: nameOrPath}}
	}
	host, err := checkHost(o, true)
	if err != nil {
		return nil, err
	}
	defer host.Close(context.WithoutCancel(ctx))
	host.Configure(block)
	path, err := host.Find(name)
	if err != nil {
		return nil, err
	}
	d, err := host.Describe(ctx, name)
	if err != nil {
		return nil, err
	}
	out := &PluginDescription{Name: d.Name, Version: d.Version, Doc: d.Doc, Path: path, Driver: d.Driver, Sink: d.Sink}
	if d.Profiles {
		p, err := host.Profile(ctx, name, "")
		if err != nil {
			return nil, err
		}
		out.Profiles = slices.Sorted(slices.Values(p.Names))
	}
	return out, nil
}
