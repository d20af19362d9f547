package compile

import "github.com/voltage-edge/voltage/agent/site"

// Linear is a value that is one point's, times Factor, plus Offset.
type Linear struct {
	Point          *site.Point
	Factor, Offset float64
}

// LinearOf says how a measurement follows from a single point, in the measurement's unit. It is false for one that is
// computed in any other way. reads are all points that it is made of; names resolves an expression that has no scope.
func LinearOf(m *site.Mapping, names Resolver) (l Linear, reads []*site.Point, ok bool) {
	c := &compiler{names: names}
	n := c.measured(m, newTotals(nil))
	if n == nil {
		return Linear{}, nil, false
	}
	l, ok = linear(n)
	return l, points(n), ok && l.Point != nil
}

// linear is a node in that form; a constant has no point.
func linear(n *node) (Linear, bool) {
	sides := make([]Linear, len(n.args))
	for i, a := range n.args {
		var ok bool
		if sides[i], ok = linear(a); !ok {
			return Linear{}, false
		}
	}
	switch n.op {
	case opConst:
		return Linear{Offset: n.num}, n.kind == number
	case opPoint:
		return Linear{Point: n.point, Factor: 1}, true
	case opBit, opTruth: // what is true is 1
		return sides[0], n.op == opBit || n.args[0].op == opPoint && n.args[0].point.Bool
	case opMinus:
		return sides[0].times(-1), true
	case opAdd:
		return sides[0].plus(sides[1])
	case opSub:
		return sides[0].plus(sides[1].times(-1))
	case opMul:
		if sides[0].Point == nil {
			return sides[1].times(sides[0].Offset), true
		}
		return sides[0].times(sides[1].Offset), sides[1].Point == nil
	case opDiv:
		return sides[0].times(1 / sides[1].Offset), sides[1].Point == nil && sides[1].Offset != 0
	}
	return Linear{}, false
}

func (l Linear) times(f float64) Linear {
	l.Factor, l.Offset = l.Factor*f, l.Offset*f
	return l
}

// plus adds two values of which one is a constant.
func (l Linear) plus(o Linear) (Linear, bool) {
	if l.Point == nil {
		l, o = o, l
	}
	l.Offset += o.Offset
	return l, o.Point == nil
}
