package daemon

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/lua/luatest"
)

func TestARuleThatIsGoneHoldsNothing(t *testing.T) {
	r := newRig(t)
	r.write("battery.csv", batteryCSV)
	r.write("site.hcl", r.battery(80, 25, ""))
	r.start()
	r.told(25)
	r.stop()
	r.told(0)
	text := r.battery(80, 25, "")
	r.write("site.hcl", text[:strings.Index(text, "rule ")])
	before := len(r.plant.Writes())
	r.start()
	r.ok()
	outputs, err := r.Outputs(r.ctx())
	if err != nil || len(outputs) != 1 || outputs[0].Owner != "" {
		t.Errorf("%+v, %v: expected that nobody holds the output", outputs, err)
	}
	if !strings.Contains(r.log.String(), "a request of a rule that does not run counts no more") {
		t.Error("Redis held no request of the rule: the test has no object")
	}
	for _, w := range r.plant.Writes()[before:] {
		if w.Unit == 2 && w.Values[0] != 0 {
			t.Errorf("the battery was told %v", w)
		}
	}
}

// outside is the store block for a server of the test's own.
func outside(address string) string { return fmt.Sprintf("store { address = %q }\n", address) }

// Rules get back from a Redis that lost its data what it still holds; what people asked for stays.
func TestRedisLosesItsData(t *testing.T) {
	r := newRig(t)
	server := luatest.Start(t)
	r.write("battery.csv", batteryCSV)
	// once asks when the peak comes, and does not take it back when it goes.
	r.write("site.hcl", strings.Replace(r.battery(80, 25, outside("unix:"+server.Socket)), "priority = 50", "priority = 50\n  on = \"rising\"", 1))
	noPeak := func() {
		t.Helper()
		r.load(60)
		r.eventually("there is no peak", func() error {
			v, err := r.Value(r.ctx(), "grid_meter.power")
			if f, ok := v.Value.(float64); err != nil || !ok || f > 70_000 {
				return fmt.Errorf("%+v, %w", v, err)
			}
			return nil
		})
	}
	r.load(60)
	r.start()
	noPeak()
	r.told(0)
	r.load(110)
	r.told(25)
	noPeak()
	if err := r.tells(25); err != nil {
		t.Fatalf("the rule asks once: %v", err)
	}
	if err := server.FlushAll(r.ctx()).Err(); err != nil {
		t.Fatal(err)
	}
	r.told(0) // the rule's wish is lost, and the rule does not know of it any more

	five := 5.0
	if _, err := r.Set(r.ctx(), api.SetRequest{Name: "battery.setpoint", Value: &five, Owner: "cli.anna", Priority: 10}); err != nil {
		t.Fatal(err)
	}
	r.told(5)
	if err := server.FlushAll(r.ctx()).Err(); err != nil {
		t.Fatal(err)
	}
	r.eventually("Redis is put in order", func() error {
		if n := strings.Count(r.log.String(), "redis is in order again"); n < 2 {
			return fmt.Errorf("%d times", n)
		}
		return nil
	})
	r.load(110) // two batches later at the latest, control was compared with Redis
	r.told(25)
	out, err := r.Why(r.ctx(), "battery.setpoint")
	if err != nil || !strings.Contains(fmt.Sprint(out.Contenders), "cli.anna") {
		t.Errorf("%+v, %v: expected cli.anna among the contenders", out, err)
	}
}

func TestRedisIsAwayAtTheStart(t *testing.T) {
	r := newRig(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	r.write("battery.csv", batteryCSV)
	r.write("site.hcl", r.battery(80, 25, outside(address)))
	r.start()
	r.told(0)
	r.eventually("values come", func() error {
		v, err := r.Value(r.ctx(), "battery.soc")
		if err == nil && v.Quality != "good" {
			err = fmt.Errorf("%+v", v)
		}
		return err
	})
	st := r.status()
	if reasons := strings.Join(st.Reasons, "\n"); st.State != "degraded" || st.Store.State != "unreachable" ||
		!strings.Contains(reasons, "Check that the server runs") || !strings.Contains(reasons, waitsForRedis) {
		t.Errorf("the status is %s, the store %s: %q", st.State, st.Store.State, st.Reasons)
	}
	r.write("site.hcl", r.battery(80, 11, outside(address)))
	if _, err := r.Reload(r.ctx()); err == nil || !strings.Contains(err.Error(), "nothing has changed") {
		t.Errorf("a reload without Redis gives %v", err)
	}
	r.write("site.hcl", r.battery(80, 25, outside(address)))

	_, port, _ := net.SplitHostPort(address)
	luatest.Start(t, "--port", port)
	r.told(25)
	r.ok()
}

// The status comes while Redis hangs.
func TestTheStatusOfARedisThatHangs(t *testing.T) {
	r := newRig(t)
	r.write("battery.csv", batteryCSV)
	r.write("site.hcl", r.battery(80, 25, ""))
	r.start()
	r.told(25)
	st := r.status()
	if len(st.Libraries) != 4 {
		t.Fatalf("libraries %+v", st.Libraries)
	}
	if err := syscall.Kill(st.Store.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	resumed := false
	resume := func() {
		if !resumed {
			resumed = true
			syscall.Kill(st.Store.PID, syscall.SIGCONT)
		}
	}
	defer resume()
	for range 4 {
		began := time.Now()
		if got := r.status(); len(got.Libraries) != 4 {
			t.Errorf("libraries %+v, expected those that were seen last", got.Libraries)
		}
		// Nothing that waits for Redis would come back before its 5 s are over.
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("the status took %v", took)
		}
	}
	resume()
	r.ok()
	r.told(25)
}

func TestAnEmbeddedRedisThatIsMissing(t *testing.T) {
	r := newRig(t)
	r.write("battery.csv", batteryCSV)
	r.write("site.hcl", r.battery(80, 25, "store { executable = \"/nowhere/redis-server\" }\n"))
	err := Run(r.ctx(), r.options())
	if err == nil || errors.As(err, new(*InvalidSite)) || !strings.Contains(err.Error(), "/nowhere/redis-server") {
		t.Fatalf("%v, expected that there is no redis-server", err)
	}
}
