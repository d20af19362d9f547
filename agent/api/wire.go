package api

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// span is a duration as it travels: a text such as "30s", "15m" or "7d".
type span time.Duration

// MarshalJSON writes a text.
func (s span) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(s).String()) }

// UnmarshalJSON reads a text.
func (s *span) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return fmt.Errorf("a duration is a text such as \"30s\", not %s", b)
	}
	d, err := parseSpan(text)
	*s = span(d)
	return err
}

// parseSpan reads a duration that is not negative; beside Go's units it knows days.
func parseSpan(text string) (time.Duration, error) {
	if n := len(text); n > 1 && text[n-1] == 'd' {
		days, err := strconv.ParseFloat(text[:n-1], 64)
		if err == nil && days >= 0 && days < 36500 {
			return time.Duration(days * float64(24*time.Hour)), nil
		}
		return 0, fmt.Errorf("%q is no duration; write 90s, 15m, 12h or 7d", text)
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is no duration; write 90s, 15m, 12h or 7d", text)
	}
	return d, nil
}

// parseMoment reads a time stamp, or a span back from now.
func parseMoment(text string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	d, err := parseSpan(text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is no time; write a span back from now (10m, 24h, 7d) or a time like 2026-01-31T08:00:00Z", text)
	}
	return now.Add(-d), nil
}

// defaultPriority is that of a request that names none: above what rules usually have.
const defaultPriority = 90

// setBody is a SetRequest as it travels; its name is in the path.
type setBody struct {
	// Value null withdraws.
	Value    *float64 `json:"value"`
	TTL      span     `json:"ttl,omitempty"`
	Priority *int     `json:"priority,omitempty"`
	Owner    string   `json:"owner,omitempty"`
	Reason   string   `json:"reason,omitempty"`
	Wait     span     `json:"wait,omitempty"`
}

// alarmBody is an AlarmCommand as it travels; name and command are in the path.
type alarmBody struct {
	By         string `json:"by,omitempty"`
	Comment    string `json:"comment,omitempty"`
	Mode       string `json:"mode,omitempty"`
	Duration   span   `json:"duration,omitempty"`
	Occurrence int    `json:"occurrence,omitempty"`
}

// loadBody says where a library comes from.
type loadBody struct {
	// File on the agent's machine; empty: the bundled library.
	File string `json:"file,omitempty"`
}

// done is the reply of what has nothing to say.
type done struct {
	Done bool `json:"done"`
}

// Health is the reply of /healthz.
type Health struct {
	State   string   `json:"state"` // ok, degraded (it works, but see the reasons), failing
	Reasons []string `json:"reasons,omitempty"`
}

// Subscription is the first message of a WebSocket client.
type Subscription struct {
	// Patterns of names ("battery.*", "alarm.*"); none: everything.
	Patterns []string `json:"patterns,omitempty"`
	// After is the last sequence that the client has seen, to go on behind it; 0: begin with the values as they are.
	After uint64 `json:"after,omitempty"`
}
