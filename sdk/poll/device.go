package poll

import (
	"sync"
	"time"

	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// device is one device of the channel: its schedule, its frame, its state. Schedule, frame and packed belong to the
// poll loop; the state under mu is shared with writes.
type device struct {
	index    int
	spec     *sdk.DeviceSpec
	points   map[string]*sdk.PointSpec
	readable bool
	builder  *frame.Builder
	packed   []byte
	reported time.Time

	mu       sync.Mutex
	due      time.Time
	failures int // in a row
	changed  bool
	status   sdk.DeviceStatus
}

func newDevice(index int, spec *sdk.DeviceSpec) (*device, error) {
	b, err := frame.NewBuilder(spec.Table())
	if err != nil {
		return nil, err
	}
	d := &device{index: index, spec: spec, builder: b, points: make(map[string]*sdk.PointSpec, len(spec.Points)), changed: true}
	for i := range spec.Points {
		p := &spec.Points[i]
		d.points[p.Name] = p
		d.readable = d.readable || p.Readable
	}
	d.status = sdk.DeviceStatus{Device: spec.Name, State: sdk.DeviceConnecting}
	return d, nil
}

// request counts one request.
func (d *device) request() {
	d.mu.Lock()
	d.status.Requests++
	d.mu.Unlock()
}

// sent counts one frame.
func (d *device) sent() {
	d.mu.Lock()
	d.status.Frames++
	d.mu.Unlock()
}

// dueAt is when the device is to be polled next.
func (d *device) dueAt() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.due
}

// well notes that the device answered; problem is what it refused, if anything.
func (d *device) well(latency time.Duration, problem error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failures = 0
	state, text := sdk.DeviceOK, ""
	if problem != nil {
		state, text = sdk.DevicePartial, problem.Error()
		d.status.Failures++
	}
	d.change(state, text)
	d.status.Latency = latency
	d.status.RetryAt = time.Time{}
}

// silent notes that the device did not answer and starts its pause, longer each time.
func (d *device) silent(now time.Time, err error, o Options) {
	d.mu.Lock()
	d.failures++
	retry := now.Add(o.pause(d.failures))
	d.mu.Unlock()
	d.failed(err, retry)
}

// failed notes that nothing of the device is known and that it is left alone until retry.
func (d *device) failed(err error, retry time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.status.Failures++
	d.change(sdk.DeviceBackoff, err.Error())
	d.due, d.status.RetryAt = retry, retry
}

func (d *device) change(state sdk.DeviceState, text string) {
	if d.status.State != state || d.status.Error != text {
		d.changed = true
	}
	d.status.State, d.status.Error = state, text
}

// pausing tells whether the device is in back-off, and why.
func (d *device) pausing(now time.Time) (sdk.DeviceStatus, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.status, d.status.State == sdk.DeviceBackoff && now.Before(d.due)
}

// next sets the next tick: a whole multiple of the interval since the epoch that is still to come. The monotonic
// reading of now is kept, so that setting the system's clock moves no tick.
func (d *device) next(now time.Time) {
	every := d.spec.Every
	if every <= 0 {
		every = time.Second
	}
	d.mu.Lock()
	d.due = now.Add(every - time.Duration(now.UnixNano()%int64(every)))
	d.mu.Unlock()
}

// soon makes the device due now.
func (d *device) soon(now time.Time) {
	d.mu.Lock()
	d.due = now
	d.mu.Unlock()
}

// report takes the state for a report when it changed or is old enough to be told again.
func (d *device) report(now time.Time, every time.Duration) (sdk.DeviceStatus, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.changed && now.Before(d.reported.Add(every)) {
		return sdk.DeviceStatus{}, false
	}
	d.changed = false
	d.reported = now
	return d.status, true
}
