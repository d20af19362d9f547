package daemon

import (
	"context"
	"fmt"
	"strings"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/journal"
	"github.com/voltage-edge/voltage/agent/site"
)

// maxBuckets bounds what one question about the past may cost.
const maxBuckets = 100_000

// History is the past of a point, or of a measurement that follows from one, from the journal.
func (a *Agent) History(ctx context.Context, req api.HistoryRequest) (api.History, error) {
	from, unit, err := recorded(a.current(), req.Name)
	p := from.Point
	switch {
	case err != nil:
		return api.History{}, err
	case p.Text:
		return api.History{}, fmt.Errorf("%w: %s is a text; history is of numbers", api.ErrInvalid, req.Name)
	case !p.Readable:
		return api.History{}, fmt.Errorf("%w: %s can only be written, so it has no history; its set-points are among the events", api.ErrInvalid, req.Name)
	case req.Every <= 0:
		return api.History{}, fmt.Errorf("%w: the length of a bucket must be above 0", api.ErrInvalid)
	case !req.Since.Before(req.Until):
		return api.History{}, fmt.Errorf("%w: since must be before until", api.ErrInvalid)
	}
	if n := req.Until.Sub(req.Since) / req.Every; n > maxBuckets {
		return api.History{}, fmt.Errorf("%w: %d buckets are more than %d: take a longer --every or a shorter time", api.ErrInvalid, n, maxBuckets)
	}
	buckets, err := a.journal.History(ctx, p.Device.Name, p.Name, req.Since, req.Until, req.Every)
	if err != nil {
		return api.History{}, err
	}
	h := api.History{Name: req.Name, Unit: unit, EveryMS: req.Every.Milliseconds(), Buckets: make([]api.Bucket, 0, len(buckets))}
	for _, b := range buckets {
		h.Buckets = append(h.Buckets, bucketOf(b, from))
	}
	return h, nil
}

func bucketOf(b journal.Bucket, from compile.Linear) api.Bucket {
	out := api.Bucket{Time: b.Time, Count: b.Count, Bad: b.Bad}
	if b.Count == 0 {
		return out
	}
	for _, v := range []*float64{&b.Mean, &b.Min, &b.Max, &b.Last} {
		*v = *v*from.Factor + from.Offset
	}
	if from.Factor < 0 {
		b.Min, b.Max = b.Max, b.Min
	}
	out.Mean, out.Min, out.Max, out.Last = &b.Mean, &b.Min, &b.Max, &b.Last
	return out
}

// recorded says which point of the journal a name is, and how it follows from it.
func recorded(s *site.Site, name string) (compile.Linear, string, error) {
	if p := s.Point(s.ValueName(name)); p != nil {
		return compile.Linear{Point: p, Factor: 1}, p.Unit, nil
	}
	m := mapping(s, name)
	if m == nil {
		return compile.Linear{}, "", unknown("point", name, valueNames(s))
	}
	from, reads, ok := compile.LinearOf(m, nil)
	if ok {
		return from, m.Measurement.Unit, nil
	}
	names := make([]string, len(reads))
	for i, p := range reads {
		names[i] = p.FullName()
	}
	return from, "", fmt.Errorf("%w: %s is computed, and the journal keeps what it is computed from: ask for %s", api.ErrInvalid, name, strings.Join(names, ", "))
}
