package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/voltage-edge/voltage/lua"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// The alarm cases' format is described in testdata/alarms/README.md.

type alarmGroup struct {
	Group string      `json:"group"`
	Cases []alarmCase `json:"cases"`
}

type alarmCase struct {
	Name   string        `json:"name"`
	Alarm  *alarmDef     `json:"alarm"`
	Alarms []alarmDef    `json:"alarms"`
	Steps  []alarmStep   `json:"steps"`
	Expect []alarmExpect `json:"expect"`
}

type alarmDef struct {
	ID            string             `json:"id"`
	Kind          string             `json:"kind"`
	Point         string             `json:"point"`
	Limit         float64            `json:"limit"`
	Limits        map[string]float64 `json:"limits"`
	Deadband      float64            `json:"deadband"`
	Setpoint      *float64           `json:"setpoint"`
	SetpointPoint string             `json:"setpoint_point"`
	Direction     string             `json:"direction"`
	AlarmStates   []float64          `json:"alarm_states"`
	NormalState   *float64           `json:"normal_state"`
	Timeout       int64              `json:"timeout"`
	Expr          any                `json:"expr"`
	OnDelay       int64              `json:"on_delay"`
	OffDelay      int64              `json:"off_delay"`
	Latching      bool               `json:"latching"`
	Confirm       bool               `json:"confirm_required"`
	ReAlarm       int64              `json:"re_alarm_time"`
	MaxShelve     int64              `json:"max_shelve"`
	SuppressedBy  []string           `json:"suppressed_by"`
	FirstOut      string             `json:"first_out_group"`
}

type alarmStep struct {
	T          int64        `json:"t"`
	Sample     *alarmSample `json:"sample"`
	Do         string       `json:"do"`
	Alarm      string       `json:"alarm"`
	Occurrence *int64       `json:"occurrence"`
	Mode       string       `json:"mode"`
	Duration   *int64       `json:"duration"`
	Error      string       `json:"error"`
}

type alarmSample struct {
	Point   string   `json:"point"`
	Value   *float64 `json:"value"`
	Quality string   `json:"quality"`
	TS      *int64   `json:"ts"`
}

type alarmExpect struct {
	After       int             `json:"after"`
	Alarm       string          `json:"alarm"`
	State       map[string]any  `json:"state"`
	Annunciated *bool           `json:"annunciated"`
	JournalAdds *int            `json:"journal_adds"`
	ActiveSince json.RawMessage `json:"active_since"`
	Metrics     map[string]any  `json:"metrics"`
}

// alarmBase is added to all times of a case, so that they look like a clock's.
const alarmBase = 1_700_000_000_000

// alarmOnly is the name of an alarm that a case does not name.
const alarmOnly = "alarm"

// runAlarmCases runs the cases of one file through the alarms library, which it loads. A restart drops all that the
// library holds in memory.
func runAlarmCases(ctx context.Context, client *redis.Client, file []byte) (passed int, failures []string, err error) {
	r := &alarmRunner{client: func() *redis.Client { return client }}
	r.restart = func() error { return r.load(ctx) }
	return r.run(ctx, file)
}

type alarmRunner struct {
	client  func() *redis.Client
	restart func() error
	count   int
}

func (r *alarmRunner) load(ctx context.Context) error {
	lib, err := lua.Bundle("alarms")
	if err != nil {
		return err
	}
	return r.client().FunctionLoadReplace(ctx, lib.Source).Err()
}

func (r *alarmRunner) run(ctx context.Context, file []byte) (passed int, failures []string, err error) {
	var group alarmGroup
	if err := json.Unmarshal(file, &group); err != nil {
		return 0, nil, fmt.Errorf("reading alarm cases: %w", err)
	}
	if err := r.load(ctx); err != nil {
		return 0, nil, fmt.Errorf("loading the alarms library: %w", err)
	}
	for _, c := range group.Cases {
		r.count++
		run, err := r.start(ctx, fmt.Sprintf("case%d", r.count), c)
		if err != nil {
			return passed, failures, fmt.Errorf("%s/%s: %w", group.Group, c.Name, err)
		}
		problem, err := run.play(ctx, c)
		switch {
		case err != nil:
			return passed, failures, fmt.Errorf("%s/%s: %w", group.Group, c.Name, err)
		case problem != "":
			failures = append(failures, fmt.Sprintf("%s/%s: %s", group.Group, c.Name, problem))
		default:
			passed++
		}
	}
	return passed, failures, nil
}

// alarmRun is one case on its way.
type alarmRun struct {
	*alarmRunner
	prefix string
	points *alarmPoints
	last   string // id of the newest event that was looked at
	now    int64
}

// start writes the case's alarms as a program on a site of its own.
func (r *alarmRunner) start(ctx context.Context, site string, c alarmCase) (*alarmRun, error) {
	run := &alarmRun{alarmRunner: r, prefix: "v:{" + site + "}:", points: &alarmPoints{slots: map[string]int{}}, last: "0"}
	defs := c.Alarms
	if c.Alarm != nil {
		only := *c.Alarm
		only.ID = alarmOnly
		defs = []alarmDef{only}
	}
	program, err := alarmProgram(defs, run.points)
	if err != nil {
		return nil, err
	}
	if old, err := r.client().Keys(ctx, run.prefix+"*").Result(); err == nil && len(old) > 0 {
		r.client().Del(ctx, old...)
	}
	pipe := r.client().TxPipeline()
	pipe.HSet(ctx, run.prefix+"alarms:program", "rev", "1", "n", "1", "1", program)
	pipe.Set(ctx, run.prefix+"epoch", site+"-"+strconv.FormatInt(time.Now().UnixNano(), 36), 0)
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, err
	}
	return run, run.check(ctx, alarmBase)
}

// play runs the steps and returns the first expectation that is not met.
func (r *alarmRun) play(ctx context.Context, c alarmCase) (string, error) {
	for i, step := range c.Steps {
		r.now = alarmBase + step.T
		answer, err := r.step(ctx, step)
		if err != nil {
			return "", fmt.Errorf("step %d: %w", i, err)
		}
		if answer != step.Error {
			return fmt.Sprintf("step %d (%s) was answered with %q, expected %q", i, step.Do, answer, step.Error), nil
		}
		seen, err := r.look(ctx)
		if err != nil {
			return "", fmt.Errorf("step %d: %w", i, err)
		}
		for _, e := range c.Expect {
			if e.After != i {
				continue
			}
			if problem := seen.differs(e); problem != "" {
				return fmt.Sprintf("after step %d, alarm %q: %s", i, e.Alarm, problem), nil
			}
		}
	}
	return "", nil
}

// step does one step and returns the code with which it was refused, if it was.
func (r *alarmRun) step(ctx context.Context, step alarmStep) (code string, err error) {
	switch {
	case step.Sample != nil:
		return "", r.sample(ctx, *step.Sample)
	case step.Do == "advance":
		return "", r.check(ctx, r.now)
	case step.Do == "restart":
		if err := r.restart(); err != nil {
			return "", fmt.Errorf("restarting: %w", err)
		}
		return "", r.check(ctx, r.now)
	}
	name := step.Alarm
	if name == "" {
		name = alarmOnly
	}
	args := []any{r.now, name, step.Do, "tester", "a comment"}
	if step.Occurrence != nil {
		args = append(args, "occurrence", *step.Occurrence)
	}
	if step.Mode != "" {
		args = append(args, "mode", step.Mode)
	}
	if step.Duration != nil {
		args = append(args, "duration", *step.Duration)
	}
	_, err = r.call(ctx, "alarm_update_state", args...)
	var refused redis.Error
	if errors.As(err, &refused) {
		code, _, _ := strings.Cut(refused.Error(), " ")
		return code, nil
	}
	return "", err
}

func (r *alarmRun) sample(ctx context.Context, s alarmSample) error {
	point := s.Point
	if point == "" {
		point = "pv"
	}
	if _, ok := r.points.slots[point]; !ok {
		return r.check(ctx, r.now) // no alarm looks at it
	}
	at := r.now
	if s.TS != nil {
		at = alarmBase + *s.TS
	}
	b, err := frame.NewBuilder(alarmTable(point))
	if err != nil {
		return err
	}
	switch {
	case s.Quality == "bad" || s.Value == nil:
		b.SetBad(0, frame.NoAnswer)
	case s.Quality == "uncertain":
		b.SetQuality(0, *s.Value, frame.Uncertain)
	default:
		b.Set(0, *s.Value)
	}
	packed := b.Pack(nil, time.UnixMilli(at))
	if err := r.check(ctx, r.now, point, r.now, packed); err != nil {
		return err
	}
	return r.client().HSet(ctx, r.prefix+"frames", point, packed).Err()
}

func (r *alarmRun) check(ctx context.Context, now int64, frames ...any) error {
	_, err := r.call(ctx, "alarm_check_conditions", append([]any{now}, frames...)...)
	return err
}

func (r *alarmRun) call(ctx context.Context, function string, args ...any) (any, error) {
	keys := make([]string, 0, 7)
	for _, k := range []string{"epoch", "alarms:program", "alarms:state", "alarms:timers", "frames", "requests", "events"} {
		keys = append(keys, r.prefix+k)
	}
	return r.client().FCall(ctx, function, keys, args...).Result()
}

// alarmSeen is what one step left.
type alarmSeen struct {
	states      map[string]map[string]any
	metrics     map[string]any
	annunciated map[string]bool
	adds        map[string]int
}

func (r *alarmRun) look(ctx context.Context) (alarmSeen, error) {
	seen := alarmSeen{states: map[string]map[string]any{}, annunciated: map[string]bool{}, adds: map[string]int{}}
	from := "(" + r.last
	if r.last == "0" {
		from = "-"
	}
	events, err := r.client().XRange(ctx, r.prefix+"events", from, "+").Result()
	if err != nil {
		return seen, err
	}
	for _, e := range events {
		r.last = e.ID
		name, _ := e.Values["alarm"].(string)
		if e.Values["annunciate"] == "1" {
			seen.annunciated[name] = true
		}
		// An annunciation by itself is no journal entry.
		if e.Values["event"] != "annunciate" {
			seen.adds[name]++
		}
	}
	list, err := r.call(ctx, "alarm_list", r.now, "all")
	if err != nil {
		return seen, err
	}
	var states []map[string]any
	if err := json.Unmarshal([]byte(list.(string)), &states); err != nil {
		return seen, err
	}
	for _, s := range states {
		seen.states[s["name"].(string)] = s
	}
	metrics, err := r.call(ctx, "alarm_metrics", r.now)
	if err != nil {
		return seen, err
	}
	return seen, json.Unmarshal([]byte(metrics.(string)), &seen.metrics)
}

// differs says how what was seen differs from what was expected, or nothing.
func (s alarmSeen) differs(e alarmExpect) string {
	name := e.Alarm
	if name == "" {
		name = alarmOnly
	}
	state := s.states[name]
	if state == nil && (len(e.State) > 0 || e.ActiveSince != nil) {
		return "the library does not list it"
	}
	for key, want := range e.State {
		if got := state[key]; !sameJSON(got, want) {
			return fmt.Sprintf("%s is %v, expected %v", key, got, want)
		}
	}
	for key, want := range e.Metrics {
		if got := s.metrics[key]; !sameJSON(got, want) {
			return fmt.Sprintf("%s is %v, expected %v", key, got, want)
		}
	}
	if e.Annunciated != nil && s.annunciated[name] != *e.Annunciated {
		return fmt.Sprintf("annunciated is %v, expected %v", s.annunciated[name], *e.Annunciated)
	}
	if e.JournalAdds != nil && s.adds[name] != *e.JournalAdds {
		return fmt.Sprintf("it has %d new journal entries, expected %d", s.adds[name], *e.JournalAdds)
	}
	if e.ActiveSince != nil {
		var want any
		if err := json.Unmarshal(e.ActiveSince, &want); err != nil {
			return err.Error()
		}
		got := state["since"]
		if since, ok := got.(float64); ok {
			got = since - alarmBase
		}
		if !sameJSON(got, want) {
			return fmt.Sprintf("it is active since %v, expected %v", got, want)
		}
	}
	return ""
}

func sameJSON(got, want any) bool {
	g, ok := got.(float64)
	w, ok2 := want.(float64)
	if ok && ok2 {
		return math.Abs(g-w) <= 1e-9*math.Max(1, math.Abs(w))
	}
	return got == want
}
