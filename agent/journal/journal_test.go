package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/sdk/frame"
)

func TestMain(m *testing.M) {
	if dir := appenderFolder(); dir != "" {
		appendForEver(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// source makes the frames of a device, some of whose values change from one to the next.
type source struct {
	table   Table
	builder *frame.Builder
	random  *rand.Rand
}

func newSource(t testing.TB, device string, numbers, texts int, seed uint64) *source {
	t.Helper()
	s := &source{table: Table{Device: device}, random: rand.New(rand.NewPCG(seed, 1))}
	for i := range numbers {
		s.table.Numbers = append(s.table.Numbers, Column{Name: fmt.Sprintf("n%d", i), Unit: "kW"})
	}
	for i := range texts {
		s.table.Texts = append(s.table.Texts, Column{Name: fmt.Sprintf("t%d", i)})
	}
	b, err := frame.NewBuilder(s.table.Frame())
	if err != nil {
		t.Fatal(err)
	}
	s.builder = b
	return s
}

// next gives the next frame: a share of its values is new, and some turn bad.
func (s *source) next(millis int64, share float64) []byte {
	for i := range s.table.Numbers {
		if s.random.Float64() >= share {
			continue
		}
		switch s.random.IntN(20) {
		case 0:
			s.builder.SetBad(i, frame.NoAnswer)
		case 1:
			s.builder.SetQuality(i, s.random.Float64(), frame.Uncertain)
		case 2:
			s.builder.Set(i, 0)
		case 3:
			s.builder.Set(i, s.random.NormFloat64()*1e9)
		default:
			s.builder.Set(i, float64(float32(s.random.Float64()*100)))
		}
	}
	for i := range s.table.Texts {
		if s.random.Float64() < share {
			s.builder.SetText(i, strings.Repeat("x", s.random.IntN(40)))
		}
	}
	return s.builder.Pack(nil, time.UnixMilli(millis))
}

func open(t testing.TB, o Options) *Journal {
	t.Helper()
	j, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// all reads everything that a journal has.
func all(t testing.TB, j *Journal) []Record {
	t.Helper()
	r := j.ReadFrom(time.Time{})
	defer r.Close()
	var records []Record
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return records
		}
		must(t, err)
		rec.Packed = bytes.Clone(rec.Packed)
		records = append(records, rec)
	}
}

func TestFramesComeBackByteForByte(t *testing.T) {
	dir := t.TempDir()
	j := open(t, Options{Dir: dir, SegmentBytes: 64 << 10})
	sources := []*source{newSource(t, "meter", 500, 0, 1), newSource(t, "charger[left]", 7, 3, 2), newSource(t, "clock", 0, 1, 3), newSource(t, "nothing", 0, 0, 4)}
	for _, s := range sources {
		must(t, j.AppendTable(s.table))
	}
	type sent struct {
		device string
		millis int64
		packed []byte
	}
	var want []sent
	for i := range 2000 {
		s := sources[i%len(sources)]
		millis := int64(1_700_000_000_000 + 100*i)
		f := s.next(millis-int64(i%7), 0.1)
		if i%50 == 0 {
			s.next(millis, 0.5) // one that the journal does not get
		}
		must(t, j.AppendFrame(millis, s.table.Device, f))
		want = append(want, sent{s.table.Device, millis, f})
	}
	check := func(j *Journal) {
		t.Helper()
		got := all(t, j)
		if len(got) != len(want) {
			t.Fatalf("%d records, want %d", len(got), len(want))
		}
		for i, r := range got {
			if w := want[i]; r.Kind != Frame || r.Table.Device != w.device || r.Millis != w.millis || !bytes.Equal(r.Packed, w.packed) || r.Position.Seq != uint64(i+1) {
				t.Fatalf("record %d is %s at %d, seq %d, differs from %s at %d", i, r.Table.Device, r.Millis, r.Position.Seq, w.device, w.millis)
			}
		}
	}
	check(j)
	if n := j.Stats().Segments; n < 3 {
		t.Fatalf("%d segments: the test wants several", n)
	}
	must(t, j.Close())
	check(open(t, Options{Dir: dir}))
}

func TestFrameTimesOfAllKinds(t *testing.T) {
	for _, at := range []float64{0, -5, 1.5, math.Copysign(0, -1), math.NaN(), math.Inf(1), 1e300, 1_700_000_000_000} {
		j := open(t, Options{Dir: t.TempDir()})
		s := newSource(t, "d", 3, 0, 1)
		must(t, j.AppendTable(s.table))
		f := s.next(0, 1)
		bits := math.Float64bits(at)
		for i := range 8 {
			f[8+i] = byte(bits >> (8 * i))
		}
		must(t, j.AppendFrame(1000, "d", f))
		must(t, j.AppendFrame(-1000, "d", f))
		for _, r := range all(t, j) {
			if !bytes.Equal(r.Packed, f) {
				t.Errorf("source time %v did not come back", at)
			}
		}
	}
}

func TestFramesThatDoNotFit(t *testing.T) {
	j := open(t, Options{Dir: t.TempDir()})
	s, other := newSource(t, "d", 3, 0, 1), newSource(t, "d", 4, 0, 1)
	if err := j.AppendFrame(1, "d", s.next(1, 1)); !errors.Is(err, ErrTable) {
		t.Errorf("without a table: %v", err)
	}
	must(t, j.AppendTable(s.table))
	if err := j.AppendFrame(1, "d", other.next(1, 1)); !errors.Is(err, ErrTable) {
		t.Errorf("another table: %v", err)
	}
	if err := j.AppendFrame(1, "d", s.next(1, 1)[:20]); !errors.Is(err, frame.ErrShort) {
		t.Errorf("cut: %v", err)
	}
	must(t, j.AppendFrame(1, "d", s.next(1, 1)))
	must(t, j.AppendTable(other.table))
	must(t, j.AppendFrame(2, "d", other.next(2, 1)))
	got := all(t, j)
	if len(got) != 2 || len(got[0].Table.Numbers) != 3 || len(got[1].Table.Numbers) != 4 {
		t.Fatalf("got %d records", len(got))
	}
}

func TestEvents(t *testing.T) {
	dir := t.TempDir()
	j := open(t, Options{Dir: dir})
	base := time.UnixMilli(1_700_000_000_000)
	for i := range 10 {
		e := event.New(base.Add(time.Duration(i)*time.Second), event.Alarm, "alarm", fmt.Sprint(i), "text", "ä\n,")
		if i%2 == 0 {
			e.Kind = event.Write
		} else {
			e.ID = fmt.Sprintf("%d-0", e.Millis)
		}
		must(t, j.AppendEvent(e))
	}
	if got := j.LastEventID(); got != "1700000009000-0" {
		t.Errorf("last stream id %q", got)
	}
	must(t, j.Close())
	j = open(t, Options{Dir: dir})
	must(t, j.AppendEvent(event.New(base.Add(time.Minute), event.Agent, "event", "start")))
	if got := j.LastEventID(); got != "1700000009000-0" {
		t.Errorf("last stream id after opening again %q", got)
	}
	got, err := j.Events(context.Background(), base.Add(2*time.Second), base.Add(9*time.Second), func(e event.Event) bool { return e.Kind == event.Alarm }, 2)
	must(t, err)
	if len(got) != 2 || got[0].Get("alarm") != "5" || got[1].Get("alarm") != "7" || got[1].Get("text") != "ä\n," || got[1].ID != "1700000007000-0" {
		t.Errorf("got %+v", got)
	}
	got, err = j.Events(context.Background(), time.Time{}, time.Time{}, func(event.Event) bool { return true }, 0)
	must(t, err)
	if len(got) != 11 || got[10].Kind != event.Agent || got[10].ID != "j11" {
		t.Errorf("got %d events, the last %+v", len(got), got[len(got)-1])
	}
}
