package driver

import (
	"context"
	"errors"
	"fmt"

	"github.com/voltage-edge/voltage/plugins/modbus/wire"
	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/poll"
)

// link is a channel's connection with its devices.
type link struct {
	line    *wire.Line
	devices []*device
}

// Connect makes the connection.
func (l *link) Connect(ctx context.Context) error { return l.line.Connect(ctx) }

// Close drops it.
func (l *link) Close() error { return l.line.Close() }

// Poll reads a device. A unit that does not answer, or answers something else, is that unit's matter even when the
// connection was dropped for it: the next request makes another one. Only a connection that can't be made concerns all.
func (l *link) Poll(ctx context.Context, r *poll.Reading) error {
	defer l.line.Rest()
	return classify(l.devices[r.Index].poll(ctx, l.line, r))
}

// Write sets a point.
func (l *link) Write(ctx context.Context, w poll.Writing, resp *sdk.WriteResponse) {
	defer l.line.Rest()
	l.devices[w.Index].write(ctx, l.line, w, resp)
	resp.Err = classify(resp.Err)
}

func classify(err error) error {
	if errors.Is(err, wire.ErrConnect) {
		return poll.Lost(err)
	}
	return err
}

// The exceptions that a gateway gives for a unit that does not answer it.
const (
	exceptionGatewayPath   = 10
	exceptionGatewayTarget = 11
)

var exceptionNames = map[byte]string{
	1:                      "illegal function",
	2:                      "illegal data address",
	3:                      "illegal data value",
	4:                      "server device failure",
	5:                      "acknowledge",
	6:                      "server device busy",
	8:                      "memory parity error",
	exceptionGatewayPath:   "gateway path unavailable",
	exceptionGatewayTarget: "gateway target device failed to respond",
}

// exceptionText is what a device answered, in words.
func exceptionText(code byte) string {
	name := exceptionNames[code]
	if name == "" {
		name = "unknown to the protocol"
	}
	return fmt.Sprintf("exception %d: %s", code, name)
}

// fromGateway tells whether the exception says that the unit did not answer.
func fromGateway(code byte) bool {
	return code == exceptionGatewayPath || code == exceptionGatewayTarget
}

// refusesAddress tells whether the exception may be about one of several registers: no such function for it, no such
// address, no such quantity.
func refusesAddress(code byte) bool { return code >= 1 && code <= 3 }
