package cli

import (
	"github.com/spf13/cobra"

	"github.com/voltage-edge/voltage/agent/daemon"
)

func (e *environment) pluginCommand() *cobra.Command {
	root := &cobra.Command{Use: "plugin", Short: "The plugins: list, describe, lock, restart"}
	root.AddCommand(e.pluginListCommand(), e.pluginDescribeCommand(), e.pluginLockCommand(), e.pluginRestartCommand())
	return root
}

func (e *environment) pluginListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "The plugins of the running agent",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			agent, err := e.agent()
			if err != nil {
				return err
			}
			s, err := agent.Status(c.Context())
			if err != nil {
				return err
			}
			return e.print(s.Plugins, func() *table {
				t := newTable("plugin", "state", "version", "pid", "restarts", "up", "path", "error").alignRight(3, 4, 5)
				for _, p := range s.Plugins {
					t.row(p.Name, stateCell(p.State), p.Version, p.PID, p.Restarts, since(p.Started), p.Path, firstLine(p.Error, p.Panic))
				}
				return t
			})
		},
	}
}

func (e *environment) pluginLockCommand() *cobra.Command {
	var flags siteFlags
	c := &cobra.Command{
		Use:   "lock SITE",
		Short: "Write down the checksums of the site's plugins in voltage.lock.hcl",
		Long:  "Writes voltage.lock.hcl beside the site. From then on the agent starts only plugins whose checksums stand there.\nEntries of other platforms are kept.",
		Args:  exactly(1, "a file or folder"),
		RunE: func(c *cobra.Command, args []string) error {
			variables, err := flags.parse()
			if err != nil {
				return err
			}
			locked, err := daemon.Lock(c.Context(), daemon.CheckOptions{Site: args[0], Data: e.data, Variables: variables})
			if err != nil {
				return err
			}
			return e.print(locked, func() *table {
				t := newTable("plugin", "version", "platform", "sha-256", "path")
				for _, l := range locked {
					t.row(l.Plugin, l.Version, l.Platform, l.SHA256, l.Path)
				}
				return t
			})
		},
	}
	flags.add(c)
	return c
}

func (e *environment) pluginRestartCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "restart NAME",
		Short: "End a plugin's process and start it again; its channels are opened anew",
		Args:  exactly(1, "the name of a plugin"),
		RunE: func(c *cobra.Command, args []string) error {
			agent, err := e.agent()
			if err != nil {
				return err
			}
			if err := agent.RestartPlugin(c.Context(), args[0]); err != nil {
				return err
			}
			if !e.json {
				e.say("%s is restarted.", args[0])
			}
			return nil
		},
	}
}
