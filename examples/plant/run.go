package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/voltage-edge/voltage/examples/plant/plantsim"
)

const defaultControl = "127.0.0.1:1503"

func root() *cobra.Command {
	config := plantsim.DefaultConfig()
	config.Listen, config.Speed = "127.0.0.1:1502", 10
	var control string
	cmd := &cobra.Command{
		Use:           "plant",
		Short:         "A simulated small site: grid meter, battery, PV inverter, EV charger, heater and generating set behind Modbus TCP",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return run(cmd.Context(), cmd.OutOrStdout(), config, control)
		},
	}
	f := cmd.Flags()
	f.StringVar(&config.Listen, "listen", config.Listen, "host:port for Modbus TCP; port 0 takes a free one")
	f.Float64Var(&config.Speed, "speed", config.Speed, "seconds that pass in the plant per second")
	f.Uint64Var(&config.Seed, "seed", config.Seed, "seed of the noise on load, sun and frequency")
	f.DurationVar(&config.Start, "start", config.Start, "time of day in the plant at the start")
	f.Float64Var(&config.SoC, "soc", config.SoC, "state of charge at the start, in percent")
	f.IntVar(&config.Bulk.Units, "bulk-units", 0, "further units, from 11 on, for measuring throughput")
	f.IntVar(&config.Bulk.Points, "bulk-points", 500, "float32 values in each of them")
	f.Float64Var(&config.Bulk.Changing, "bulk-changing", 0.1, "share of them that changes")
	f.DurationVar(&config.Bulk.Every, "bulk-every", 100*time.Millisecond, "how often they change")
	cmd.PersistentFlags().StringVar(&control, "control", defaultControl, "host:port for commands")
	cmd.AddCommand(faultCommand(&control), setCommand(&control), getCommand(&control))
	return cmd
}

func run(ctx context.Context, out io.Writer, config plantsim.Config, control string) error {
	plant, err := plantsim.New(config)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", control)
	if err != nil {
		return errors.Join(fmt.Errorf("listen for commands: %w", err), plant.Close())
	}
	server := plant.ControlServer()
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	fmt.Fprintf(out, "modbus %s\ncontrol %s\n", plant.Address(), l.Addr())
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	closeErr := server.Close()
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, closeErr, plant.Close())
}
