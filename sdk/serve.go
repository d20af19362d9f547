package sdk

import (
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/voltage-edge/voltage/sdk/internal/wire"
)

// Serve runs the plugin: main calls it first, and returns after it. It speaks with the agent that started the program,
// and ends when the agent says so or is gone.
//
// While Serve runs
//   - standard output belongs to the agent: what is printed there goes to the agent's log;
//   - a logger of package hclog is found with hclog.FromContext(ctx) in every method of a driver or sink, named after the
//     channel or sink; hclog.Default and the standard log package end there too;
//   - when the agent is gone, or a channel's stream breaks, or its Run returns, the safe value of each writable point is
//     written through Channel.Write with Safe set, all within 2 s. A channel that is drained does the same before it is
//     closed;
//   - a panic in a method of the driver or sink fails that channel or sink only. A panic in a goroutine of their own ends
//     the process; the agent shows the last lines of standard error and starts it again.
func Serve(p Plugin) {
	if os.Getenv(wire.CookieKey) != wire.CookieValue {
		introduce(p, os.Stderr)
		os.Exit(1)
	}
	stderr := os.Stderr
	ignoreSignals()
	restoreStdout := divertStdout()
	logger := newLogger(p.Name, stderr)
	server := newServer(p, logger)
	go server.watchLifeline()
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: goplugin.HandshakeConfig{
			ProtocolVersion: wire.ProtocolVersion, MagicCookieKey: wire.CookieKey, MagicCookieValue: wire.CookieValue,
		},
		Plugins: goplugin.PluginSet{wire.Name: &glue{server: server}},
		// It is made right before the handshake's line is printed.
		GRPCServer: func(o []grpc.ServerOption) *grpc.Server {
			restoreStdout()
			return newGRPCServer(o)
		},
		Logger: logger.Named("go-plugin"),
	})
	server.finish()
}

// introduce tells somebody who started the program by hand what it is.
func introduce(p Plugin, w io.Writer) {
	fmt.Fprintf(w, "%s %s is a plugin of Voltage: %s\n", p.Name, p.Version, p.Doc)
	fmt.Fprintf(w, "It is started by the agent. Put it beside the voltage executable, or name it in site.hcl:\n\n  plugin %q { path = %q }\n", p.Name, os.Args[0])
}

// ignoreSignals leaves the end of the plugin to the agent. A signal for the whole process group must not end it before
// the agent drained it; and the pipe of standard error breaks when the agent dies, just when the safe values are due.
func ignoreSignals() {
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM)
}

func newLogger(name string, w io.Writer) hclog.Logger {
	level := hclog.LevelFromString(os.Getenv(wire.LogLevelEnv))
	if level == hclog.NoLevel {
		level = hclog.Info
	}
	logger := hclog.New(&hclog.LoggerOptions{Name: name, Level: level, Output: w, JSONFormat: true})
	hclog.SetDefault(logger)
	log.SetFlags(0)
	log.SetOutput(logger.StandardWriter(&hclog.StandardLoggerOptions{InferLevels: true}))
	return logger
}

func newGRPCServer(o []grpc.ServerOption) *grpc.Server {
	return grpc.NewServer(append(o,
		grpc.MaxRecvMsgSize(wire.MaxMessage), grpc.MaxSendMsgSize(wire.MaxMessage),
		grpc.InitialWindowSize(wire.Window), grpc.InitialConnWindowSize(wire.Window),
	)...)
}
