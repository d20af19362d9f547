package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/voltage-edge/voltage/agent/compile"
)

const (
	shapeFunction  = "route_shape_batch"
	forgetFunction = "route_forget"
)

// routesOf is the name under which the program and the state of a sink are kept: each sink has its own.
func routesOf(sink string) string { return Routes + ":" + sink }

// routePrograms are the programs of the sinks that have one, by that name.
func routePrograms(routings []*compile.Routing) map[string]*program {
	out := map[string]*program{}
	for _, r := range routings {
		if len(r.Program.Chunks) > 0 {
			out[routesOf(r.Sink.Name)] = newProgram(r.Program)
		}
	}
	return out
}

// routePrograms are those that run.
func (s *Store) routePrograms() map[string]*program {
	s.work.Lock()
	defer s.work.Unlock()
	out := map[string]*program{}
	for name, p := range s.program {
		if p.Library == Routes {
			out[name] = p
		}
	}
	return out
}

// tryRoutes runs programs of routes on the newest frames, from no state, in the scratch key space, through the library whose functions have
// the suffix. Nothing live is touched. trials is held.
func (s *Store) tryRoutes(ctx context.Context, suffix string, programs map[string]*program) error {
	scratch := s.keys.scratch(trial)
	for _, name := range sortedNames(programs) {
		p := programs[name]
		keys := scratch.seven(name)
		drop := func() { s.client.Del(context.WithoutCancel(ctx), keys...) } // a leftover is dropped by the next trial
		drop()
		defer drop()
		pipe := s.client.TxPipeline()
		pipe.HSet(ctx, scratch.program(name), p.fields()...)
		pipe.Set(ctx, scratch.epoch, newEpoch(), 0)
		if commands, err := pipe.Exec(ctx); err != nil {
			return reason(commands, err)
		}
		req := ShapeRequest{Revision: p.Revision, To: 1}
		s.arrival.Lock()
		for device, packed := range s.newest {
			if p.reads(device) {
				req.Frames = append(req.Frames, Frame{Device: device, Millis: s.millis(), Packed: packed})
			}
		}
		s.arrival.Unlock()
		if err := s.client.Do(ctx, req.command(s.Function(shapeFunction+suffix), keys)...).Err(); err != nil {
			return fmt.Errorf("running the routes of sink %s: %w", strings.TrimPrefix(name, Routes+":"), err)
		}
	}
	return nil
}

// dropRoutes deletes programs and states of sinks that have no routes any longer. work is held.
func (s *Store) dropRoutes(ctx context.Context, next map[string]*program) error {
	var gone []string
	for name, p := range s.program {
		if p.Library == Routes && next[name] == nil {
			gone = append(gone, s.keys.program(name), s.keys.state(name))
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return s.client.Del(ctx, gone...).Err()
}

// ShapeRequest is a stretch of the journal for the routes of a sink: from behind record From up to record To. Base is a place to which
// the state may have to be brought back: that of the request before, or From.
type ShapeRequest struct {
	Sink, Revision string
	Base, From, To uint64
	Frames         []Frame
}

func (r *ShapeRequest) command(function string, keys []string) []any {
	args := make([]any, 0, 3+len(keys)+4+3*len(r.Frames))
	args = append(args, "FCALL", function, len(keys))
	for _, k := range keys {
		args = append(args, k)
	}
	args = append(args, r.Revision, r.Base, r.From, r.To)
	for i := range r.Frames {
		f := &r.Frames[i]
		args = append(args, f.Device, f.Millis, f.Packed)
	}
	return args
}

// Shaped is what came of a ShapeRequest.
type Shaped struct {
	// Fresh: there was no state before.
	Fresh  bool
	Counts []ShapeCounts
	// Samples of each frame, packed as lua/routes/output.lua says; nil where none goes out.
	Samples [][]byte
}

// ShapeCounts count the samples of a group, by its number from 1.
type ShapeCounts struct {
	Group                                            int
	Taken, Passed, Early, Unchanged, Refused, Failed uint64
}

// Displaced says that no state of a sink's routes is at the place where a request begins. It can be brought to Base and to To.
type Displaced struct{ Base, To uint64 }

func (d *Displaced) Error() string {
	return fmt.Sprintf("the state of the routes is at record %d (and %d) of the journal", d.To, d.Base)
}

// Shape shapes the frames of a stretch of the journal for a sink. An error of type *Displaced says where the state is.
func (s *Store) Shape(ctx context.Context, r ShapeRequest) (Shaped, error) {
	reply, err := s.routeCall(ctx, "shaping for the sink "+r.Sink, r.command(s.Function(shapeFunction), s.keys.seven(routesOf(r.Sink))))
	if err != nil {
		return Shaped{}, err
	}
	return readShaped(reply, len(r.Frames))
}

// ForgetRoutes drops the state of a sink's routes.
func (s *Store) ForgetRoutes(ctx context.Context, sink string) error {
	args := []any{"FCALL", s.Function(forgetFunction), 7}
	for _, k := range s.keys.seven(routesOf(sink)) {
		args = append(args, k)
	}
	_, err := s.routeCall(ctx, "forgetting the state of the routes of sink "+sink, args)
	return err
}

func (s *Store) routeCall(ctx context.Context, doing string, args []any) (any, error) {
	if err := s.available(); err != nil {
		return nil, err
	}
	reply, err := s.client.Do(ctx, args...).Result()
	if p := ProblemOf(s.explain("", err)); p == LostProgram || p == LostLibrary {
		if err := s.restoreAfter(ctx, p); err != nil {
			return nil, err
		}
		reply, err = s.client.Do(ctx, args...).Result()
	}
	if err == nil {
		return reply, nil
	}
	var e redis.Error
	if errors.As(err, &e) {
		if rest, ok := strings.CutPrefix(err.Error(), "MISPLACED "); ok {
			return nil, displaced(rest)
		}
	}
	return nil, s.explain(doing, err)
}

func displaced(text string) error {
	base, to, _ := strings.Cut(text, " ")
	d := &Displaced{}
	var errs [2]error
	d.Base, errs[0] = strconv.ParseUint(base, 10, 64)
	d.To, errs[1] = strconv.ParseUint(strings.TrimSpace(to), 10, 64)
	if err := errors.Join(errs[:]...); err != nil {
		return fmt.Errorf("%s: MISPLACED %q: %w", shapeFunction, text, err)
	}
	return d
}

// countSize is the size of a group's counts in a reply.
const countSize = 2 + 6*4

func readShaped(reply any, frames int) (Shaped, error) {
	bad := fmt.Errorf("%s answers in a form that the agent does not know", shapeFunction)
	list, ok := reply.([]any)
	if !ok || len(list) < 2 || len(list)%2 != 0 {
		return Shaped{}, bad
	}
	fresh, _ := list[0].(string)
	counts, _ := list[1].(string)
	out := Shaped{Fresh: fresh != "", Samples: make([][]byte, frames)}
	if len(counts)%countSize != 0 {
		return Shaped{}, bad
	}
	for b := []byte(counts); len(b) > 0; b = b[countSize:] {
		n := func(i int) uint64 { return uint64(binary.LittleEndian.Uint32(b[2+4*i:])) }
		out.Counts = append(out.Counts, ShapeCounts{
			Group: int(binary.LittleEndian.Uint16(b)), Taken: n(0), Passed: n(1), Early: n(2), Unchanged: n(3), Refused: n(4), Failed: n(5),
		})
	}
	for i := 2; i < len(list); i += 2 {
		at, isNumber := list[i].(int64)
		samples, isText := list[i+1].(string)
		if !isNumber || !isText || at < 1 || at > int64(frames) {
			return Shaped{}, bad
		}
		out.Samples[at-1] = []byte(samples)
	}
	return out, nil
}
