package store

import (
	"fmt"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/lua/luatest"
)

// startCluster starts three masters that share all slots.
func startCluster(t *testing.T) (addrs []string, nodes []*luatest.Server) {
	t.Helper()
	ctx := deadline(t)
	for range 3 {
		addr := freePort(t)
		_, port, _ := strings.Cut(addr, ":")
		// The bus gets a free port too: the default one may be beyond 65535.
		_, bus, _ := strings.Cut(freePort(t), ":")
		nodes = append(nodes, luatest.Start(t, "--cluster-enabled", "yes", "--port", port, "--cluster-port", bus, "--bind", "127.0.0.1", "--cluster-node-timeout", "5000"))
		addrs = append(addrs, addr)
	}
	for i, n := range nodes {
		from, to := i*16384/3, (i+1)*16384/3-1
		if err := n.ClusterAddSlotsRange(ctx, from, to).Err(); err != nil {
			t.Fatal(err)
		}
		if err := n.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range nodes[1:] {
		host, port, _ := strings.Cut(addrs[i+1], ":")
		bus, err := nodes[i+1].ConfigGet(ctx, "cluster-port").Result()
		if err != nil {
			t.Fatal(err)
		}
		if err := nodes[0].Do(ctx, "CLUSTER", "MEET", host, port, bus["cluster-port"]).Err(); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the cluster is there", func() bool {
		for _, n := range nodes {
			info := n.ClusterInfo(ctx).Val()
			shards, err := n.ClusterShards(ctx).Result()
			if err != nil || infoField(info, "cluster_state") != "ok" || len(shards) != 3 {
				return false
			}
		}
		return true
	})
	return addrs, nodes
}

func TestCluster(t *testing.T) {
	addrs, nodes := startCluster(t)
	data, run := folders(t)
	s := open(t, Options{Site: "test", Config: site.Store{Addresses: addrs[:1], Mode: modeCluster}, DataDir: data, RunDir: run, Log: quiet(t)})
	load(t, s)
	ctx := deadline(t)
	for i, n := range nodes {
		list, err := n.FunctionList(ctx, redis.FunctionListQuery{}).Result()
		if err != nil || len(list) != 4 {
			t.Errorf("node %d has the libraries %+v, %v", i, list, err)
		}
	}
	b := builders{}
	res := apply(t, s, 1000, b.frame(t, "a", 1000, 120), b.frame(t, "b", 1000, 2))
	if got := fmt.Sprint(fields(res.Events, "rule", "device", "value")); got != "[a 120 b 2]" {
		t.Errorf("events: %s", got)
	}
	if r, err := s.GetValue(ctx, "m.half"); err != nil || r.Value != "60" {
		t.Errorf("m.half is %+v, %v", r, err)
	}
	for _, n := range nodes {
		if err := n.FunctionFlush(ctx).Err(); err != nil {
			t.Fatal(err)
		}
	}
	apply(t, s, 1100, b.frame(t, "a", 1100, 1))
	for i, n := range nodes {
		list, err := n.FunctionList(ctx, redis.FunctionListQuery{}).Result()
		if err != nil || len(list) != 4 {
			t.Errorf("node %d has the libraries %+v, %v", i, list, err)
		}
	}
	if st := s.Status(); st.Mode != modeCluster || st.State != StateOK {
		t.Errorf("status: %+v", st)
	}
	// A node that is not the site's may go; the one that is comes back.
	home, err := s.home(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range nodes {
		if addrs[i] != home.Options().Addr {
			continue
		}
		_, port, _ := strings.Cut(addrs[i], ":")
		bus := n.ConfigGet(ctx, "cluster-port").Val()["cluster-port"]
		n.Restart(t, "--cluster-enabled", "yes", "--port", port, "--cluster-port", bus, "--bind", "127.0.0.1", "--cluster-node-timeout", "5000")
	}
	f := b.frame(t, "b", 1200, 9)
	eventually(t, "a batch goes through again", func() bool {
		_, err := s.Apply(ctx, Batch{Now: 1200, Frames: []Frame{f}})
		return err == nil
	})
	if r, err := s.GetValue(ctx, "a.x"); err != nil || r.Value != "1" {
		t.Errorf("a.x is %+v, %v", r, err)
	}
}
