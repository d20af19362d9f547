package api

import "time"

// SetRequest is a wish for an output.
type SetRequest struct {
	// Name of an output (battery.setpoint) or of a model's action (bess.power).
	Name string `json:"name"`
	// Value in the name's unit; nil withdraws the owner's wish.
	Value    *float64      `json:"value"`
	TTL      time.Duration `json:"ttl,omitempty"` // 0: until withdrawn
	Priority int           `json:"priority"`
	Owner    string        `json:"owner"` // "cli.root"
	Reason   string        `json:"reason,omitempty"`
	Wait     time.Duration `json:"wait,omitempty"`
}

// Outcome is what became of a request.
type Outcome struct {
	ID     string `json:"id"`
	Output string `json:"output"`
	// Result is pending, written, clamped (written, but cut to the range), held (by somebody with a higher priority), failed,
	// mismatch, expired, replaced or withdrawn.
	Result string `json:"result"`
	// Value that was written, after clamp and ramp, in the output's unit.
	Value    *float64 `json:"value,omitempty"`
	Aim      *float64 `json:"aim,omitempty"`
	ReadBack *float64 `json:"read_back,omitempty"`
	Owner    string   `json:"owner,omitempty"` // who holds the output
	Detail   string   `json:"detail,omitempty"`
	Unit     string   `json:"unit,omitempty"`
}

// Output is an output and who holds it.
type Output struct {
	Name      string    `json:"name"`
	State     string    `json:"state"` // safe, held, ramping, failed, mismatch, unknown
	Value     *float64  `json:"value"`
	Aim       *float64  `json:"aim"`
	Safe      float64   `json:"safe"`
	Min       float64   `json:"min"`
	Max       float64   `json:"max"`
	Unit      string    `json:"unit"`
	Owner     string    `json:"owner,omitempty"`
	Priority  int       `json:"priority,omitempty"`
	Expires   time.Time `json:"expires,omitzero"`
	LastWrite time.Time `json:"last_write,omitzero"`
	Answer    string    `json:"answer,omitempty"`
	Writes    uint64    `json:"writes"`
	Failures  uint64    `json:"failures"`
}

// Why explains an output: the chain from the wishes to what the device answered.
type Why struct {
	Output     Output       `json:"output"`
	Sentence   string       `json:"sentence"`
	Winner     *Contender   `json:"winner,omitempty"`
	Contenders []Contender  `json:"contenders,omitempty"`
	Writes     []WriteTrace `json:"writes,omitempty"`
}

// Contender is somebody's request for an output.
type Contender struct {
	Owner    string    `json:"owner"`
	Priority int       `json:"priority"`
	Value    float64   `json:"value"`
	At       time.Time `json:"at"`
	Expires  time.Time `json:"expires,omitzero"`
	Revision string    `json:"revision,omitempty"`
	// Reason: the inputs that a rule saw, or what a person gave.
	Reason string `json:"reason,omitempty"`
	// Lost says why it does not hold the output: "outranked", "expired", "withdrawn"; empty for the winner.
	Lost string `json:"lost,omitempty"`
}

// WriteTrace is one write to a device.
type WriteTrace struct {
	Time     time.Time `json:"time"`
	Value    float64   `json:"value"`
	Owner    string    `json:"owner"`
	Outcome  string    `json:"outcome"` // written, failed, mismatch
	Answer   string    `json:"answer,omitempty"`
	ReadBack *float64  `json:"read_back,omitempty"`
	TookMS   float64   `json:"took_ms"`
}
