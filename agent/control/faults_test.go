package control

import (
	"errors"
	"fmt"
	"math"
	"math/rand"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestFaultsAtRandom drives controllers with random requests on devices that fail, hang, forget and lag at random. No
// write may ever leave the range or be faster than the ramp, and when the faults are over every device must hold what a
// fresh arbiter says of the same requests.
func TestFaultsAtRandom(t *testing.T) {
	seeds := 60
	if testing.Short() {
		seeds = 10
	}
	for seed := range seeds {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { runFaults(t, rand.New(rand.NewSource(int64(seed)))) })
		})
	}
}

func runFaults(t *testing.T, rnd *rand.Rand) {
	var outputs []Output
	oracle := NewArbiter()
	for i := range 4 {
		l := limits(-20, 20, []float64{0, 2, 50}[rnd.Intn(3)], float64(rnd.Intn(5)))
		o := point(fmt.Sprintf("c%d", i/2), fmt.Sprintf("d%d", i), l)
		o.MinInterval = time.Duration(rnd.Intn(2)) * 700 * time.Millisecond
		o.Refresh = time.Duration(rnd.Intn(2)) * 4 * time.Second
		if rnd.Intn(2) == 0 {
			o.ReadBack = &ReadBack{Device: o.Device, Point: o.Point, Within: 0.1, After: time.Second}
		}
		outputs = append(outputs, o)
	}
	r := newRig(t, func(o *Options) { o.WriteTimeout = 2 * time.Second }, outputs...)
	for _, o := range outputs {
		oracle.SetOutput(o.Name, o.Limits)
	}
	oracle.Advance(time.Now().UnixMilli())
	for range 80 {
		o := outputs[rnd.Intn(len(outputs))]
		switch rnd.Intn(10) {
		case 0:
			r.plant.set(func() { r.plant.refuse[o.Name] = errors.New("exception 4: device failure") })
		case 1:
			r.plant.set(func() { r.plant.hung[o.Name] = rnd.Intn(3) == 0 })
		case 2:
			r.plant.set(func() { r.plant.slow[o.Name] = time.Duration(rnd.Intn(1500)) * time.Millisecond })
		case 3: // the device restarts, and forgets
			r.plant.set(func() {
				delete(r.plant.refuse, o.Name)
				r.plant.hung[o.Name] = false
				r.plant.values[o.Name] = o.Limits.Safe
			})
			r.c.Reapply(o.Device)
		default:
			value := strconv.Itoa(rnd.Intn(60) - 30)
			if rnd.Intn(6) == 0 {
				value = ""
			}
			ttl := ""
			if rnd.Intn(2) == 0 {
				ttl = strconv.Itoa(rnd.Intn(8000) + 1)
			}
			owner, priority := fmt.Sprintf("rule.r%d", rnd.Intn(3)), rnd.Intn(3)
			now := time.Now().UnixMilli()
			req := Request{Output: o.Name, Owner: owner, Priority: priority, At: now, Until: Forever, Withdraw: value == ""}
			if v, err := strconv.ParseFloat(value, 64); err == nil {
				req.Value = v
			}
			if ms, err := strconv.ParseInt(ttl, 10, 64); err == nil {
				req.Until = now + ms
			}
			oracle.Put(req)
			r.ask("", o.Name, owner, value, priority, ttl)
		}
		r.after(time.Duration(rnd.Intn(1200)) * time.Millisecond)
	}
	r.plant.set(func() {
		clear(r.plant.refuse)
		clear(r.plant.hung)
		clear(r.plant.slow)
	})
	r.after(3 * time.Minute)
	now := time.Now().UnixMilli()
	oracle.Advance(now)
	for _, o := range outputs {
		want, _ := oracle.Now(o.Name, now)
		if got := r.plant.values[o.Name]; got != want.Aim {
			e, _ := r.c.Why(o.Name)
			t.Errorf("%s holds %v, expected %v: %s", o.Name, got, want.Aim, e.Sentence())
		}
	}
	checkWrites(t, outputs, r.plant.take())
	r.stop()
}

// checkWrites holds the log of the writes that the devices took against range, ramp and least interval.
func checkWrites(t *testing.T, outputs []Output, log []string) {
	t.Helper()
	for _, o := range outputs {
		last, lastAt, known := 0.0, 0.0, false
		for _, line := range log {
			var at, v float64
			rest, ok := strings.CutPrefix(line[strings.Index(line, " ")+1:], o.Name+"=")
			if !ok || strings.HasSuffix(line, "refused") {
				continue
			}
			if _, err := fmt.Sscan(line[:strings.Index(line, " ")], &at); err != nil {
				t.Fatal(err)
			}
			if _, err := fmt.Sscan(rest, &v); err != nil {
				t.Fatal(err)
			}
			if v < o.Limits.Min || v > o.Limits.Max {
				t.Errorf("%s: %v is out of range", o.Name, line)
			}
			// A device that forgot stands at its safe value, which is a start as good as the last write. A write takes up to 2 s,
			// so two of them may come closer together than they were decided.
			jump := math.Min(math.Abs(v-last), math.Abs(v-o.Limits.Safe))
			if known && o.Limits.Ramp > 0 && jump > o.Limits.Ramp*(at-lastAt+2000)/1000+1e-6 {
				t.Errorf("%s: from %v to %v in %v ms", o.Name, last, v, at-lastAt)
			}
			last, lastAt, known = v, at, true
		}
		if !known {
			t.Errorf("%s was never written", o.Name)
		}
	}
}
