package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Result says in a word what became of a request.
type Result string

// The results.
const (
	// ResultWritten: the device took the value, cut to the output's range, and where it is read back, it reads so.
	ResultWritten Result = "written"
	// ResultOutranked: somebody with a higher priority holds the output; the request waits until it expires.
	ResultOutranked Result = "outranked"
	// ResultFailed: the device refused or did not answer. It is tried again while the request is in force.
	ResultFailed Result = "failed"
	// ResultMismatch: the device took the value, but reads differently.
	ResultMismatch Result = "mismatch"
	// ResultExpired: its time to live ran out before it was written.
	ResultExpired Result = "expired"
	// ResultReplaced: the same owner made a newer request.
	ResultReplaced Result = "replaced"
	// ResultWithdrawn: the owner took it back; also the result of taking it back.
	ResultWithdrawn Result = "withdrawn"
	// ResultPending: it is still under way, when waiting for it ended.
	ResultPending Result = "pending"
)

// Outcome is what became of a request.
type Outcome struct {
	Request string `json:"request"`
	Output  string `json:"output"`
	Result  Result `json:"result"`
	// Value that was written, after clamp and rounding; null when nothing was.
	Value *float64 `json:"value"`
	// Asked is the value of the request, Clamped tells whether it was cut to the output's range.
	Asked    *float64 `json:"asked"`
	Clamped  bool     `json:"clamped"`
	Unit     string   `json:"unit,omitempty"`
	ReadBack *float64 `json:"read_back"`
	// Holder is who holds the output, when it is not this request.
	Holder *Holder `json:"holder,omitempty"`
	// Answer is the device's.
	Answer string `json:"answer,omitempty"`
	// Detail says it in a sentence.
	Detail string `json:"detail"`
}

// OK tells whether the value stands at the device.
func (o Outcome) OK() bool {
	return o.Result == ResultWritten || o.Result == ResultWithdrawn
}

// keepTracked bounds the requests whose outcome is remembered.
const keepTracked = 1024

// tracked is a request whose outcome somebody may ask for.
type tracked struct {
	request Request
	output  string
	seen    bool // the request has arrived
	wrote   bool // its value was written
	final   bool
	outcome Outcome
	done    chan struct{}
}

func (t *tracked) finish(o Outcome) {
	t.outcome, t.final = o, true
	close(t.done)
}

// follow gives the entry of a request, a new one when there is none.
func (c *Controller) follow(id string) *tracked {
	t := c.tracked[id]
	if t == nil {
		t = &tracked{done: make(chan struct{})}
		c.tracked[id] = t
		if c.order = append(c.order, id); len(c.order) > keepTracked {
			delete(c.tracked, c.order[0])
			c.order = c.order[1:]
		}
	}
	return t
}

// track notes a request so that its outcome can be asked for. Nobody asks for those of rules.
func (c *Controller) track(r Request) {
	if r.ID == "" || strings.HasPrefix(r.Owner, "rule.") {
		return
	}
	t := c.follow(r.ID)
	if t.seen {
		return
	}
	t.request, t.output, t.seen = r, r.Output, true
	o := c.outputs[r.Output]
	o.open = append(o.open, t)
}

// refuse notes a request that can't be taken.
func (c *Controller) refuse(r Request, err error) {
	c.outbox = append(c.outbox, refusedEvent(r, c.o.Now(), err))
	if r.ID == "" || strings.HasPrefix(r.Owner, "rule.") {
		return
	}
	if t := c.follow(r.ID); !t.final {
		t.request, t.output, t.seen = r, r.Output, true
		t.finish(Outcome{Request: r.ID, Output: r.Output, Result: ResultFailed, Detail: err.Error()})
	}
}

// Wait waits for the outcome of a request, which may not have arrived yet. When the deadline of ctx passes before, it gives
// what is known as pending; that ctx was cancelled is an error.
func (c *Controller) Wait(ctx context.Context, requestID string) (Outcome, error) {
	c.mu.Lock()
	t := c.follow(requestID)
	c.mu.Unlock()
	select {
	case <-t.done:
		return t.outcome, nil
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.final {
		return t.outcome, nil
	}
	out := c.pendingOutcome(requestID, t)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return out, nil
	}
	return out, fmt.Errorf("waiting for request %s: %w", requestID, context.Cause(ctx))
}

func (c *Controller) pendingOutcome(id string, t *tracked) Outcome {
	out := Outcome{Request: id, Output: t.output, Result: ResultPending, Detail: "the request has not reached the controller"}
	o := c.outputs[t.output]
	if !t.seen || o == nil {
		return out
	}
	out.Unit, out.Asked = o.Unit, number(t.request.Value)
	out.Detail = "it waits to be written"
	j, _ := c.arb.Now(o.Name, c.o.Now().UnixMilli())
	switch {
	case t.wrote:
		out.Value, out.Detail = number(o.written), "it is written; the read-back is still to come"
	case j.Value != j.Aim:
		out.Value = number(j.Value)
		out.Detail = fmt.Sprintf("it is on the way: %s of %s", quantity(j.Value, ""), quantity(j.Aim, o.Unit))
	}
	return out
}

// settle closes the followed requests of an output whose outcome is known.
func (c *Controller) settle(o *output, j Judgement) {
	if len(o.open) == 0 {
		return
	}
	o.open = slices.DeleteFunc(o.open, func(t *tracked) bool {
		if !t.final {
			c.settleOne(o, j, t)
		}
		return t.final
	})
}

func (c *Controller) settleOne(o *output, j Judgement, t *tracked) {
	r := t.request
	out := Outcome{Request: r.ID, Output: o.Name, Unit: o.Unit, Asked: number(r.Value)}
	if r.Withdraw {
		out.Asked, out.Result, out.Holder = nil, ResultWithdrawn, holderOf(j.Winner)
		out.Detail = fmt.Sprintf("%s took its request back; %s", r.Owner, heldBy(o, j))
		t.finish(out)
		return
	}
	if j.Winner != nil && j.Winner.Owner == r.Owner && j.Winner.ID == r.ID {
		c.settleWinner(o, j, t, out)
		return
	}
	if t.wrote {
		c.finishWritten(o, t, out)
		return
	}
	out.Holder = holderOf(j.Winner)
	out.Result = ResultOutranked
	out.Detail = fmt.Sprintf("not written: %s", heldBy(o, j))
	for _, e := range c.arb.Ended(o.Name) {
		if e.Owner != r.Owner || e.ID != r.ID {
			continue
		}
		out.Result = map[Ending]Result{Expired: ResultExpired, Withdrawn: ResultWithdrawn, Replaced: ResultReplaced}[e.Ending]
		out.Detail = fmt.Sprintf("the request was %s before it was written", e.Ending)
		if e.Ending == Expired {
			out.Detail = fmt.Sprintf("its time to live of %v ran out before it was written",
				time.Duration(r.Until-r.At)*time.Millisecond)
		}
		break
	}
	t.finish(out)
}

// settleWinner is settleOne for the request that holds the output.
func (c *Controller) settleWinner(o *output, j Judgement, t *tracked, out Outcome) {
	if o.known && !o.dirty && j.Value == j.Aim && same(o.applied, j.Aim) {
		t.wrote = true
	}
	if t.wrote && !(o.verifies(c) && o.check.verdict == unverified) {
		c.finishWritten(o, t, out)
	}
}

func (o *output) verifies(c *Controller) bool { return o.ReadBack != nil && c.o.Reader != nil }

func (c *Controller) finishWritten(o *output, t *tracked, out Outcome) {
	out.Result, out.Value, out.Answer = ResultWritten, number(o.written), o.lastAnswer()
	out.ReadBack = o.check.seen
	if n := len(o.records); out.ReadBack == nil && n > 0 {
		out.ReadBack = o.records[n-1].ReadBack
	}
	out.Detail = fmt.Sprintf("%s is %s", o.Name, quantity(o.written, o.Unit))
	asked := t.request.Value
	if cut := o.Limits.clamp(asked); cut != asked {
		out.Clamped = true
		out.Detail = fmt.Sprintf("%s is %s: %s was asked for, the range is %s", o.Name, quantity(o.written, o.Unit),
			quantity(asked, o.Unit), rangeText(o.Limits, o.Unit))
	}
	switch {
	case o.check.verdict == mismatched && o.check.seen != nil:
		out.Result = ResultMismatch
		out.Detail = fmt.Sprintf("the device took %s, but reads %s", quantity(o.written, o.Unit), quantity(*o.check.seen, o.Unit))
	case o.verifies(c) && o.check.verdict != verified:
		out.Detail += "; it could not be read back"
	case o.check.verdict == verified:
		out.Detail += ", read back"
	}
	t.finish(out)
}

// failed closes the followed request that a write was made for and that the device refused.
func (c *Controller) failed(o *output, w job, r WriteRecord) {
	for _, t := range o.open {
		if t.final || w.winner == nil || t.request.ID != w.winner.ID {
			continue
		}
		t.finish(Outcome{
			Request: t.request.ID, Output: o.Name, Unit: o.Unit, Asked: number(t.request.Value), Result: ResultFailed,
			Answer: r.Answer,
			Detail: fmt.Sprintf("%s could not be written: %s; it is tried again while the request is in force", o.Name, r.Answer),
		})
	}
}

func (o *output) lastAnswer() string {
	if len(o.records) == 0 {
		return ""
	}
	return o.records[len(o.records)-1].Answer
}

func heldBy(o *output, j Judgement) string {
	if j.Winner == nil {
		return fmt.Sprintf("nobody holds %s, which goes to its safe value %s", o.Name, quantity(j.Aim, o.Unit))
	}
	return fmt.Sprintf("%s holds %s with priority %d at %s", j.Winner.Owner, o.Name, j.Winner.Priority, quantity(j.Aim, o.Unit))
}
