package endtoend

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/voltage-edge/voltage/lua/luatest"
)

// An agent on a Redis Cluster goes on shaving the peak when the master of its keys is gone, and when that one's successor
// has lost its libraries.
func TestOnACluster(t *testing.T) {
	short(t)
	cluster := luatest.StartCluster(t, true)
	plant := newPlant(t, 110)
	a := newAgent(t, peakSite(plant.Address(), 80, fmt.Sprintf(`
store {
  address = [%s]
  mode    = "cluster"
}
`, `"`+strings.Join(cluster.Addresses(), `", "`)+`"`)))
	a.start()
	a.eventually("the peak is shaved", func() error { return aboutSetpoint(plant, 30, 1.5) })

	const key = "v:{bakery}:epoch"
	cluster.Silence(t, luatest.Dead)
	cluster.Home(t, key).Kill()
	a.moreFrames(10)
	successor := cluster.Home(t, key)
	cluster.Silence(t, luatest.Alive)
	setLoad(t, plant, 115)
	a.eventually("the peak is shaved after the failover", func() error { return aboutSetpoint(plant, 35, 1.5) })

	if err := successor.FunctionFlush(context.Background()).Err(); err != nil {
		t.Fatal(err)
	}
	setLoad(t, plant, 105)
	a.eventually("the peak is shaved with the libraries put back", func() error { return aboutSetpoint(plant, 25, 1.5) })
	a.eventually("the store is in order", func() error {
		if st := a.status().Store; st.State != "ok" {
			return fmt.Errorf("%+v", st)
		}
		return nil
	})
	if out := a.run("events", "--since", "5m"); !strings.Contains(out, "library rules") {
		t.Errorf("the events don't tell of the libraries that were put back:\n%s", out)
	}
}
