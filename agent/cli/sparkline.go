package cli

import (
	"math"
	"strings"
)

var blocks = []rune("▁▂▃▄▅▆▇█")

// sparkline draws values in one line of at most width columns; a NaN is a gap. More values than columns are
// averaged, so that the whole span is shown.
func sparkline(values []float64, width int) string {
	if width > 0 && len(values) > width {
		values = resample(values, width)
	}
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if !math.IsNaN(v) {
			low, high = math.Min(low, v), math.Max(high, v)
		}
	}
	var b strings.Builder
	for _, v := range values {
		switch {
		case math.IsNaN(v):
			b.WriteRune(' ')
		case high == low:
			b.WriteRune(blocks[len(blocks)/2])
		default:
			i := int((v - low) / (high - low) * float64(len(blocks)))
			b.WriteRune(blocks[min(i, len(blocks)-1)])
		}
	}
	return b.String()
}

// resample averages the known values that share a column.
func resample(values []float64, width int) []float64 {
	out := make([]float64, width)
	for i := range out {
		from, to := i*len(values)/width, (i+1)*len(values)/width
		sum, n := 0.0, 0
		for _, v := range values[from:to] {
			if !math.IsNaN(v) {
				sum, n = sum+v, n+1
			}
		}
		out[i] = math.NaN()
		if n > 0 {
			out[i] = sum / float64(n)
		}
	}
	return out
}
