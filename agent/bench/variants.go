package main

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/voltage-edge/voltage/sdk/frame"
)

const (
	sharePoints = 100
	shareRules  = 100
	shareAlarms = 20
)

// variant is one kind of frames that are compared.
type variant struct {
	name string
	// reach is the ratio that counts; 0: the variant is only told.
	reach float64
	// batch is how many frames go in one pipeline, as those of several devices do.
	batch int
	// count is how many frames a round has.
	count int
	// next sets the values of the next frame.
	next func(b *frame.Builder, i int, r *rand.Rand)
}

// between is a value that no condition is true for: values move, conditions do not flip, as on a site most of the time.
func between(r *rand.Rand) float64 { return float64(float32(10 + 20*r.Float64())) }

func allChange(b *frame.Builder, _ int, r *rand.Rand) {
	for p := range sharePoints {
		b.Set(p, between(r))
	}
}

func someChange(b *frame.Builder, i int, r *rand.Rand) {
	if i == 0 {
		allChange(b, i, r)
	}
	for range sharePoints / 10 {
		b.Set(r.IntN(sharePoints), between(r))
	}
}

var variants = []variant{
	{name: "every value changing", reach: 1.5, batch: 1, count: 600, next: allChange},
	{name: "a tenth of the values changing", batch: 1, count: 600, next: someChange},
	{name: "ten frames in a pipeline", batch: 10, count: 600, next: allChange},
	{name: "one point bad", batch: 1, count: 600, next: func(b *frame.Builder, i int, r *rand.Rand) {
		allChange(b, i, r)
		b.SetBad(50, frame.Refused)
	}},
	{name: "all points bad", batch: 1, count: 600, next: func(b *frame.Builder, _ int, _ *rand.Rand) { b.SetAll(frame.NoAnswer) }},
	{name: "one rule turning", batch: 1, count: 600, next: func(b *frame.Builder, i int, r *rand.Rand) {
		allChange(b, i, r)
		b.Set(60, 30+40*float64(i%2))
	}},
	{name: "every rule and alarm turning in every frame", batch: 1, count: 40, next: func(b *frame.Builder, i int, _ *rand.Rand) {
		for p := range sharePoints {
			b.Set(p, 20+65*float64(i%2))
		}
	}},
}

func (v variant) frames(t frame.Table) ([][]byte, error) {
	b, err := frame.NewBuilder(t)
	if err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(1, 2))
	frames := make([][]byte, v.count)
	for i := range frames {
		v.next(b, i, r)
		frames[i] = b.Pack(nil, time.UnixMilli(1_700_000_000_000))
	}
	return frames, nil
}

func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
