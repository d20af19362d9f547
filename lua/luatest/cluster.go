package luatest

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Node is a server that listens on a port of the loopback too, as clusters and Sentinels need it.
type Node struct {
	*Server
	// Address is host:port.
	Address string
	bus     string
	args    []string
}

// Dead is how long a server that is watched may be silent before it is taken for dead, when a test wants that. Alive is what
// no pause of a busy machine reaches: without a test's word nothing fails over, least of all to a server that has just
// returned and lacks the newest data.
const (
	Dead  = 2 * time.Second
	Alive = 60 * time.Second
)

// Port is an address of the loopback on which nobody listens.
func Port(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func portOf(address string) string {
	_, port, _ := strings.Cut(address, ":")
	return port
}

// StartNode starts a server on a free port.
func StartNode(t testing.TB, args ...string) *Node {
	t.Helper()
	address := Port(t)
	args = append([]string{"--port", portOf(address), "--bind", "127.0.0.1"}, args...)
	return &Node{Server: Start(t, args...), Address: address, args: args}
}

// Return starts a server that was killed again, on the same data and port.
func (n *Node) Return(t testing.TB) {
	t.Helper()
	n.Server.Return(t, n.args...)
}

// Cluster is a Redis Cluster of three masters, with a replica each if wanted. Replica i is that of master i, and stands behind
// the masters.
type Cluster []*Node

// StartCluster starts a cluster and waits until it works.
func StartCluster(t testing.TB, replicas bool) Cluster {
	t.Helper()
	const masters = 3
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	count := masters
	if replicas {
		count = 2 * masters
	}
	var c Cluster
	for range count {
		// The bus gets a free port too: the default one may be beyond 65535.
		bus := portOf(Port(t))
		n := StartNode(t, "--cluster-enabled", "yes", "--cluster-port", bus, "--cluster-node-timeout", millis(Alive),
			"--cluster-replica-validity-factor", "0", "--repl-diskless-sync-delay", "0")
		n.bus = bus
		c = append(c, n)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, n := range c {
		must(n.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err())
		if i < masters {
			must(n.ClusterAddSlotsRange(ctx, i*16384/masters, (i+1)*16384/masters-1).Err())
		}
		if i > 0 {
			must(c[0].Do(ctx, "CLUSTER", "MEET", "127.0.0.1", portOf(n.Address), n.bus).Err())
		}
	}
	wait(ctx, t, "the nodes know each other", func() bool {
		for _, n := range c {
			if strings.Count(n.ClusterNodes(ctx).Val(), " connected") < count {
				return false
			}
		}
		return true
	})
	for i := masters; i < count; i++ {
		must(c[i].ClusterReplicate(ctx, c[i-masters].ClusterMyID(ctx).Val()).Err())
	}
	wait(ctx, t, "the cluster works", func() bool {
		for i, n := range c {
			state := n.ClusterInfo(ctx).Val()
			shards, err := n.ClusterShards(ctx).Result()
			if !strings.Contains(state, "cluster_state:ok") || err != nil || len(shards) != masters {
				return false
			}
			if i >= masters && !strings.Contains(n.Info(ctx, "replication").Val(), "master_link_status:up") {
				return false
			}
		}
		return true
	})
	return c
}

// Silence says how long a node may be silent before the others take it for dead: Alive at first.
func (c Cluster) Silence(t testing.TB, d time.Duration) {
	t.Helper()
	for _, n := range c {
		// One that was killed begins with Alive again.
		if err := n.ConfigSet(context.Background(), "cluster-node-timeout", millis(d)).Err(); err != nil && n.running() {
			t.Fatal(err)
		}
	}
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// Addresses are those of all nodes.
func (c Cluster) Addresses() []string {
	var out []string
	for _, n := range c {
		out = append(out, n.Address)
	}
	return out
}

// Home is the node that has a key as its master; it fails the test when none says so in time.
func (c Cluster) Home(t testing.TB, key string) *Node {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	var home *Node
	wait(ctx, t, "a master has "+key, func() bool {
		for _, n := range c {
			// A node that has a key moved answers with an error; a replica always does.
			if n.Client != nil && n.Exists(ctx, key).Err() == nil {
				home = n
				return true
			}
		}
		return false
	})
	return home
}

func wait(ctx context.Context, t testing.TB, what string, done func() bool) {
	t.Helper()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatalf("not in time: %s", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Sentinels are a master with a replica, and three Sentinels that watch them.
type Sentinels struct {
	// Master is the one that began as it; Replica the other.
	Master, Replica *Node
	Addresses       []string
	sentinels       []*Node
}

// SentinelMaster is the name under which the Sentinels know the master.
const SentinelMaster = "site"

// StartSentinels starts them and waits until they know each other.
func StartSentinels(t testing.TB) Sentinels {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	s := Sentinels{Master: StartNode(t, "--repl-diskless-sync-delay", "0")}
	s.Replica = StartNode(t, "--repl-diskless-sync-delay", "0", "--replicaof", "127.0.0.1 "+portOf(s.Master.Address))
	wait(ctx, t, "the replica follows", func() bool {
		return strings.Contains(s.Replica.Info(ctx, "replication").Val(), "master_link_status:up")
	})
	for range 3 {
		n := startSentinel(t, s.Master.Address)
		s.sentinels = append(s.sentinels, n)
		s.Addresses = append(s.Addresses, n.Address)
	}
	wait(ctx, t, "the Sentinels know each other", func() bool {
		for _, n := range s.sentinels {
			reply, err := n.Do(ctx, "SENTINEL", "CKQUORUM", SentinelMaster).Text()
			others, _ := n.Do(ctx, "SENTINEL", "SENTINELS", SentinelMaster).Slice()
			replicas, _ := n.Do(ctx, "SENTINEL", "REPLICAS", SentinelMaster).Slice()
			if err != nil || !strings.HasPrefix(reply, "OK") || len(others) != 2 || len(replicas) != 1 {
				return false
			}
		}
		return true
	})
	return s
}

// Silence says how long a server may be silent before it is taken for dead: Alive at first.
func (s Sentinels) Silence(t testing.TB, d time.Duration) {
	t.Helper()
	for _, n := range s.sentinels {
		if err := n.Do(context.Background(), "SENTINEL", "SET", SentinelMaster, "down-after-milliseconds", millis(d)).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// Content waits until all Sentinels find the master, whichever it is, well, and have nothing under way.
func (s Sentinels) Content(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	wait(ctx, t, "the Sentinels find the master well", func() bool {
		for _, n := range s.sentinels {
			master, err := n.Do(ctx, "SENTINEL", "MASTER", SentinelMaster).Result()
			told, _ := master.(map[any]any)
			if err != nil || told["flags"] != "master" {
				return false
			}
		}
		return true
	})
}

// startSentinel starts a Sentinel. It keeps what it knows in its configuration, a file of its own.
func startSentinel(t testing.TB, master string) *Node {
	t.Helper()
	address := Port(t)
	s := newServer(t)
	config := filepath.Join(s.Dir, "sentinel.conf")
	text := fmt.Sprintf("port %[1]s\nbind 127.0.0.1\nunixsocket %[2]s\ndir %[3]s\nsentinel monitor %[4]s 127.0.0.1 %[5]s 2\n"+
		"sentinel down-after-milliseconds %[4]s %[6]s\nsentinel failover-timeout %[4]s 5000\n",
		portOf(address), s.Socket, s.Dir, SentinelMaster, portOf(master), millis(Alive))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.run(t, config, "--sentinel")
	return &Node{Server: s, Address: address}
}
