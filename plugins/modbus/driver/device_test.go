package driver

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/voltage-edge/voltage/examples/plant/plantsim"
	"github.com/voltage-edge/voltage/plugins/modbus/plan"
	"github.com/voltage-edge/voltage/plugins/modbus/wire/wiretest"
	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// TestRefusalsAreNarrowedDown refuses requests as a device with holes would, and later as one without.
func TestRefusalsAreNarrowedDown(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		holes := map[int]bool{}
		for _, h := range rapid.SliceOf(rapid.IntRange(0, 150)).Draw(rt, "holes") {
			holes[h] = true
		}
		var points []sdk.PointSpec
		for i, at := range rapid.SliceOfN(rapid.IntRange(0, 150), 1, 60).Draw(rt, "addresses") {
			points = append(points, numeric(fmt.Sprintf("p%d", i), fmt.Sprintf("input:%d", at), "uint16"))
		}
		spec := deviceSpec(t, "d", 1, nil, points...)
		d := newDevice(&spec, plan.Limits{Registers: 125, Bits: 2000, Gap: 10})
		refuses := func(q *request) bool {
			for at := int(q.Address); at < q.End(); at++ {
				if holes[at] {
					return true
				}
			}
			return false
		}
		settle := func() (lastRefused bool) {
			for i, rounds := 0, 0; i < len(d.requests); rounds++ {
				if rounds > 1000 {
					rt.Fatal("it does not end")
				}
				switch q := &d.requests[i]; {
				case !refuses(q):
					i++
				case d.last(q):
					return true
				default:
					d.divide(i, 2)
				}
			}
			return false
		}
		verify := func(lastRefused bool) {
			seen := map[int]int{}
			for _, q := range d.requests {
				for _, item := range q.Items {
					seen[item.ID]++
				}
			}
			for id := range d.refused {
				seen[id]++
			}
			for i := range points {
				if seen[i] != 1 {
					rt.Fatalf("point %d is in %d places", i, seen[i])
				}
				_, refused := d.refused[i]
				if hole := holes[int(d.points[i].address.Number)]; refused && !hole || hole && !refused && !lastRefused {
					rt.Fatalf("point %d at a hole: %v, refused: %v", i, hole, refused)
				}
			}
			if (d.problem != nil) != (len(d.refused) > 0) || len(d.requests) == 0 {
				rt.Fatalf("%d refused, %d requests, problem %v", len(d.refused), len(d.requests), d.problem)
			}
		}
		verify(settle())
		d.reconsider()
		verify(settle())
		clear(holes)
		d.reconsider()
		verify(settle())
	})
}

func TestDevicesOnASerialLine(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for back-offs")
	}
	t.Parallel()
	device := wiretest.NewBus(t, func(b *wiretest.Bus, n int, request, good []byte) {
		switch {
		case request[0] == 9: // dead
		case n%7 == 3: // noise, and the answer of another unit
			b.Send([]byte{0xFF, 0x12}, wiretest.RTUFrame(8, wiretest.GoodPDU(8, request[1:6])), good)
		default:
			b.Send(good)
		}
	})
	a := deviceSpec(t, "a", 7, nil, numeric("p", "holding:100", "uint16"), numeric("q", "input:5", "uint16"), writable(numeric("w", "holding:3", "uint16")))
	dead := deviceSpec(t, "dead", 9, nil, numeric("p", "holding:100", "uint16"))
	inspect := func(device string, v frame.View) string {
		if device == "a" && v.Quality(0) == frame.Good && v.Value(0) != float64(wiretest.Word(7, 3, 100)) {
			return fmt.Sprintf("the register holds %d, %g was read", wiretest.Word(7, 3, 100), v.Value(0))
		}
		return ""
	}
	config := sdk.Values{"transport": "rtu", "device": device, "baud": 115200, "parity": "none", "timeout": 150 * time.Millisecond}
	r := startInspected(t, inspect, config, a, dead)
	r.until("a unit that answers", func() bool { return r.known("a") && r.reads("a", "q", float64(wiretest.Word(7, 4, 5)), 0) })
	r.until("a unit that is dead", func() bool { return r.statuses["dead"].State == sdk.DeviceBackoff })
	r.mu.Lock()
	before := r.count["a"]
	r.mu.Unlock()
	r.until("that the other goes on", func() bool { return r.count["a"] > before+10 && r.known("a") })
	// A write may meet with the time-out of the dead unit, or with a busy machine.
	var resp sdk.WriteResponse
	for range 20 {
		if resp = r.set("a", "w", 4); resp.Err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("write: %v", resp.Err)
}

func TestTheConnectionIsLeftToOthers(t *testing.T) {
	t.Parallel()
	plant := still(t, nil)
	config := tcpConfig(plant.Address())
	config["keep_connection"] = false
	d := batterySpec(t)
	d.Every = 5 * time.Millisecond
	r := start(t, config, d)
	r.until("forty frames over as many connections", func() bool { return r.count["battery"] > 40 && r.known("battery") })
}

func TestLimitsOfADevice(t *testing.T) {
	points := []sdk.PointSpec{numeric("a", "holding:0", "uint32"), numeric("b", "holding:2", "uint32"), numeric("c", "holding:10", "uint32")}
	channel := values(t, channelBlock, sdk.Values{"max_registers": 100})
	cases := []struct {
		given sdk.Values
		want  int
	}{
		{nil, 1},
		{sdk.Values{"max_gap": 5}, 2},
		{sdk.Values{"max_registers": 2}, 3},
	}
	for _, c := range cases {
		spec := deviceSpec(t, "d", 1, c.given, points...)
		if d := newDevice(&spec, limits(channel, spec.Config)); len(d.requests) != c.want {
			t.Errorf("%v makes %d requests, expected %d", c.given, len(d.requests), c.want)
		}
	}
}

func TestOrderOfTheDeviceHoldsForItsPoints(t *testing.T) {
	plant := still(t, nil)
	if err := plant.Set("pv", 12.5); err != nil {
		t.Fatal(err)
	}
	d := deviceSpec(t, "pv", plantsim.UnitPV, sdk.Values{"order": "CDAB"},
		numeric("power", "input:0", "int32"), with(numeric("other", "input:2", "uint32"), "order", "ABCD"))
	r := start(t, tcpConfig(plant.Address()), d)
	r.until("power", func() bool { return r.reads("pv", "power", 12500, 0) })
	r.until("another order", func() bool { return !r.reads("pv", "other", 318772, 1) && r.is("pv", "other", frame.Good) })
}

func TestExceptionsInWords(t *testing.T) {
	if got := exceptionText(2); got != "exception 2: illegal data address" {
		t.Error(got)
	}
	if got := exceptionText(77); !strings.Contains(got, "77") || !strings.Contains(got, "unknown") {
		t.Error(got)
	}
}
