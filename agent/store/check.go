package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/Masterminds/semver/v3"
	"github.com/redis/go-redis/v9"
)

// masters calls f on the server, or on every master of a cluster, one after the other.
func (s *Store) masters(ctx context.Context, f func(ctx context.Context, c *redis.Client) error) error {
	switch c := s.client.(type) {
	case *redis.ClusterClient:
		var one sync.Mutex
		return c.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error {
			one.Lock()
			defer one.Unlock()
			return f(ctx, c)
		})
	case *redis.Client:
		return f(ctx, c)
	default:
		return fmt.Errorf("unexpected client %T", c)
	}
}

// home is the server that holds the site's keys.
func (s *Store) home(ctx context.Context) (*redis.Client, error) {
	switch c := s.client.(type) {
	case *redis.ClusterClient:
		return c.MasterForKey(ctx, s.keys.epoch)
	case *redis.Client:
		return c, nil
	default:
		return nil, fmt.Errorf("unexpected client %T", c)
	}
}

// check looks whether the server can be used at all: reachable, new enough, with Functions, writable, and for this user.
func (s *Store) check(ctx context.Context) error {
	const doing = "checking the server"
	if s.mode == modeCluster {
		if err := s.checkCluster(ctx); err != nil {
			return explain(doing, s.where, err)
		}
	}
	return explain(doing, s.where, s.masters(ctx, func(ctx context.Context, c *redis.Client) error {
		if err := c.Ping(ctx).Err(); err != nil {
			return err
		}
		info, err := c.Info(ctx).Result()
		if err != nil {
			return err
		}
		if err := s.checkInfo(info); err != nil {
			return err
		}
		return checkRights(ctx, c, s.keys)
	}))
}

// checkCluster asks the first server of the addresses that answers how its cluster does. The client for clusters would only
// say that it found none.
func (s *Store) checkCluster(ctx context.Context) error {
	options, err := clientOptions(s.o.Config, nil)
	if err != nil {
		return err
	}
	var last error
	for _, address := range options.Addrs {
		o := *options.Simple()
		o.Addr = address
		c := redis.NewClient(&o)
		info, err := c.ClusterInfo(ctx).Result()
		c.Close()
		if err != nil {
			last = err
			if classify(err) == Unreachable {
				continue
			}
			return err
		}
		if state := infoField(info, "cluster_state"); state != "ok" {
			return &Error{Problem: ClusterDown, Doing: "checking the cluster", Where: "redis at " + address,
				Cause: fmt.Errorf("cluster_state is %q", state), Advice: advice[ClusterDown]}
		}
		return nil
	}
	return last
}

func (s *Store) checkInfo(info string) error {
	product, text := "redis", infoField(info, "redis_version")
	if v := infoField(info, "valkey_version"); v != "" {
		product, text = "valkey", v
	}
	v, err := semver.NewVersion(text)
	if err != nil {
		return fmt.Errorf("the server says that its version is %q", text)
	}
	if v.LessThan(minimum) {
		return &Error{Problem: TooOld, Doing: "checking its version", Where: s.where, Cause: fmt.Errorf("it is %s %s", product, v), Advice: advice[TooOld]}
	}
	clustered := infoField(info, "redis_mode") == modeCluster || infoField(info, "server_mode") == modeCluster
	if clustered != (s.mode == modeCluster) {
		is := "a single server"
		if clustered {
			is = "a cluster"
		}
		return &Error{Problem: WrongMode, Doing: "checking its mode", Where: s.where, Cause: fmt.Errorf("it is %s, and mode is %q", is, s.mode), Advice: advice[WrongMode]}
	}
	if infoField(info, "role") == "slave" {
		return &Error{Problem: ReadOnly, Doing: "checking its role", Where: s.where, Cause: errors.New("it is a replica"), Advice: advice[ReadOnly]}
	}
	s.mu.Lock()
	s.version = product + " " + v.String()
	s.mu.Unlock()
	return nil
}

// checkRights tries what the agent needs and a restricted user may lack.
func checkRights(ctx context.Context, c *redis.Client, k keys) error {
	engines, err := c.Do(ctx, "FUNCTION", "STATS").Result()
	if err != nil {
		return err
	}
	if !strings.Contains(fmt.Sprint(engines), "LUA") {
		return &Error{Problem: NoFunctions, Doing: "asking for its function engines", Cause: fmt.Errorf("it has none for Lua: %v", engines), Advice: advice[NoFunctions]}
	}
	user, err := c.Do(ctx, "ACL", "WHOAMI").Text()
	if err != nil {
		// A user that may not ask who it is may still have all that is needed.
		return nil
	}
	for _, cmd := range [][]any{
		{"FCALL", "model_batch_sync", 1, k.epoch},
		{"FUNCTION", "LOAD", "REPLACE", "code"},
		{"HSET", k.program(Rules), "rev", "1"},
		{"XREAD", "COUNT", "1", "STREAMS", k.events, "0"},
		{"DEL", k.frames},
	} {
		reply, err := c.Do(ctx, append([]any{"ACL", "DRYRUN", user}, cmd...)...).Text()
		if err != nil {
			return nil // DRYRUN itself is not allowed: what is missing shows when it is used.
		}
		if reply != "OK" {
			return &Error{Problem: NoPermission, Doing: fmt.Sprintf("checking what the user %s may do", user), Cause: errors.New(reply), Advice: advice[NoPermission]}
		}
	}
	return nil
}
