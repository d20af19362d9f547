package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/voltage-edge/voltage/agent/durable"
	"github.com/voltage-edge/voltage/agent/notify/message"
)

// schema is the number of the form of the state on disk.
const schema = 1

// state is all that is kept over a restart. Times are ms since the Unix epoch, 0 when there is none.
type state struct {
	Schema int `json:"schema"`
	// Seq is the journal's record up to which all is in here: what a cursor that was not kept in time gives again is
	// passed over.
	Seq uint64 `json:"seq"`
	// Clock never goes back.
	Clock int64 `json:"clock"`
	// Number of the latest group or message.
	Number uint64 `json:"number"`
	// Alarms are those that are active, or in a group.
	Alarms map[string]*alarm `json:"alarms"`
	Groups map[string]*group `json:"groups"`
	// Sent has, for each notification, when it made messages within the last hour, and Floods when it last made one that
	// stands for several.
	Sent   map[string][]int64 `json:"sent"`
	Floods map[string]int64   `json:"floods"`
	// Outbox are the messages that are not delivered, oldest first.
	Outbox   []*pending        `json:"outbox"`
	Contacts map[string]*tally `json:"contacts"`
}

// alarm is an alarm as the events told of it.
type alarm struct {
	Name       string   `json:"name"`
	Priority   string   `json:"priority"`
	Message    string   `json:"message,omitempty"`
	Level      string   `json:"level,omitempty"`
	Quality    string   `json:"quality,omitempty"`
	Value      *float64 `json:"value,omitempty"`
	Unit       string   `json:"unit,omitempty"`
	Since      int64    `json:"since,omitempty"`
	Returned   int64    `json:"returned,omitempty"`
	Occurrence int      `json:"occurrence"`
	Active     bool     `json:"active"`
	Acked      bool     `json:"acked"`
	Silenced   bool     `json:"silenced"`
	// Seen is when an event last told of it.
	Seen int64 `json:"seen"`
}

// group are alarms that are told together.
type group struct {
	ID           string             `json:"id"`
	Notification string             `json:"notification"`
	By           map[string]string  `json:"by,omitempty"`
	Members      map[string]*member `json:"members"`
	// Messages counts those that were made, and Last is when the latest was.
	Messages int   `json:"messages"`
	Last     int64 `json:"last,omitempty"`
	// Due is when its news are told, Repeat when it is repeated if somebody still has to act. Neither comes before Hold.
	Due    int64 `json:"due,omitempty"`
	Repeat int64 `json:"repeat,omitempty"`
	Hold   int64 `json:"hold,omitempty"`
	// Told are the contacts that know of it.
	Told []string `json:"told,omitempty"`
}

// member is an alarm in a group.
type member struct {
	// News: there is something to tell.
	News bool `json:"news,omitempty"`
	// Told is when it was first told since somebody had to act; Step counts the escalations since then.
	Told int64 `json:"told,omitempty"`
	Step int   `json:"step,omitempty"`
}

// pending is a message that is not delivered yet.
type pending struct {
	Message  message.Message `json:"message"`
	Attempts int             `json:"attempts"`
	Error    string          `json:"error,omitempty"`

	// under way: it must not change.
	flying bool
}

// tally is what became of a contact's messages.
type tally struct {
	Sent uint64 `json:"sent"`
	// Failures counts attempts, Lost messages that were given up or refused for good.
	Failures uint64 `json:"failures"`
	Lost     uint64 `json:"lost"`
	LastSent int64  `json:"last_sent,omitempty"`
	// Error is why the last attempt failed; empty: it did not.
	Error string `json:"error,omitempty"`

	// row counts the attempts that failed since one did not, and retry is when the next one is.
	row   int
	retry int64
}

func newState() *state {
	return &state{
		Schema: schema, Alarms: map[string]*alarm{}, Groups: map[string]*group{}, Sent: map[string][]int64{}, Floods: map[string]int64{},
		Contacts: map[string]*tally{},
	}
}

// readState reads what was kept; a state without a schema when there is nothing.
func readState(path string) (*state, error) {
	s := newState()
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		s.Schema = 0
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the state of notifications: %w", err)
	}
	if err := json.Unmarshal(b, s); err != nil {
		return nil, fmt.Errorf("read the state of notifications in %s: %w", path, err)
	}
	if s.Schema != schema {
		return nil, fmt.Errorf("the state of notifications in %s has the form %d, and this version reads %d", path, s.Schema, schema)
	}
	return s, nil
}

// writeState replaces the file as a whole.
func writeState(path string, s *state) error {
	b, err := json.Marshal(s)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err == nil {
		err = durable.WriteFile(path, b, 0o600)
	}
	if err != nil {
		return fmt.Errorf("keep the state of notifications: %w", err)
	}
	return nil
}
