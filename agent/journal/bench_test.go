package journal

import (
	"testing"
)

func BenchmarkAppendFrame500(b *testing.B) {
	j := open(b, Options{Dir: b.TempDir(), MaxBytes: 64 << 20})
	s := newSource(b, "meter", 500, 0, 1)
	must(b, j.AppendTable(s.table))
	frames := make([][]byte, 200)
	for i := range frames {
		frames[i] = s.next(int64(i)*100, 0.1)
	}
	b.ReportAllocs()
	before := j.Stats().AppendedBytes
	for i := 0; b.Loop(); i++ {
		if err := j.AppendFrame(int64(i)*100, "meter", frames[i%len(frames)]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(j.Stats().AppendedBytes-before)/float64(b.N), "B/frame")
}

func BenchmarkRead500(b *testing.B) {
	j := open(b, Options{Dir: b.TempDir(), MaxBytes: 64 << 20})
	s := newSource(b, "meter", 500, 0, 1)
	must(b, j.AppendTable(s.table))
	for i := range 20000 {
		must(b, j.AppendFrame(int64(i)*100, "meter", s.next(int64(i)*100, 0.1)))
	}
	w := j.newWalker(0)
	defer func() { w.close() }()
	var r Record
	for b.Loop() {
		ok, err := w.next(&r)
		must(b, err)
		if !ok {
			w.close()
			w = j.newWalker(0)
		}
	}
}
