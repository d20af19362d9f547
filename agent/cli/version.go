package cli

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func (e *environment) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "The version of this program",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := struct {
				Version  string `json:"version"`
				Commit   string `json:"commit,omitempty"`
				Go       string `json:"go"`
				Platform string `json:"platform"`
			}{Version: Version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
			if info, ok := debug.ReadBuildInfo(); ok {
				for _, s := range info.Settings {
					if s.Key == "vcs.revision" {
						v.Commit = s.Value
					}
				}
			}
			if e.json {
				return e.printJSON(v)
			}
			e.say("voltage %s %s %s %s", v.Version, short(v.Commit), v.Go, v.Platform)
			return nil
		},
	}
}
