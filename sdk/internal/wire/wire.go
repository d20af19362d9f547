// Package wire is the generated code of the protocol between agent and plugin, and what both sides must agree on beside
// it. Package sdk turns it into its own types on the plugin's side, package protocol on the host's; nothing else sees it.
package wire

import "time"

//go:generate protoc -I ../../protocol --go_out=. --go_opt=paths=source_relative --go-grpc_out=. --go-grpc_opt=paths=source_relative voltage.proto

// The handshake.
const (
	// ProtocolVersion is raised by a change that an older peer can't live with.
	ProtocolVersion = 1
	// ProtocolLevel counts the additions to it.
	ProtocolLevel = 1

	CookieKey   = "VOLTAGE_PLUGIN"
	CookieValue = "9d0ec3a4-4a0b-4c5e-9a0a-6f2d3bd2a1c7"
	// Name is the only go-plugin plugin in the set.
	Name = "voltage"
)

const (
	// LifelineEnv names the inherited file descriptor of a pipe that ends when the host does.
	LifelineEnv = "VOLTAGE_LIFELINE_FD"
	// LogLevelEnv is the level of the plugin's log.
	LogLevelEnv = "VOLTAGE_LOG_LEVEL"

	// MaxMessage limits a message in either direction: a channel of 65,535 points with all their attributes fits.
	MaxMessage = 64 << 20

	// Window is the flow-control window of the connection and of each stream in bytes.
	Window = 1 << 20
	// Credits is the number of frames that may be on their way from a channel to the host.
	Credits = 64

	// FailSafe is the time in which the safe values of all channels are written.
	FailSafe = 2 * time.Second
	// SafeTime is the part of it in which a channel writes, SafePatience the part in which it waits for an earlier write.
	SafeTime     = 1600 * time.Millisecond
	SafePatience = 200 * time.Millisecond
)
