package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/voltage-edge/voltage/agent/durable"
)

const (
	// ownedFor is how long a site on an external server belongs to an agent that says nothing any more.
	ownedFor = 15 * time.Second
	// ownerPause is between two looks at whether the owner of a site still lives.
	ownerPause = 500 * time.Millisecond
	idName     = "agent-id"
)

// owner is who runs a site on a server that several agents can reach, as its key says.
type owner struct {
	ID    string    `json:"id"`
	Host  string    `json:"host"`
	PID   int       `json:"pid"`
	Since time.Time `json:"since"`
}

// agentID is the name of the agent that has a data folder. It stays when the agent is started again, on the same machine.
func agentID(dir string) (string, error) {
	const doing = "reading the agent's id"
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("%s: %w", doing, err)
	}
	path := filepath.Join(dir, idName)
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		b = []byte(newEpoch())
		if err = os.MkdirAll(dir, 0o700); err == nil {
			err = durable.WriteFile(path, b, 0o600)
		}
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", doing, err)
	}
	return strings.TrimSpace(string(b)) + "@" + host, nil
}

// own makes the site this agent's for some time, or for some time more. It fails when the site is another's. On the agent's own
// server it is nobody else's.
func (s *Store) own(ctx context.Context) error {
	if s.server != nil {
		return nil
	}
	err := s.claim(ctx)
	if err == nil {
		return nil
	}
	err = s.explain("taking over the site "+s.o.Site, err)
	if c, ok := s.client.(*redis.ClusterClient); ok && Away(err) {
		c.ReloadState(ctx) // The site's keys may have another master by now.
	}
	return err
}

func (s *Store) claim(ctx context.Context) error {
	mine, err := json.Marshal(owner{ID: s.id, Host: s.id[strings.LastIndexByte(s.id, '@')+1:], PID: os.Getpid(), Since: s.opened.UTC()})
	if err != nil {
		return err
	}
	key := s.keys.owner()
	switch is, err := s.client.Get(ctx, key).Result(); {
	case err != nil && !errors.Is(err, redis.Nil):
		return err
	case is == string(mine):
		// This works out of memory too.
		return s.client.PExpire(ctx, key, ownedFor).Err()
	case err == nil:
		if err := s.notOthers(ctx, s.client); err != nil {
			return err
		}
		return s.client.Set(ctx, key, mine, ownedFor).Err()
	}
	taken, err := s.client.SetNX(ctx, key, mine, ownedFor).Result()
	if err != nil || taken {
		return err
	}
	return s.notOthers(ctx, s.client)
}

// getter is a client or one connection.
type getter interface {
	Get(ctx context.Context, key string) *redis.StringCmd
}

// notOthers is nil unless the site is another agent's.
func (s *Store) notOthers(ctx context.Context, c getter) error {
	if s.server != nil || s.o.Config.Embedded {
		return nil
	}
	text, err := c.Get(ctx, s.keys.owner()).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil
	}
	if err != nil {
		return err
	}
	var o owner
	if err := json.Unmarshal(text, &o); err != nil || o.ID == s.id {
		return nil // What is no owner's is nobody's.
	}
	return &Error{
		Problem: Owned, Doing: "taking over the site " + s.o.Site, Where: s.where, Advice: advice[Owned],
		Cause: fmt.Errorf("another agent runs it: process %d on %s, since %s", o.PID, o.Host, o.Since.Local().Format(time.DateTime)),
	}
}

// awaitOwnership takes the site over. One whose owner does not renew its time has none any more when that is over; one whose owner
// does is refused.
func (s *Store) awaitOwnership(ctx context.Context) error {
	var left time.Duration
	for {
		err := s.own(ctx)
		if ProblemOf(err) != Owned {
			return err
		}
		now, ttlErr := s.client.PTTL(ctx, s.keys.owner()).Result()
		if ttlErr != nil {
			return s.explain("taking over the site", ttlErr)
		}
		if left > 0 && now > left || now < 0 {
			return err // It lives.
		}
		if left == 0 {
			s.log.Info("another agent ran the site on this Redis; it is taken over when that one says nothing", "in", now)
		}
		left = now
		select {
		case <-ctx.Done():
			return err
		case <-time.After(ownerPause):
		}
	}
}

// disown gives the site back, so that another agent need not wait for it.
func (s *Store) disown() {
	if s.server != nil || s.client == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	text, err := s.client.Get(ctx, s.keys.owner()).Bytes()
	var o owner
	if err != nil || json.Unmarshal(text, &o) != nil || o.ID != s.id {
		return
	}
	if err := s.client.Del(ctx, s.keys.owner()).Err(); err != nil {
		s.log.Debug("can't give the site back", "error", err)
	}
}
