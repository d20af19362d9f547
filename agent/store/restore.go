package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/voltage-edge/voltage/lua"
)

// wholeEvery is the time between two comparisons of the libraries' whole texts; in between, their own word is taken.
const wholeEvery = time.Minute

// welcome is called with every new connection. A server that was started anew has old frames at best, and caches nothing:
// before anything else it is given the newest frames and a new epoch.
func (s *Store) welcome(ctx context.Context, c *redis.Conn) error {
	info, err := c.Info(ctx, "server").Result()
	if err != nil {
		return err
	}
	if infoField(info, "redis_mode") == modeSentinel {
		return nil // It has no keys; it is asked for the master.
	}
	run := infoField(info, "run_id")
	s.arrival.Lock()
	defer s.arrival.Unlock()
	if run == s.run {
		return nil
	}
	if err = s.notOthers(ctx, c); err == nil {
		err = s.furnish(ctx, c, s.knownFrames())
	}
	switch p := ProblemOf(explain("", "", err)); p {
	case "", OutOfMemory, DiskFull:
		// Out of memory, the frames are gone and none are written: everything is unknown, which is safe.
	case Owned:
		if s.run == "" {
			s.run = run // What is there is not touched before the site is this agent's.
		}
		return nil
	case WrongMode, ReadOnly, ClusterDown:
		return nil // Not the server of the site's keys, or not now: what is sent to it will say so.
	default:
		return err
	}
	if s.run != "" {
		s.arrived.Store(true)
	}
	s.run = run
	return nil
}

// commander is a client or one connection.
type commander interface {
	Pipelined(ctx context.Context, fn func(redis.Pipeliner) error) ([]redis.Cmder, error)
}

// knownFrames are the newest frames as HSET takes them. Those that are made of what the server keeps itself are forgotten:
// it may have lost that. arrival is held.
func (s *Store) knownFrames() []any {
	fields := make([]any, 0, 2*len(s.newest))
	for device, packed := range s.newest {
		if s.o.Derived != nil && s.o.Derived(device) {
			delete(s.newest, device)
			s.forgot = true
			continue
		}
		fields = append(fields, device, packed)
	}
	return fields
}

// furnish replaces the frames and changes the epoch.
func (s *Store) furnish(ctx context.Context, c commander, fields []any) error {
	_, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Del(ctx, s.keys.frames)
		p.Set(ctx, s.keys.epoch, newEpoch(), 0)
		if len(fields) > 0 {
			p.HSet(ctx, s.keys.frames, fields...)
		}
		return nil
	})
	return err
}

func newEpoch() string {
	b := make([]byte, 8)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// restore makes the server hold what it should: libraries, programs, frames, a new epoch. work is held. On success the
// server is no longer suspect.
func (s *Store) restore(ctx context.Context) error {
	const doing = "putting libraries and programs in order"
	if !s.checked {
		if err := s.check(ctx); err != nil {
			return err
		}
		s.checked = true
	}
	if err := s.own(ctx); err != nil {
		return err
	}
	before := s.suspect
	var repaired []string
	for _, name := range sortedNames(s.wanted) {
		did, err := s.ensureLibrary(ctx, s.wanted[name])
		if err != nil {
			return s.explain(doing, err)
		}
		if did {
			repaired = append(repaired, "library "+name)
		}
	}
	for _, name := range sortedNames(s.program) {
		p := s.program[name]
		rev, err := s.client.HGet(ctx, s.keys.program(name), "rev").Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return s.explain(doing, err)
		}
		if rev == p.Revision && before != string(LostProgram) {
			continue
		}
		if err := s.writePrograms(ctx, map[string]*program{name: p}); err != nil {
			return s.explain(doing, err)
		}
		repaired = append(repaired, "program of "+name)
	}
	s.arrival.Lock()
	fields := s.knownFrames()
	s.arrival.Unlock()
	if err := s.furnish(ctx, s.client, fields); err != nil {
		return s.explain(doing, err)
	}
	if err := s.fitCursor(ctx); err != nil {
		return s.explain(doing, err)
	}
	s.restored(before, repaired)
	return nil
}

func (s *Store) restored(why string, repaired []string) {
	arrived := s.arrived.Swap(false)
	s.suspect = ""
	s.refresh = true
	s.stirred.Store(true)
	s.mu.Lock()
	s.state = StateOK
	if arrived {
		s.status.Reconnects++
	}
	s.status.Repairs += uint64(len(repaired))
	s.mu.Unlock()
	if why == "" {
		return // The first time.
	}
	detail := why
	if len(repaired) > 0 {
		detail += "; put back: " + strings.Join(repaired, ", ")
	}
	if arrived || len(repaired) > 0 || why == away {
		s.log.Info("redis is in order again", "after", detail)
		s.tell("redis_restored", detail)
	}
}

// ensureLibrary loads a library on every master that does not have it. did tells whether one had not.
func (s *Store) ensureLibrary(ctx context.Context, lib lua.Library) (did bool, err error) {
	there, err := s.onServer(lib)
	if err != nil {
		return false, err
	}
	err = s.masters(ctx, func(ctx context.Context, c *redis.Client) error {
		code, err := loadedCode(ctx, c, there.Name)
		if err != nil || code == there.Source {
			return err
		}
		did = true
		return c.FunctionLoadReplace(ctx, there.Source).Err()
	})
	return did, err
}

// loadedCode is the text of a library on a server, empty when it is not there.
func loadedCode(ctx context.Context, c *redis.Client, name string) (string, error) {
	list, err := c.FunctionList(ctx, redis.FunctionListQuery{LibraryNamePattern: name, WithCode: true}).Result()
	if err != nil {
		return "", err
	}
	for _, l := range list {
		if l.Name == name {
			return l.Code, nil
		}
	}
	return "", nil
}

// watch looks at the server now and then until ctx ends.
func (s *Store) watch(ctx context.Context) {
	tick := time.NewTicker(s.o.CheckEvery)
	defer tick.Stop()
	whole := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		full := time.Since(whole) >= wholeEvery
		if full {
			whole = time.Now()
		}
		look, cancel := context.WithTimeout(ctx, 2*ioTimeout)
		err := s.look(look, full)
		cancel()
		if err != nil && ctx.Err() == nil {
			s.note(s.explain("looking at the server", err))
			s.unstick(ctx, err)
		}
	}
}

// look asks the server how it does and what it holds, and restores what is missing.
func (s *Store) look(ctx context.Context, whole bool) error {
	if err := s.available(); err != nil {
		return err
	}
	home, err := s.home(ctx)
	if err != nil {
		return err
	}
	s.work.Lock()
	defer s.work.Unlock()
	if err := s.own(ctx); ProblemOf(err) == Owned {
		s.suspect = string(Owned)
		return err
	}
	pipe := home.Pipeline()
	info := pipe.Info(ctx, "server", "memory", "persistence")
	epoch := pipe.Exists(ctx, s.keys.epoch)
	versions := map[string]*redis.Cmd{}
	for name := range s.wanted {
		versions[name] = pipe.Do(ctx, "FCALL_RO", s.Function(name+"_version"), 1, s.keys.epoch)
	}
	revisions := map[string]*redis.StringCmd{}
	for name := range s.program {
		revisions[name] = pipe.HGet(ctx, s.keys.program(name), "rev")
	}
	pipe.Exec(ctx)
	if err := info.Err(); err != nil {
		return err
	}
	s.readInfo(info.Val())
	wrong, err := s.differences(infoField(info.Val(), "run_id"), epoch, versions, revisions)
	if err != nil {
		return err
	}
	if len(wrong) == 0 && whole {
		wrong, err = s.differentTexts(ctx)
	}
	if err != nil || len(wrong) == 0 && s.suspect == "" {
		return err
	}
	if s.suspect == "" {
		s.suspect = strings.Join(wrong, ", ")
	}
	if err := s.restore(ctx); err != nil {
		return err
	}
	s.stir()
	return nil
}

// differences lists what the server does not hold as it should.
func (s *Store) differences(run string, epoch *redis.IntCmd, versions map[string]*redis.Cmd, revisions map[string]*redis.StringCmd) ([]string, error) {
	var wrong []string
	s.arrival.Lock()
	if run != s.run {
		wrong = append(wrong, "another server")
		s.run = run
	}
	s.arrival.Unlock()
	if n, err := epoch.Result(); err != nil {
		return nil, err
	} else if n == 0 {
		wrong = append(wrong, "the keys were deleted")
	}
	for _, name := range sortedNames(versions) {
		reply, err := versions[name].StringSlice()
		switch lib := s.wanted[name]; {
		case ProblemOf(explain("", "", err)) == LostLibrary:
			wrong = append(wrong, "library "+name+" was deleted")
		case err != nil:
			return nil, err
		case len(reply) < 2 || reply[0] != lib.Version || reply[1] != lib.Hash:
			wrong = append(wrong, "library "+name+" was replaced")
		}
	}
	for _, name := range sortedNames(revisions) {
		rev, err := revisions[name].Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return nil, err
		}
		if rev != s.program[name].Revision {
			wrong = append(wrong, "the program of "+name+" was changed")
		}
	}
	return wrong, nil
}

func (s *Store) differentTexts(ctx context.Context) ([]string, error) {
	var wrong []string
	for _, name := range sortedNames(s.wanted) {
		there, err := s.onServer(s.wanted[name])
		if err != nil {
			return nil, err
		}
		err = s.masters(ctx, func(ctx context.Context, c *redis.Client) error {
			code, err := loadedCode(ctx, c, there.Name)
			if err == nil && code != there.Source {
				wrong = append(wrong, "the text of library "+name+" was changed")
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return wrong, nil
}

// unstick ends a function that runs for ever, and an embedded server that can't be helped otherwise.
func (s *Store) unstick(ctx context.Context, err error) {
	if ProblemOf(s.explain("", err)) != Busy {
		return
	}
	kill := s.client.FunctionKill(ctx).Err()
	if kill == nil {
		s.log.Error("a function ran for too long and was ended")
		s.tell("redis_function_killed", err.Error())
		return
	}
	if s.server == nil || !strings.HasPrefix(kill.Error(), "UNKILLABLE") {
		return
	}
	s.log.Error("a function that has written runs for too long: redis-server is killed and started again", "error", fmt.Sprint(kill))
	s.tell("redis_killed", kill.Error())
	s.server.kill()
}

// readInfo keeps the figures of an INFO for the status.
func (s *Store) readInfo(info string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Memory = number(infoField(info, "used_memory"))
	s.status.MaxMemory = number(infoField(info, "maxmemory"))
	s.status.AOFSize = number(infoField(info, "aof_current_size"))
	switch {
	case infoField(info, "aof_enabled") != "1":
		s.status.AOF = "off"
	case infoField(info, "aof_last_write_status") != "ok":
		s.status.AOF = "write failed"
	case infoField(info, "aof_last_bgrewrite_status") != "ok":
		s.status.AOF = "rewrite failed"
	case infoField(info, "aof_rewrite_in_progress") == "1":
		s.status.AOF = "rewriting"
	default:
		s.status.AOF = "ok"
	}
}
