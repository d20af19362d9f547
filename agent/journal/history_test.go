package journal

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/sdk/frame"
)

func TestHistory(t *testing.T) {
	j := open(t, Options{Dir: t.TempDir(), SegmentBytes: 32 << 10})
	table := Table{Device: "meter", Numbers: []Column{{Name: "other"}, {Name: "power", Unit: "kW"}}}
	must(t, j.AppendTable(table))
	noise := newSource(t, "noise", 100, 0, 1)
	must(t, j.AppendTable(noise.table))
	b, err := frame.NewBuilder(table.Frame())
	must(t, err)
	start := int64(1_700_000_000_000)
	for i := range 600 { // a minute, ten a second
		ms := start + int64(100*i)
		switch {
		case i/100 == 2:
			b.SetBad(1, frame.NoAnswer)
		case i/100 == 3 && i%2 == 0:
			b.SetQuality(1, float64(i), frame.Uncertain)
		default:
			b.Set(1, float64(i))
		}
		must(t, j.AppendFrame(ms+40, "meter", b.Pack(nil, time.UnixMilli(ms))))
		must(t, j.AppendFrame(ms+50, "noise", noise.next(ms, 0.5)))
	}
	at := func(s int) time.Time { return time.UnixMilli(start + int64(s)*1000) }
	got, err := j.History(context.Background(), "meter", "power", at(-10), at(60), 10*time.Second)
	must(t, err)
	text := ""
	for _, b := range got {
		text += fmt.Sprintf("%d: min %v max %v mean %v last %v count %d uncertain %d bad %d\n", (b.Time.UnixMilli()-start)/1000, b.Min, b.Max, b.Mean, b.Last, b.Count, b.Uncertain, b.Bad)
	}
	want := `-10: min NaN max NaN mean NaN last NaN count 0 uncertain 0 bad 0
0: min 0 max 99 mean 49.5 last 99 count 100 uncertain 0 bad 0
10: min 100 max 199 mean 149.5 last 199 count 100 uncertain 0 bad 0
20: min NaN max NaN mean NaN last NaN count 0 uncertain 0 bad 100
30: min 300 max 399 mean 349.5 last 399 count 100 uncertain 50 bad 0
40: min 400 max 499 mean 449.5 last 499 count 100 uncertain 0 bad 0
50: min 500 max 599 mean 549.5 last 599 count 100 uncertain 0 bad 0
`
	if text != want {
		t.Errorf("got\n%s", text)
	}
	if !math.IsNaN(got[0].Good()) || got[3].Good() != 0 || got[4].Good() != 0.5 || got[5].Good() != 1 {
		t.Error("the shares of good readings are wrong")
	}
	got, err = j.History(context.Background(), "meter", "power", at(5), at(6), 300*time.Millisecond)
	must(t, err)
	if len(got) != 4 || got[3].Count != 1 || got[3].Last != 59 {
		t.Errorf("got %+v", got)
	}
	if got, err = j.History(context.Background(), "meter", "nothing", at(0), at(60), time.Minute); err != nil || got[0].Count+got[0].Bad != 0 {
		t.Errorf("an unknown point: %+v, %v", got, err)
	}
	for _, c := range []struct{ since, until, every int }{{0, 0, 1}, {5, 0, 1}, {0, 5, 0}, {0, 1 << 30, 1}} {
		if _, err := j.History(context.Background(), "meter", "power", at(c.since), at(c.until), time.Duration(c.every)*time.Second); err == nil {
			t.Errorf("%+v was not refused", c)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := j.History(ctx, "meter", "power", at(0), at(60), time.Second); err == nil {
		t.Error("it did not mind that nobody waits")
	}
}

func TestReadFromATime(t *testing.T) {
	j := open(t, Options{Dir: t.TempDir(), SegmentBytes: 32 << 10})
	table, b := counter(t)
	must(t, j.AppendTable(table))
	must(t, appendCounted(t, j, b, 0, 2000))
	r := j.ReadFrom(time.UnixMilli(1500))
	defer r.Close()
	for i := 1500; i < 2000; i++ {
		rec, err := r.Next()
		must(t, err)
		if rec.Millis != int64(i) {
			t.Fatalf("record of %d, want %d", rec.Millis, i)
		}
	}
	if _, err := r.Next(); err == nil {
		t.Fatal("more came")
	}
	must(t, appendCounted(t, j, b, 2000, 2001))
	if rec, err := r.Next(); err != nil || rec.Millis != 2000 {
		t.Errorf("what was appended since: %v, %v", rec.Millis, err)
	}
}
