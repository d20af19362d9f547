package intake

import (
	"math"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// A value outside of the range that is declared for its point is unknown, and nothing else of the frame changes.
func TestAValueThatCannotBeIsUnknown(t *testing.T) {
	s := testSite("a")
	s.Devices[0].Points[0].Valid = &site.Valid{Min: -50, Max: 50}
	d := newLayout(s, &layout{}, 0).devices[0]
	b := builders{}
	for _, c := range []struct {
		value float64
		want  frame.Quality
	}{
		{50, frame.Good}, {50.001, frame.Bad | frame.OutOfRange}, {-50, frame.Good}, {-1e30, frame.Bad | frame.OutOfRange},
		{math.NaN(), frame.Bad | frame.NotANumber},
	} {
		packed := b.pack(t, "a", time.UnixMilli(1000), c.value, "label")
		v, err := d.open(packed)
		if err != nil {
			t.Fatal(err)
		}
		if found := d.refuseInvalid(v, packed); found != (c.want == frame.Bad|frame.OutOfRange) {
			t.Errorf("%v: refused %v", c.value, found)
		}
		if v, err = d.open(packed); err != nil {
			t.Fatal(err)
		}
		if q := v.Quality(0); q != c.want || math.IsNaN(v.Value(0)) != q.IsBad() || v.Known() == q.IsBad() {
			t.Errorf("%v becomes %v of quality %v, known %v", c.value, v.Value(0), q, v.Known())
		}
		if v.Value(1) != 1 || v.Quality(1) != frame.Good || v.Text(0) != "label" {
			t.Errorf("%v: the rest of the frame is %v %q", c.value, v.Value(1), v.Text(0))
		}
	}
}
