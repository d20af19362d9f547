package plantsim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Kind is a kind of fault.
type Kind string

// The faults.
const (
	// Dead swallows requests: no answer ever comes.
	Dead Kind = "dead"
	// Slow holds answers back by Fault.Delay.
	Slow Kind = "slow"
	// Exception answers every request with Fault.Code.
	Exception Kind = "exception"
	// NaN gives every number the value that stands for "not available".
	NaN Kind = "nan"
	// Range gives every number a value that can't be.
	Range Kind = "range"
	// Freeze gives the readings of the moment when the fault came; writes still count.
	Freeze Kind = "freeze"
	// Refuse closes the port: connections are refused. It holds for the whole plant.
	Refuse Kind = "refuse"
)

// Kinds are all faults, in the order of their documentation.
var Kinds = []Kind{Dead, Slow, Exception, NaN, Range, Freeze, Refuse}

// Fault is what is wrong with one unit, or with all.
type Fault struct {
	Kind Kind `json:"kind"`
	// Unit that has it; 0: every unit.
	Unit uint8 `json:"unit"`
	// Delay of Slow.
	Delay time.Duration `json:"delay_ns,omitempty"`
	// Code of Exception; 0 means 4, server device failure.
	Code uint8 `json:"code,omitempty"`
}

// SetFault makes a unit, or all of them, faulty. A unit has one fault at a time.
func (p *Plant) SetFault(f Fault) error {
	if !slices.Contains(Kinds, f.Kind) {
		return fmt.Errorf("there is no fault %q; there are %s", f.Kind, kindList())
	}
	p.mu.Lock()
	if p.units[f.Unit] == nil && f.Unit != 0 {
		p.mu.Unlock()
		return fmt.Errorf("there is no unit %d", f.Unit)
	}
	if f.Kind == Refuse {
		p.mu.Unlock()
		return p.refuse()
	}
	if f.Kind == Freeze {
		for id, u := range p.units {
			if f.Unit == 0 || f.Unit == id {
				p.frozen[id] = p.snapshot(u)
			}
		}
	}
	p.faults[f.Unit] = f
	p.mu.Unlock()
	return nil
}

// ClearFault heals a unit; unit 0 heals everything.
func (p *Plant) ClearFault(unit uint8) error {
	p.mu.Lock()
	if unit == 0 {
		clear(p.faults)
		clear(p.frozen)
	} else {
		delete(p.faults, unit)
		delete(p.frozen, unit)
	}
	p.mu.Unlock()
	if unit == 0 {
		return p.accept()
	}
	return nil
}

// Faults are the faults that there are, by unit.
func (p *Plant) Faults() []Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	faults := make([]Fault, 0, len(p.faults)+1)
	for _, unit := range slices.Sorted(maps.Keys(p.faults)) {
		faults = append(faults, p.faults[unit])
	}
	if p.refused {
		faults = append(faults, Fault{Kind: Refuse})
	}
	return faults
}

// fault is what is wrong with a unit.
func (p *Plant) fault(unit uint8) Fault {
	if f, ok := p.faults[unit]; ok {
		return f
	}
	return p.faults[0]
}

func kindList() string {
	names := make([]string, len(Kinds))
	for i, k := range Kinds {
		names[i] = string(k)
	}
	return strings.Join(names, ", ")
}
