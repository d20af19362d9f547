package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Refusal is a library's refusal of a call: what was asked for can't be, and the call changed nothing.
type Refusal struct {
	// Code is the first word of the library's error: unknown_name, out_of_range, already_acked …
	Code string
	// Text says it in a sentence.
	Text string
}

func (r *Refusal) Error() string { return r.Text }

// libraryOf is the library that has a function.
func libraryOf(function string) (string, error) {
	for prefix, lib := range map[string]string{"model": Models, "alarm": Alarms, "rule": Rules, "route": Routes} {
		if strings.HasPrefix(function, prefix) {
			return lib, nil
		}
	}
	return "", refuse("calling "+function, "no library of the agent has such a function")
}

// Call calls any function of a library with its keys. What the library refuses is a *Refusal.
func (s *Store) Call(ctx context.Context, function string, args ...string) (any, error) {
	reply, err := s.call(ctx, "FCALL", function, args)
	s.stir()
	return reply, err
}

// CallRO is Call for a function that writes nothing. It works where nothing can be written: out of memory, for instance.
func (s *Store) CallRO(ctx context.Context, function string, args ...string) (any, error) {
	return s.call(ctx, "FCALL_RO", function, args)
}

func (s *Store) call(ctx context.Context, command, function string, args []string) (any, error) {
	lib, err := libraryOf(function)
	if err != nil {
		return nil, err
	}
	if err := s.available(); err != nil {
		return nil, err
	}
	keys := s.keys.seven(lib)
	if (function == "model_create" || function == "model_apply_template") && len(args) > 1 {
		keys = append(keys, s.keys.model(args[1]))
	}
	full := []any{command, s.Function(function), len(keys)}
	for _, k := range keys {
		full = append(full, k)
	}
	for _, a := range args {
		full = append(full, a)
	}
	reply, err := s.client.Do(ctx, full...).Result()
	if p := ProblemOf(s.explain("", err)); p == LostProgram || p == LostLibrary {
		if err := s.restoreAfter(ctx, p); err != nil {
			return nil, err
		}
		reply, err = s.client.Do(ctx, full...).Result()
	}
	if err == nil || errors.Is(err, redis.Nil) {
		return reply, nil
	}
	if r := refusal(err); r != nil {
		return nil, r
	}
	return nil, s.explain("calling "+function, err)
}

func (s *Store) restoreAfter(ctx context.Context, p Problem) error {
	s.work.Lock()
	defer s.work.Unlock()
	s.suspect = string(p)
	return s.restore(ctx)
}

// refusals are the codes in capitals that a library refuses a call with; those in small letters all do.
var refusals = map[string]bool{"BADARG": true, "NOTFOUND": true, "DISABLED": true, "PARKED": true, "STALE": true}

// refusal is a library's own error that says why a call can't be; nil for any other.
func refusal(err error) *Refusal {
	var reply redis.Error
	if !errors.As(err, &reply) {
		return nil
	}
	code, text, _ := strings.Cut(err.Error(), " ")
	if refusals[code] || code != "" && code == strings.ToLower(code) {
		return &Refusal{Code: code, Text: text}
	}
	return nil
}

// SetRequest is somebody's wish for an output.
type SetRequest struct {
	// Name of an action of a model (bess.power) or of an output (battery.setpoint).
	Name string
	// Value in the name's unit; nil withdraws the owner's wish.
	Value    *float64
	Owner    string
	Priority int
	// TTL of 0 is for ever.
	TTL time.Duration
	// ID of the request; empty: a new one.
	ID  string
	Why string
}

// SetValue makes a request and gives its id. What it leads to, control decides.
func (s *Store) SetValue(ctx context.Context, r SetRequest) (string, error) {
	value, ttl := "", ""
	if r.Value != nil {
		value = strconv.FormatFloat(*r.Value, 'g', -1, 64)
	}
	if r.TTL > 0 {
		ttl = strconv.FormatInt(r.TTL.Milliseconds(), 10)
	}
	reply, err := s.Call(ctx, "model_set_value", s.now(), r.Name, value, r.Owner, strconv.Itoa(r.Priority), ttl, r.ID, r.Why)
	if err != nil {
		return "", err
	}
	id, ok := reply.(string)
	if !ok {
		return "", fmt.Errorf("model_set_value answers %v, expected the request's id", reply)
	}
	return id, nil
}

// Reading is a value by name.
type Reading struct {
	// Value as text, empty while it is unknown.
	Value string
	Unit  string
	// Quality is good, uncertain or bad, with a reason in parentheses where there is one.
	Quality string
	// Time of the reading at the device; zero when there is none.
	Time time.Time
}

// GetValue reads a model's measurement or property, or a device's point.
func (s *Store) GetValue(ctx context.Context, name string) (Reading, error) {
	reply, err := s.CallRO(ctx, "model_get_value", name)
	if err != nil {
		return Reading{}, err
	}
	return readingOf(reply)
}

// valuesAtOnce bounds a pipeline of GetValues, so that frames do not wait long behind one.
const valuesAtOnce = 200

// GetValues is GetValue for many names, in few round trips. A name that is not there has an empty Reading.
func (s *Store) GetValues(ctx context.Context, names []string) ([]Reading, error) {
	if err := s.available(); err != nil {
		return nil, err
	}
	keys := s.keys.seven(Models)
	out := make([]Reading, 0, len(names))
	for part := range slices.Chunk(names, valuesAtOnce) {
		pipe := s.client.Pipeline()
		cmds := make([]*redis.Cmd, len(part))
		for i, name := range part {
			cmds[i] = pipe.FCallRO(ctx, s.Function("model_get_value"), keys, name)
		}
		pipe.Exec(ctx) // each command has its own error
		for _, cmd := range cmds {
			reply, err := cmd.Result()
			switch {
			case err == nil:
				r, err := readingOf(reply)
				if err != nil {
					return nil, err
				}
				out = append(out, r)
			case refusal(err) != nil:
				out = append(out, Reading{})
			default:
				return nil, s.explain("reading the models", err)
			}
		}
	}
	return out, nil
}

func readingOf(reply any) (Reading, error) {
	f, err := texts(reply, 4)
	if err != nil {
		return Reading{}, fmt.Errorf("model_get_value: %w", err)
	}
	r := Reading{Value: f[0], Unit: f[1], Quality: f[2]}
	if ms, err := strconv.ParseInt(f[3], 10, 64); err == nil {
		r.Time = time.UnixMilli(ms).UTC()
	}
	return r, nil
}

// Request is a live request as Redis keeps it.
type Request struct {
	Output   string  `json:"output"`
	Owner    string  `json:"owner"`
	Value    float64 `json:"value"` // in the output's unit
	Priority float64 `json:"priority"`
	At       float64 `json:"at"`  // ms
	TTL      float64 `json:"ttl"` // ms; 0: for ever
	Rev      string  `json:"rev"`
	ID       string  `json:"id"`
	Why      string  `json:"why"`
}

// Requests are those that live, by output and owner: what control begins with after a start.
func (s *Store) Requests(ctx context.Context) ([]Request, error) {
	var list []Request
	err := s.callJSON(ctx, &list, "CallRO", "model_requests", s.now())
	return list, err
}

// callJSON calls a function that answers with JSON.
func (s *Store) callJSON(ctx context.Context, into any, how, function string, args ...string) error {
	call := s.Call
	if how == "CallRO" {
		call = s.CallRO
	}
	reply, err := call(ctx, function, args...)
	if err != nil {
		return err
	}
	text, ok := reply.(string)
	if !ok {
		return fmt.Errorf("%s answers %v, expected JSON", function, reply)
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return fmt.Errorf("the answer of %s: %w", function, err)
	}
	return nil
}

func texts(reply any, n int) ([]string, error) {
	list, ok := reply.([]any)
	if !ok || len(list) < n {
		return nil, fmt.Errorf("it answers %v, expected %d texts", reply, n)
	}
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = fmt.Sprint(v)
	}
	return out, nil
}

func (s *Store) now() string { return strconv.FormatInt(s.millis(), 10) }
