package journal

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/tsdb/wlog"

	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// The tests run their own executable again as a process that appends until it is killed.
const appenderEnv = "VOLTAGE_TEST_APPENDER"

func appenderFolder() string { return os.Getenv(appenderEnv) }

// counter makes frames whose first value is a number that counts on.
func counter(t testing.TB) (Table, *frame.Builder) {
	table := Table{Device: "meter"}
	for i := range 40 {
		table.Numbers = append(table.Numbers, Column{Name: fmt.Sprintf("n%d", i)})
	}
	b, err := frame.NewBuilder(table.Frame())
	if err != nil {
		panic(err)
	}
	return table, b
}

// appendForEver appends frames and events, and says after each which one was acknowledged.
func appendForEver(dir string) {
	j, err := Open(Options{Dir: dir, SegmentBytes: 64 << 10, Sync: 5 * time.Millisecond})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	table, b := counter(nil)
	if err := j.AppendTable(table); err != nil {
		panic(err)
	}
	first := j.Stats().Seq
	for n := first; ; n++ {
		millis := int64(1_700_000_000_000 + n)
		if n%10 == 9 {
			err = j.AppendEvent(event.Event{ID: fmt.Sprintf("%d-0", millis), Millis: millis, Kind: event.Agent, Fields: map[string]string{"n": strconv.FormatUint(n, 10)}})
		} else {
			b.Set(0, float64(n))
			b.Set(1+int(n%39), float64(n))
			err = j.AppendFrame(millis, "meter", b.Pack(nil, time.UnixMilli(millis)))
		}
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		fmt.Println(n)
	}
}

func TestAcknowledgedRecordsSurviveKill(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	dir := t.TempDir()
	next := uint64(0)
	for round := range 6 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), appenderEnv+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		lines := bufio.NewScanner(out)
		acknowledged := next
		for i := 0; i < 1500+round*700 && lines.Scan(); i++ {
			n, err := strconv.ParseUint(lines.Text(), 10, 64)
			if err != nil || n != acknowledged {
				t.Fatalf("the appender says %q, expected %d", lines.Text(), acknowledged)
			}
			acknowledged++
		}
		must(t, cmd.Process.Kill())
		for lines.Scan() { // what it said before it died
			if strings.TrimSpace(lines.Text()) == strconv.FormatUint(acknowledged, 10) {
				acknowledged++
			}
		}
		_ = cmd.Wait()

		j := open(t, Options{Dir: dir})
		got := all(t, j)
		if uint64(len(got)) < acknowledged {
			t.Fatalf("round %d: %d records, %d were acknowledged", round, len(got), acknowledged)
		}
		for i, r := range got {
			checkCounted(t, r, uint64(i))
		}
		last := got[len(got)-1].Position.Seq
		if want := fmt.Sprintf("%d-0", 1_700_000_000_000+last/10*10-1); j.LastEventID() != want {
			t.Errorf("round %d: last event %s, want %s", round, j.LastEventID(), want)
		}
		next = last
		must(t, j.Close())
	}
}

// checkCounted checks that a record is the n-th of an appender.
func checkCounted(t *testing.T, r Record, n uint64) {
	t.Helper()
	if r.Position.Seq != n+1 {
		t.Fatalf("record %d has number %d", n, r.Position.Seq)
	}
	if n%10 == 9 {
		if r.Kind != Event || r.Event.Get("n") != strconv.FormatUint(n, 10) {
			t.Fatalf("record %d is %+v", n, r)
		}
		return
	}
	v, err := frame.Parse(r.Packed, nil)
	if err != nil || v.Value(0) != float64(n) || v.Value(1+int(n%39)) != float64(n) {
		t.Fatalf("record %d: frame %v, %v", n, r.Packed, err)
	}
}

// fillCounted makes a closed or, with kill, a left journal of several segments.
func fillCounted(t *testing.T, dir string, n int) {
	t.Helper()
	j := open(t, Options{Dir: dir, SegmentBytes: 32 << 10})
	table, b := counter(t)
	must(t, j.AppendTable(table))
	for i := range n {
		millis := int64(1_700_000_000_000 + i)
		if i%10 == 9 {
			must(t, j.AppendEvent(event.Event{ID: fmt.Sprintf("%d-0", millis), Millis: millis, Kind: event.Agent, Fields: map[string]string{"n": strconv.Itoa(i)}}))
			continue
		}
		b.Set(0, float64(i))
		b.Set(1+i%39, float64(i))
		must(t, j.AppendFrame(millis, "meter", b.Pack(nil, time.UnixMilli(millis))))
	}
	must(t, j.Close())
}

func segmentPaths(t *testing.T, dir string) []string {
	t.Helper()
	indexes, err := segmentFiles(dir)
	must(t, err)
	var paths []string
	for _, i := range indexes {
		paths = append(paths, wlog.SegmentName(dir, i))
	}
	return paths
}

// damage does something bad to the files of a journal.
func damage(t *testing.T, r *rand.Rand, dir string) string {
	t.Helper()
	paths := segmentPaths(t, dir)
	path := paths[r.IntN(len(paths))]
	b, err := os.ReadFile(path)
	must(t, err)
	what := ""
	switch kind := r.IntN(7); {
	case kind == 0 || len(b) == 0:
		what = "removed the index"
		_ = os.Remove(filepath.Join(dir, indexName))
		return what
	case kind == 1:
		n := r.IntN(len(b))
		what = fmt.Sprintf("cut to %d", n)
		b = b[:n]
	case kind == 2:
		what = "removed"
		must(t, os.Remove(path))
		return what + " " + path
	case kind == 3:
		at := r.IntN(len(b))
		n := min(r.IntN(100_000), len(b)-at)
		what = fmt.Sprintf("zeroed %d at %d", n, at)
		clear(b[at : at+n])
	case kind == 4:
		at := r.IntN(len(b))
		n := min(r.IntN(5000), len(b)-at)
		what = fmt.Sprintf("noise of %d at %d", n, at)
		for i := range b[at : at+n] {
			b[at+i] = byte(r.Uint32())
		}
	case kind == 5:
		what = "appended noise"
		for range r.IntN(5000) {
			b = append(b, byte(r.Uint32()))
		}
	default:
		at := r.IntN(len(b))
		what = fmt.Sprintf("flipped a bit at %d", at)
		b[at] ^= 1 << r.IntN(8)
	}
	must(t, os.WriteFile(path, b, 0o600))
	if r.IntN(2) == 0 {
		_ = os.Remove(filepath.Join(dir, indexName))
		what += ", no index"
	}
	return what + " " + filepath.Base(path)
}

func TestDamageCostsOnlyWhatItHits(t *testing.T) {
	const records = 8000
	whole := t.TempDir()
	fillCounted(t, whole, records)
	if n := len(segmentPaths(t, whole)); n < 5 {
		t.Fatalf("%d segments: the test wants several", n)
	}
	rounds := 60
	if testing.Short() {
		rounds = 20
	}
	for seed := range rounds {
		r := rand.New(rand.NewPCG(uint64(seed), 7))
		dir := filepath.Join(t.TempDir(), "j")
		must(t, os.CopyFS(dir, os.DirFS(whole)))
		what := damage(t, r, dir)
		if r.IntN(3) == 0 {
			what += "; " + damage(t, r, dir)
		}
		j, err := Open(Options{Dir: dir})
		if err != nil {
			t.Fatalf("seed %d: %s: %v", seed, what, err)
		}
		got := all(t, j)
		last := uint64(0)
		for _, rec := range got {
			if rec.Position.Seq <= last {
				t.Fatalf("seed %d: %s: record %d after %d", seed, what, rec.Position.Seq, last)
			}
			last = rec.Position.Seq
			checkCounted(t, rec, last-1)
		}
		// A segment holds about 1100 of the records. Damage must not reach further than the two files that it hit.
		if len(got) < records-2*1300 {
			t.Errorf("seed %d: %s: only %d of %d records are left", seed, what, len(got), records)
		}
		// It must be as good as new for what comes.
		table, b := counter(t)
		must(t, j.AppendTable(table))
		b.Set(0, 1)
		must(t, j.AppendFrame(1, "meter", b.Pack(nil, time.UnixMilli(1))))
		after := all(t, j)
		if len(after) != len(got)+1 || after[len(got)].Position.Seq <= last {
			t.Fatalf("seed %d: %s: %d records after an append to %d", seed, what, len(after), len(got))
		}
		must(t, j.Close())
	}
}

func TestTornTailIsCountedAndCutOff(t *testing.T) {
	dir := t.TempDir()
	fillCounted(t, dir, 100)
	must(t, os.Remove(filepath.Join(dir, indexName)))
	path := segmentPaths(t, dir)[0]
	b, err := os.ReadFile(path)
	must(t, err)
	s, _, err := scanSegment(dir, 0)
	must(t, err)
	must(t, os.WriteFile(path, b[:s.Bytes-3], 0o600))
	j := open(t, Options{Dir: dir})
	if got := len(all(t, j)); got != 99 || j.Stats().DamagedBytes == 0 {
		t.Errorf("%d records, %d bytes damaged", got, j.Stats().DamagedBytes)
	}
	must(t, j.Close())
	must(t, os.Remove(filepath.Join(dir, indexName)))
	j = open(t, Options{Dir: dir})
	if n := j.Stats().DamagedBytes; n != 0 {
		t.Errorf("%d bytes are damaged the second time", n)
	}
}

func TestNumbersAreNotGivenTwice(t *testing.T) {
	dir := t.TempDir()
	fillCounted(t, dir, 100)
	j := open(t, Options{Dir: dir})
	c, err := j.Cursor("far", Oldest)
	must(t, err)
	records, err := c.Next(context.Background(), 1000)
	must(t, err)
	must(t, c.Commit(records[len(records)-1].Position))
	must(t, j.Close())
	// The power fails: the end of the journal and the index never reached the disk, the cursor did.
	must(t, os.Remove(filepath.Join(dir, indexName)))
	path := segmentPaths(t, dir)[0]
	b, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, b[:len(b)/8], 0o600))
	j = open(t, Options{Dir: dir})
	if c, err = j.Cursor("far", Oldest); err != nil {
		t.Fatal(err)
	}
	must(t, j.AppendEvent(event.New(time.Now(), event.Agent, "n", "new")))
	records, err = c.Next(context.Background(), 10)
	must(t, err)
	if len(records) != 1 || records[0].Event.Get("n") != "new" {
		t.Errorf("got %+v", records)
	}
}

func TestOneProcessAtATime(t *testing.T) {
	dir := t.TempDir()
	open(t, Options{Dir: dir})
	if _, err := Open(Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("opened twice: %v", err)
	}
}

func FuzzRecord(f *testing.F) {
	table, b := counter(f)
	b.Set(3, 4)
	packed := b.Pack(nil, time.UnixMilli(5))
	sh := shape{points: 40}
	f.Add(table.append(appendUint(appendHeader(nil, recordTable, 1, 2), 0)))
	f.Add((&encoder{}).frame(appendUint(appendHeader(nil, recordComplete, 1, 2), 0), sh, 2, packed, sh.blank(nil)))
	f.Add(appendEvent(appendHeader(nil, recordEvent, 1, 2), event.New(time.Now(), "alarm", "a", "b")))
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, _ = summarize(raw)
		var d decoder
		must(t, d.table(&scanner{b: table.append([]byte{0})}))
		for range 2 {
			s := &scanner{b: raw}
			h, err := readHeader(s)
			if err != nil {
				return
			}
			switch h.kind {
			case recordTable:
				_ = d.table(s)
			case recordEvent:
				_, _ = readEvent(h, s)
			default:
				_, packed, err := d.frame(h, s)
				if err == nil && len(packed) < frameHeader {
					t.Fatalf("decoded to %d bytes", len(packed))
				}
			}
		}
	})
}

func TestAdvanceIsWhatTheLogWrites(t *testing.T) {
	j := open(t, Options{Dir: t.TempDir(), MaxBytes: 1 << 30, SegmentBytes: 1 << 29})
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 400 {
		size := random.IntN(300)
		if i%7 == 0 {
			size = random.IntN(100_000)
		}
		must(t, j.AppendEvent(event.New(time.UnixMilli(1), "k", "text", strings.Repeat("x", size))))
		info, err := j.current.Stat()
		must(t, err)
		if want := j.segments[0].Bytes; info.Size() != want {
			t.Fatalf("after %d records the file has %d bytes, reckoned %d", i+1, info.Size(), want)
		}
	}
	if n := len(all(t, j)); n != 400 {
		t.Errorf("%d records", n)
	}
}
