package store

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/voltage-edge/voltage/agent/event"
)

const (
	framesLibrary = "frames"
	putFunction   = "frames_put"
	// eventsAtOnce is how many events one read of the stream fetches.
	eventsAtOnce = 1000
)

// Frame is one packed frame of one device.
type Frame struct {
	Device string
	// Millis is the clock when the frame was accepted.
	Millis int64
	// Packed must not be changed any more.
	Packed []byte
}

// Batch is what goes through the libraries in one round trip.
type Batch struct {
	// Now is the clock, in ms; it never falls from batch to batch.
	Now int64
	// Frames, of which each device has one at most, and Millis never falls.
	Frames []Frame
	// Gone are devices that the site has no longer, or has with other points: their frames are forgotten.
	Gone []string
}

// Result is what came of a batch.
type Result struct {
	// Next is when the libraries want to be called again, in ms; 0: not before the next frame.
	Next int64
	// Events since the batch before, in order.
	Events []event.Event
	// Windows are the results of windows that something reads, in order.
	Windows []WindowResult
	// Failures are the libraries that failed on the batch, which the others worked off.
	Failures map[string]error
	// Forgot tells that frames of devices of Options.Derived were forgotten: what they are made of has to be asked for anew.
	Forgot bool
	// Evaluated conditions and changed states, of all libraries.
	Evaluated, Changed int
}

// WindowResult is what a window came to.
type WindowResult struct {
	// Of has the names of the window and of the aggregates that are read, each behind a zero byte.
	Of     string
	Millis int64
	// Packed has their values as doubles, the lowest byte first, NaN where nothing is known.
	Packed string
}

// stage is one library's part of the pipeline, kept from batch to batch.
type stage struct {
	library string
	head    []any // FCALL function 7 keys
	args    []any
	cmd     *redis.Cmd
	next    int64
	called  int64 // the clock of its last call
	known   bool  // next is what the library said last, and nothing else happened since
}

// callEvery is how long a library goes without a call at most, in ms: some of its housekeeping has no deadline.
const callEvery = 1000

// idle tells whether the library has nothing to do at now when no frame concerns it.
func (st *stage) idle(now int64) bool {
	return st.known && now-st.called < callEvery && (st.next == 0 || st.next > now)
}

// pipeline is what Apply builds its commands in.
type pipeline struct {
	stages  [len(order)]stage
	put     []any
	putHead []any
	read    []any
}

func (s *Store) preparePipeline() {
	p := &s.batch
	for i, lib := range order {
		st := &p.stages[i]
		st.library = lib
		st.head = []any{"FCALL", s.Function(batchFunction[lib]), 7}
		for _, k := range s.keys.seven(lib) {
			st.head = append(st.head, k)
		}
	}
	p.putHead = []any{"FCALL", s.Function(putFunction), 1, s.keys.frames}
	p.read = []any{"XREAD", "COUNT", eventsAtOnce, "STREAMS", s.keys.events, &s.cursor}
}

// Apply takes a batch through models, alarms and rules, keeps its frames, and fetches the events: one round trip. When it
// fails, the batch may have gone through some of the libraries: give it again, or a later one with newer frames; the
// libraries take no harm. Events come exactly once per run, in order.
func (s *Store) Apply(ctx context.Context, b Batch) (Result, error) {
	s.work.Lock()
	defer s.work.Unlock()
	began := time.Now()
	res, err := s.apply(ctx, b)
	if err != nil {
		err = s.explain("working off a batch of frames", err)
		if p := ProblemOf(err); p != OutOfMemory && p != DiskFull && p != Busy {
			s.suspect = string(p)
		}
		s.note(err)
		return Result{}, err
	}
	res.Events, s.pending = s.pending, nil
	res.Forgot = s.forgotten()
	s.finished(b, res, time.Since(began))
	return res, nil
}

func (s *Store) apply(ctx context.Context, b Batch) (Result, error) {
	if err := s.available(); err != nil {
		return Result{}, err
	}
	if s.suspect != "" {
		if s.o.Scratch {
			return Result{}, s.lost()
		}
		if err := s.restore(ctx); err != nil {
			return Result{}, err
		}
	}
	res, err := s.exchange(ctx, s.withNewest(b))
	switch p := ProblemOf(explain("", "", err)); {
	case p == LostProgram || p == LostLibrary:
		s.suspect = string(p)
	case err == nil && s.arrived.Load():
		// The connection was to a server that had been started anew, unnoticed until now.
		s.suspect = "a server started anew"
	default:
		return res, err
	}
	if s.o.Scratch {
		return Result{}, s.lost()
	}
	if err := s.restore(ctx); err != nil {
		return Result{}, err
	}
	return s.exchange(ctx, s.withNewest(b))
}

// lost is the error of a scratch server that lost something: what it held, nobody has.
func (s *Store) lost() error {
	return &Error{Problem: Ended, Doing: "working off a batch of frames", Where: s.where, Cause: errors.New(s.suspect + ": what it held is lost")}
}

// withNewest adds, after a restore, the newest frames of the devices that a batch has none of: what the libraries lost with
// a server, they find again by looking at every device once.
func (s *Store) withNewest(b Batch) Batch {
	if !s.refresh || s.o.Scratch {
		return b
	}
	has := make(map[string]bool, len(b.Frames)+len(b.Gone))
	for _, f := range b.Frames {
		has[f.Device] = true
	}
	for _, device := range b.Gone {
		has[device] = true
	}
	at := b.Now
	if len(b.Frames) > 0 {
		at = b.Frames[0].Millis
	}
	s.arrival.Lock()
	defer s.arrival.Unlock()
	var frames []Frame
	for device, packed := range s.newest {
		if !has[device] {
			frames = append(frames, Frame{Device: device, Millis: at, Packed: packed})
		}
	}
	b.Frames = append(frames, b.Frames...)
	return b
}

// exchange sends the pipeline and reads its replies. An error is one that the batch is to be given again for; a library
// that failed for itself is in the result.
func (s *Store) exchange(ctx context.Context, b Batch) (Result, error) {
	if s.stirred.Swap(false) {
		for i := range s.batch.stages {
			s.batch.stages[i].known = false
		}
	}
	pipe := s.client.Pipeline()
	for i := range s.batch.stages {
		s.queue(ctx, pipe, &s.batch.stages[i], b)
	}
	var gone *redis.IntCmd
	if len(b.Gone) > 0 {
		gone = pipe.HDel(ctx, s.keys.frames, b.Gone...)
	}
	var put *redis.Cmd
	if len(b.Frames) > 0 {
		p := append(s.batch.put[:0], s.batch.putHead...)
		for i := range b.Frames {
			p = append(p, &b.Frames[i].Device, b.Frames[i].Packed)
		}
		s.batch.put = p
		put = redis.NewCmd(ctx, p...)
		pipe.Process(ctx, put)
	}
	read := redis.NewCmd(ctx, s.batch.read...)
	pipe.Process(ctx, read)
	pipe.Exec(ctx)

	if more, err := s.takeEvents(read); err != nil {
		return Result{}, err
	} else if more {
		if err := s.readOn(ctx); err != nil {
			return Result{}, err
		}
	}
	var res Result
	for i := range s.batch.stages {
		if err := s.batch.stages[i].take(&res); err != nil {
			return Result{}, err
		}
	}
	if gone != nil {
		if err := gone.Err(); err != nil {
			return Result{}, err
		}
	}
	if put != nil {
		if err := put.Err(); err != nil {
			return Result{}, err
		}
	}
	s.remember(b)
	s.refresh = false
	return res, nil
}

// queue adds a library's call to the pipeline, unless it has nothing to do: no program, or no frame that its program
// reads and no deadline that is due.
func (s *Store) queue(ctx context.Context, pipe redis.Pipeliner, st *stage, b Batch) {
	st.cmd = nil
	p := s.program[st.library]
	if p == nil {
		return
	}
	args := append(st.args[:0], st.head...)
	args = append(args, b.Now)
	for i := range b.Frames {
		if f := &b.Frames[i]; p.reads(f.Device) {
			args = append(args, &f.Device, f.Millis, f.Packed)
		}
	}
	st.args = args
	if len(args) == len(st.head)+1 && st.idle(b.Now) {
		return
	}
	st.called = b.Now
	st.cmd = redis.NewCmd(ctx, args...)
	pipe.Process(ctx, st.cmd)
}

// take reads a library's reply into the result. It returns an error that concerns the batch, and puts the library's own
// into the failures.
func (st *stage) take(res *Result) error {
	if st.cmd == nil {
		if st.known {
			res.due(st.next)
		}
		return nil
	}
	st.known = false
	reply, err := st.cmd.Slice()
	if err != nil {
		if ownFailure(err) {
			if res.Failures == nil {
				res.Failures = map[string]error{}
			}
			res.Failures[st.library] = err
			return nil
		}
		return err
	}
	if len(reply) < 3 {
		return errors.New(batchFunction[st.library] + " answers with fewer than three values")
	}
	st.next = number(reply[0])
	st.known = true
	res.due(st.next)
	res.Evaluated += int(number(reply[1]))
	res.Changed += int(number(reply[2]))
	for more := reply[3:]; len(more) >= 3; more = more[3:] {
		of, _ := more[0].(string)
		millis, _ := more[1].(int64)
		packed, _ := more[2].(string)
		res.Windows = append(res.Windows, WindowResult{Of: of, Millis: millis, Packed: packed})
	}
	return nil
}

func (r *Result) due(at int64) {
	if at != 0 && (r.Next == 0 || at < r.Next) {
		r.Next = at
	}
}

func number(v any) int64 {
	s, _ := v.(string)
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		f, _ := strconv.ParseFloat(s, 64)
		return int64(f)
	}
	return n
}

// ownFailure tells whether an error is the library's own: giving the batch again would not help.
func ownFailure(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply) && classify(err) == Failed
}

// forgotten tells whether frames of Derived were forgotten since it was asked last.
func (s *Store) forgotten() bool {
	s.arrival.Lock()
	defer s.arrival.Unlock()
	forgot := s.forgot
	s.forgot = false
	return forgot
}

// remember keeps the newest frames for a server that has none.
func (s *Store) remember(b Batch) {
	s.arrival.Lock()
	defer s.arrival.Unlock()
	for _, device := range b.Gone {
		delete(s.newest, device)
	}
	for i := range b.Frames {
		s.newest[b.Frames[i].Device] = b.Frames[i].Packed
	}
}

// finished counts a batch and says once what fails.
func (s *Store) finished(b Batch, res Result, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = StateOK
	s.status.Batches++
	s.status.Frames += uint64(len(b.Frames))
	s.latency.add(took)
	for lib := range s.status.Failures {
		if res.Failures[lib] == nil && s.batch.ran(lib) {
			delete(s.status.Failures, lib)
			s.log.Info("a library works again", "library", lib)
		}
	}
	for lib, err := range res.Failures {
		text := err.Error()
		if s.status.Failures[lib] == text {
			continue
		}
		if s.status.Failures == nil {
			s.status.Failures = map[string]string{}
		}
		s.status.Failures[lib] = text
		s.status.LastError, s.status.LastErrorAt = lib+": "+text, s.o.Now()
		s.log.Error("a library fails on the frames", "library", lib, "error", text)
	}
}

// ran tells whether the library was called in the last batch.
func (p *pipeline) ran(library string) bool {
	for i := range p.stages {
		if p.stages[i].library == library {
			return p.stages[i].cmd != nil
		}
	}
	return false
}
