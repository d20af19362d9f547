// Package plantsim is a simulated small site that speaks Modbus TCP: a grid meter, a battery, a photovoltaic inverter,
// an EV charger, a heater and a generating set, in power balance with a bakery's load. The battery follows its set-point, so a peak can be shaved.
// Its registers are in the README of examples/plant.
package plantsim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/simonvetter/modbus"
)

// Config says how a plant is.
type Config struct {
	// Listen is host:port for Modbus TCP; port 0 takes a free one.
	Listen string
	// Seed of the noise on load, sun and frequency.
	Seed uint64
	// Speed is how many seconds pass in the plant per second; 0 stands still until Advance is called.
	Speed float64
	// Start is the plant's time of day at the start.
	Start time.Duration
	// SoC of the battery at the start, in percent.
	SoC float64
	// Bulk adds units 11, 12, … for measuring throughput.
	Bulk Bulk
}

// DefaultConfig is a plant a minute or two before its ovens heat.
func DefaultConfig() Config {
	return Config{Listen: "127.0.0.1:0", Seed: 1, Speed: 1, Start: 5*time.Hour + 90*time.Second, SoC: 70}
}

// Write is one write that reached the plant.
type Write struct {
	Time    time.Time `json:"time"`
	Unit    uint8     `json:"unit"`
	Table   string    `json:"table"` // holding or coil
	Address uint16    `json:"address"`
	Values  []uint16  `json:"values"` // registers; coils are 0 and 1
}

// keptWrites is how many writes are kept.
const keptWrites = 10000

// tick is how often a plant that runs moves on.
const tick = 20 * time.Millisecond

// Plant is a running plant.
type Plant struct {
	config  Config
	server  *modbus.ModbusServer
	backend string
	address string
	ctx     context.Context // ends with the plant
	cancel  context.CancelFunc
	done    sync.WaitGroup

	mu      sync.Mutex
	physics *physics
	rest    time.Duration // plant time that is less than a step
	units   map[uint8]*unit
	bulk    *bulk
	faults  map[uint8]Fault
	frozen  map[uint8]readings
	writes  []Write

	link    sync.Mutex
	front   net.Listener
	clients map[net.Conn]struct{}
	refused bool
	closed  bool
}

// New starts a plant; Close ends it.
func New(c Config) (*Plant, error) {
	day := time.Date(2026, time.May, 4, 0, 0, 0, 0, time.UTC)
	p := &Plant{
		config:  c,
		physics: newPhysics(c.Seed, day.Add(c.Start), c.SoC),
		units:   plantUnits(),
		faults:  map[uint8]Fault{},
		frozen:  map[uint8]readings{},
		clients: map[net.Conn]struct{}{},
	}
	p.bulk = newBulk(c.Bulk, p.units)
	if err := p.startServer(); err != nil {
		return nil, err
	}
	p.address = c.Listen
	p.ctx, p.cancel = context.WithCancel(context.Background())
	if err := p.accept(); err != nil {
		return nil, errors.Join(err, p.server.Stop())
	}
	if c.Speed > 0 {
		p.done.Add(1)
		go p.run()
	}
	return p, nil
}

// Address is where the plant listens, with the port that it took.
func (p *Plant) Address() string { return p.address }

// Close ends the plant and all connections to it.
func (p *Plant) Close() error {
	p.cancel()
	p.link.Lock()
	p.closed = true
	p.closeFront()
	p.link.Unlock()
	err := p.server.Stop()
	p.done.Wait()
	return err
}

func (p *Plant) run() {
	defer p.done.Done()
	t := time.NewTicker(tick)
	defer t.Stop()
	for last := time.Now(); ; {
		select {
		case <-p.ctx.Done():
			return
		case now := <-t.C:
			// A machine that slept does not make the plant jump.
			p.Advance(min(now.Sub(last), time.Second))
			last = now
		}
	}
}

// Advance moves the plant on by d, times its speed (times 1 when that is 0).
func (p *Plant) Advance(d time.Duration) {
	speed := p.config.Speed
	if speed <= 0 {
		speed = 1
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rest += time.Duration(float64(d) * speed)
	for ; p.rest >= step; p.rest -= step {
		p.physics.advance(time.Duration(float64(step) / speed))
	}
	p.bulk.advance(d)
}

// State is the plant now.
func (p *Plant) State() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.physics.State
}

// Settable are the names that Set takes.
var Settable = []string{"load", "pv", "sun", "ev", "car", "grid", "soc", "fuel"}

// Set overrides the load, the production, the charger or the meter's reading, in kW, until Release; or the sun, 0 to 1, from
// which the inverter makes what its limit allows, or whether a car is there, 1 or 0; or sets the battery's state of charge
// or the generating set's fuel, in percent, from where they go on by themselves. It acts at once.
func (p *Plant) Set(name string, value float64) error {
	if !slices.Contains(Settable, name) {
		return fmt.Errorf("can't set %q; there are %v", name, Settable)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch name {
	case "soc":
		p.physics.SoC = clamp(value, 0, 100)
		return nil
	case "fuel":
		p.physics.Fuel = clamp(value, 0, 100)
		return nil
	}
	p.physics.override[name] = value
	p.physics.curves()
	p.physics.balance()
	return nil
}

// Release gives back to its curve what Set has overridden.
func (p *Plant) Release(name string) error {
	if !slices.Contains(Settable, name) {
		return fmt.Errorf("can't release %q; there are %v", name, Settable)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.physics.override, name)
	p.physics.curves()
	p.physics.balance()
	return nil
}

// Writes are the writes that reached the plant, oldest first; the last 10,000 are kept.
func (p *Plant) Writes() []Write {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.writes)
}

func (p *Plant) record(w Write) {
	if len(p.writes) >= keptWrites {
		p.writes = slices.Delete(p.writes, 0, keptWrites/10)
	}
	p.writes = append(p.writes, w)
}
