package wiretest

import (
	"os"
	"sync"
	"testing"

	"github.com/creack/pty"
	"github.com/grid-x/modbus"
)

// RTUFrame packs a PDU for a unit, with its CRC.
func RTUFrame(unit byte, pdu []byte) []byte {
	h := modbus.NewRTUClientHandler("")
	h.SetSlave(unit)
	b, err := h.Encode(&modbus.ProtocolDataUnit{FunctionCode: pdu[0], Data: pdu[1:]})
	if err != nil {
		panic(err)
	}
	return b
}

// Bus is the far end of a serial line.
type Bus struct {
	far  *os.File
	done sync.WaitGroup
}

// Send puts bytes on the line.
func (b *Bus) Send(p ...[]byte) {
	for _, x := range p {
		_, _ = b.far.Write(x)
	}
}

// NewBus is a pseudo-terminal, whose name it returns, with somebody at its far end who gets each request of eight bytes, and
// the good answer. N counts the requests.
func NewBus(t testing.TB, reply func(b *Bus, n int, request, good []byte)) (device string) {
	t.Helper()
	far, near, err := pty.Open()
	if err != nil {
		t.Skipf("no pseudo-terminal on this machine: %v", err)
	}
	b := &Bus{far: far}
	b.done.Add(1)
	go func() {
		defer b.done.Done()
		request := make([]byte, 8)
		for n := 0; ; n++ {
			// What comes is read as a whole: requests of this test have eight bytes.
			k, err := far.Read(request)
			for err == nil && k < len(request) {
				var more int
				more, err = far.Read(request[k:])
				k += more
			}
			if err != nil {
				return
			}
			good := RTUFrame(request[0], GoodPDU(request[0], request[1:6]))
			reply(b, n, append([]byte(nil), request...), good)
		}
	}()
	t.Cleanup(func() {
		far.Close()
		near.Close()
		b.done.Wait()
	})
	return near.Name()
}
