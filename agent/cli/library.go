package cli

import (
	"github.com/spf13/cobra"

	"github.com/voltage-edge/voltage/agent/api"
)

func (e *environment) libraryCommand() *cobra.Command {
	root := &cobra.Command{Use: "library", Short: "The Lua libraries on Redis: list, load, try beside the live one, roll back"}
	root.AddCommand(
		e.libraryLoadCommand(), e.libraryPromoteCommand(), e.libraryDropCommand(),
		&cobra.Command{
			Use:   "list",
			Short: "Version, hash and state of each",
			Args:  cobra.NoArgs,
			RunE: func(c *cobra.Command, _ []string) error {
				agent, err := e.agent()
				if err != nil {
					return err
				}
				libraries, err := agent.Libraries(c.Context())
				if err != nil {
					return err
				}
				return e.print(libraries, func() *table { return libraryTable(libraries...) })
			},
		},
		&cobra.Command{
			Use:   "rollback NAME",
			Short: "Put back the library that was there before",
			Args:  exactly(1, "the name of a library"),
			RunE: func(c *cobra.Command, args []string) error {
				agent, err := e.agent()
				if err != nil {
					return err
				}
				l, err := agent.RollbackLibrary(c.Context(), args[0])
				if err != nil {
					return err
				}
				return e.print(l, func() *table { return libraryTable(l) })
			},
		},
	)
	return root
}

func libraryTable(libraries ...api.Library) *table {
	t := newTable("library", "state", "version", "hash", "program", "items", "loaded", "source", "before it").alignRight(5)
	for _, l := range libraries {
		t.row(l.Name, stateCell(l.State), l.Version, short(l.Hash), short(l.Program), l.Items, since(l.Loaded), l.Source, l.Previous)
	}
	return t
}
