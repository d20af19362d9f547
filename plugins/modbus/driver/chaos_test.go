package driver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/plugins/modbus/wire/wiretest"
	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// trouble is what a peer does instead of answering, now and then.
type trouble struct {
	mu   sync.Mutex
	rng  *rand.Rand
	late [][]byte
	off  bool
	seen int
}

var errHangUp = errors.New("hang up")

func send(c net.Conn, b []byte) error {
	_, err := c.Write(b)
	return err
}

// answer gives the good answer in about half of the cases.
func (x *trouble) answer(c net.Conn, _ int, request, good []byte) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	kind := x.rng.IntN(24)
	if x.off {
		return send(c, good)
	}
	x.seen++
	b := append([]byte(nil), good...)
	switch kind {
	case 0: // silence, and the answer some other time
		x.late = append(x.late, b)
		return nil
	case 1: // what is late, before the answer
		for _, l := range x.late {
			if err := send(c, l); err != nil {
				return err
			}
		}
		x.late = nil
		return send(c, b)
	case 2:
		return errors.Join(send(c, b), send(c, b))
	case 3:
		return errHangUp
	case 4:
		return errors.Join(send(c, b[:len(b)/2]), errHangUp)
	case 5:
		return send(c, b[:len(b)-1])
	case 6:
		b[1]++
		return send(c, b)
	case 7:
		b[6]++
		return send(c, b)
	case 8: // fewer registers than were asked for
		b = b[:len(b)-2]
		b[8] -= 2
		binary.BigEndian.PutUint16(b[4:], uint16(len(b)-6))
		return send(c, b)
	case 9: // the answer to another question, under this one's id
		other := append([]byte(nil), request...)
		other[7] ^= 3 ^ 4
		return send(c, wiretest.GoodADU(other))
	case 10:
		return send(c, append(b[:7:7], b[7]|0x80, byte(1+x.rng.IntN(11)))) // with a length that lies
	case 11:
		binary.BigEndian.PutUint16(b[4:], uint16(x.rng.IntN(65536)))
		return send(c, b)
	default:
		return send(c, b)
	}
}

// TestNeverAValueUnderTheWrongRegister reads units whose registers say which ones they are, through trouble of all kinds.
func TestNeverAValueUnderTheWrongRegister(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for back-offs")
	}
	t.Parallel()
	x := &trouble{rng: rand.New(rand.NewPCG(1, 2))}
	p := wiretest.NewPeer(t, nil, x.answer)
	var devices []sdk.DeviceSpec
	want := map[string]map[int]float64{}
	for unit := 1; unit <= 4; unit++ {
		var points []sdk.PointSpec
		name := fmt.Sprintf("d%d", unit)
		want[name] = map[int]float64{}
		for i := range 60 {
			address := i * (3 + unit)
			table, function := "holding", byte(3)
			if i%2 == 1 {
				table, function = "input", 4
			}
			points = append(points, numeric(fmt.Sprintf("p%d", i), fmt.Sprintf("%s:%d", table, address), "uint16"))
			want[name][i] = float64(wiretest.Word(byte(unit), function, uint16(address)))
		}
		d := deviceSpec(t, name, unit, nil, points...)
		d.Every = time.Millisecond
		devices = append(devices, d)
	}
	inspect := func(device string, v frame.View) string {
		for i := range v.Len() {
			if v.Quality(i) == frame.Good && v.Value(i) != want[device][i] {
				return fmt.Sprintf("%s.p%d is %g, its register holds %g", device, i, v.Value(i), want[device][i])
			}
		}
		return ""
	}
	r := startInspected(t, inspect, sdk.Values{"address": p.Addr().String(), "timeout": 30 * time.Millisecond, "max_backoff": time.Second}, devices...)
	end := time.Now().Add(4 * time.Second)
	r.until("trouble", func() bool { return time.Now().After(end) && len(r.frames) == 4 })
	x.mu.Lock()
	x.off = true
	if x.seen < 20 {
		t.Errorf("only %d requests met with trouble", x.seen)
	}
	x.mu.Unlock()
	r.until("recovery", func() bool { return r.known("d1") && r.known("d2") && r.known("d3") && r.known("d4") })
}

func TestOneUnitAtATime(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	busy, most := 0, 0
	p := wiretest.NewPeer(t, nil, func(c net.Conn, _ int, _, good []byte) error {
		mu.Lock()
		busy++
		most = max(most, busy)
		mu.Unlock()
		time.Sleep(time.Millisecond)
		mu.Lock()
		busy--
		mu.Unlock()
		return send(c, good)
	})
	a := deviceSpec(t, "a", 1, nil, numeric("p", "holding:1", "uint16"), writable(numeric("w", "holding:9", "uint16")))
	b := deviceSpec(t, "b", 2, nil, numeric("p", "holding:1", "uint16"))
	r := start(t, sdk.Values{"address": p.Addr().String(), "timeout": patience}, a, b)
	r.until("both", func() bool { return r.count["a"] > 0 && r.count["b"] > 0 })
	for range 20 {
		if resp := r.set("a", "w", 5); resp.Err != nil {
			t.Error(resp.Err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if most != 1 || p.Connections.Load() != 1 {
		t.Errorf("%d requests at once on %d connections", most, p.Connections.Load())
	}
}

// TestAWriteGoesBeforeTheRestOfAPoll has a device of many requests, each of which takes a while.
func TestAWriteGoesBeforeTheRestOfAPoll(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var functions []byte
	release := make(chan struct{}, 1)
	first := make(chan struct{})
	var once sync.Once
	p := wiretest.NewPeer(t, nil, func(c net.Conn, _ int, request, good []byte) error {
		mu.Lock()
		functions = append(functions, request[7])
		mu.Unlock()
		once.Do(func() { close(first); <-release })
		return send(c, good)
	})
	points := []sdk.PointSpec{writable(numeric("w", "holding:60000", "uint16"))}
	points[0].Readable = false
	for i := range 30 {
		points = append(points, numeric(fmt.Sprintf("p%d", i), fmt.Sprintf("input:%d", 1000*i), "uint16"))
	}
	d := deviceSpec(t, "d", 1, nil, points...)
	d.Every = time.Hour
	r := start(t, sdk.Values{"address": p.Addr().String(), "timeout": patience}, d)
	<-first
	written := make(chan sdk.WriteResponse, 1)
	go func() { written <- r.set("d", "w", 7) }()
	time.Sleep(50 * time.Millisecond) // the write has time to queue; without it the test only proves less
	release <- struct{}{}
	if resp := <-written; resp.Err != nil {
		t.Fatal(resp.Err)
	}
	r.until("the rest of the poll", func() bool { return r.known("d") || r.count["d"] > 0 })
	mu.Lock()
	defer mu.Unlock()
	for i, f := range functions {
		if f == 6 {
			if i > 3 {
				t.Errorf("the write was request %d of %d", i, len(functions))
			}
			return
		}
	}
	t.Error("no write was seen")
}

func TestBitOfARegisterIsWrittenAlone(t *testing.T) {
	var mu sync.Mutex
	register := uint16(0x8001)
	p := wiretest.NewPeer(t, nil, func(c net.Conn, _ int, request, good []byte) error {
		mu.Lock()
		defer mu.Unlock()
		if request[7] == 6 {
			register = binary.BigEndian.Uint16(request[10:])
		} else {
			binary.BigEndian.PutUint16(good[9:], register)
		}
		return send(c, good)
	})
	d := deviceSpec(t, "d", 1, nil, writable(numeric("on", "holding:7.4", "bool")))
	r := start(t, sdk.Values{"address": p.Addr().String(), "timeout": patience}, d)
	for _, step := range []struct {
		value float64
		want  uint16
	}{{1, 0x8011}, {0, 0x8001}} {
		resp := r.set("d", "on", step.value)
		mu.Lock()
		got := register
		mu.Unlock()
		if resp.Err != nil || resp.ReadBack == nil || *resp.ReadBack != step.value || got != step.want {
			t.Errorf("%g: %+v, the register is %#x", step.value, resp, got)
		}
	}
}
