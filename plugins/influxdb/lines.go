package main

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// encoder writes line protocol.
type encoder struct {
	measurement string            // empty: the device
	own         map[string]string // tags of every row
	tags        string            // the same as text, with a comma before each
	quality     string
	events      bool

	prefixes map[string]string // device → what its lines begin with
}

func newEncoder(site string, c sdk.Values) *encoder {
	e := &encoder{measurement: c.String("measurement"), quality: c.String("quality"), events: c.Bool("events"), prefixes: map[string]string{}}
	tags := maps.Clone(c.Map("tags"))
	if tags == nil {
		tags = map[string]string{}
	}
	tags["site"] = site
	e.own, e.tags = tags, tagText(tags)
	return e
}

func tagText(tags map[string]string) string {
	var b []byte
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		b = appendTag(b, name, tags[name])
	}
	return string(b)
}

// takenTag tells whether the plugin or InfluxDB itself has a use for a tag's name.
func takenTag(name string) bool {
	return name == "" || name == "site" || name == "device" || name == "time" || strings.HasPrefix(name, "_")
}

// batch is a batch with its items in one row: the samples, then the events.
type batch struct {
	sdk.SinkWriteRequest
}

func (b batch) len() int { return len(b.Samples) + len(b.Events) }

// sample is item i, nil when that is an event.
func (b batch) sample(i int) *sdk.Sample {
	if i < len(b.Samples) {
		return &b.Samples[i]
	}
	return nil
}

// encode writes the items as lines and counts them. Samples of one device and time that follow each other share a line.
func (e *encoder) encode(b batch, items []int) (text string, lines int) {
	var dst []byte
	var row *sdk.Sample // of the line that is being written
	end := func() {
		if row != nil {
			dst = appendTime(dst, row.Time.UnixNano())
			lines++
			row = nil
		}
	}
	for _, i := range items {
		s := b.sample(i)
		if s == nil {
			end()
			if ev := &b.Events[i-len(b.Samples)]; e.events {
				dst = e.appendEvent(dst, ev)
				lines++
			}
			continue
		}
		if row != nil && (row.Device != s.Device || !row.Time.Equal(s.Time) || !maps.Equal(row.Tags, s.Tags)) {
			end()
		}
		before := len(dst)
		if row == nil {
			dst = append(dst, e.prefix(s)...)
		} else {
			dst = append(dst, ',')
		}
		fields := len(dst)
		if dst = e.appendFields(dst, s); len(dst) == fields {
			dst = dst[:before]
		} else {
			row = s
		}
	}
	end()
	return string(dst), lines
}

// mostPrefixes bounds what is kept of devices and tags that may have gone.
const mostPrefixes = 10000

// prefix is what the lines of a sample's device and tags begin with.
func (e *encoder) prefix(s *sdk.Sample) string {
	key, tags := s.Device, e.tags
	if len(s.Tags) > 0 {
		tags = e.with(s.Tags)
		key += "\x00" + tags
	}
	if p, ok := e.prefixes[key]; ok {
		return p
	}
	var b []byte
	if e.measurement == "" {
		b = appendEscaped(b, s.Device, ", ")
	} else {
		b = appendEscaped(b, e.measurement, ", ")
		b = appendTag(b, "device", s.Device)
	}
	p := string(append(append(b, tags...), ' '))
	if strings.HasPrefix(p, "#") { // would be a comment
		p = "_" + p[1:]
	}
	if len(e.prefixes) >= mostPrefixes {
		clear(e.prefixes)
	}
	e.prefixes[key] = p
	return p
}

// with are the tags of every row and those of a sample, which go before them. A tag that is taken gets an underscore behind its name.
func (e *encoder) with(tags map[string]string) string {
	all := maps.Clone(e.own)
	for name, value := range tags {
		if takenTag(name) {
			name = strings.TrimLeft(name, "_") + "_"
		}
		all[name] = value
	}
	return tagText(all)
}

// appendFields appends a sample's fields, if it has any.
func (e *encoder) appendFields(dst []byte, s *sdk.Sample) []byte {
	point := s.Point
	if point == "time" { // InfluxDB has a column of that name
		point = "time_"
	}
	start := len(dst)
	if !s.Quality.IsBad() && (s.IsText || !math.IsNaN(s.Value) && !math.IsInf(s.Value, 0)) {
		if s.IsText {
			dst = appendText(dst, point, s.Text)
		} else {
			dst = appendEscaped(dst, point, ",= ")
			dst = append(dst, '=')
			dst = strconv.AppendFloat(dst, s.Value, 'g', -1, 64)
		}
	}
	if e.quality == qualityAlways || e.quality == qualityNotGood && s.Quality.Class() != frame.Good {
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = appendText(dst, point+".quality", s.Quality.String())
	}
	return dst
}

// eventTags are the fields of events that become tags: they name things, of which there are not many.
var eventTags = []string{"alarm", "device", "event", "library", "output", "owner", "plugin", "rule"}

// appendEvent appends an event's line. A value that is a number goes to the field number, so that the type of value stays
// text. Events of one millisecond get different nanoseconds, as rows of the same tags and
// time are one row.
func (e *encoder) appendEvent(dst []byte, ev *sdk.Event) []byte {
	dst = append(dst, eventsMeasurement...)
	dst = append(dst, e.tags...)
	dst = appendTag(dst, "kind", ev.Kind)
	for _, name := range eventTags {
		if v := ev.Fields[name]; v != "" {
			dst = appendTag(dst, name, v)
		}
	}
	dst = append(dst, ' ')
	dst = appendText(dst, "id", ev.ID)
	for _, name := range slices.Sorted(maps.Keys(ev.Fields)) {
		v := ev.Fields[name]
		if v == "" || name == "id" || name == "time" || slices.Contains(eventTags, name) {
			continue
		}
		dst = append(dst, ',')
		if f, err := strconv.ParseFloat(v, 64); name != "value" || err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			dst = appendText(dst, name, v)
		} else {
			dst = append(dst, "number="...)
			dst = strconv.AppendFloat(dst, f, 'g', -1, 64)
		}
	}
	return appendTime(dst, ev.Time.Truncate(time.Millisecond).UnixNano()+eventNumber(ev.ID)%1_000_000)
}

// eventNumber is the part of an event's id that tells it from others of its millisecond: n of "ms-n" and of "jn".
func eventNumber(id string) int64 {
	if i := strings.LastIndexAny(id, "-j"); i >= 0 {
		n, _ := strconv.ParseInt(id[i+1:], 10, 64)
		return n
	}
	return 0
}

func appendTime(dst []byte, nanos int64) []byte {
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, nanos, 10)
	return append(dst, '\n')
}

// appendTag appends a tag; one without a value is none.
func appendTag(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	dst = append(dst, ',')
	dst = appendEscaped(dst, name, ",= ")
	dst = append(dst, '=')
	return appendEscaped(dst, value, ",= ")
}

// appendEscaped appends a name, with a backslash before each character that has a meaning there. Line breaks and a
// backslash at the end can't be written in a name; they become underscores.
func appendEscaped(dst []byte, s, special string) []byte {
	s = strings.ToValidUTF8(s, "_")
	for i := range len(s) {
		c := s[i]
		switch {
		case c < ' ' || c == '\\' && (i == len(s)-1 || strings.IndexByte(special+`\`, s[i+1]) >= 0):
			c = '_'
		case strings.IndexByte(special, c) >= 0:
			dst = append(dst, '\\')
		}
		dst = append(dst, c)
	}
	return dst
}

// appendText appends a field that holds a text.
func appendText(dst []byte, name, text string) []byte {
	dst = appendEscaped(dst, name, ",= ")
	dst = append(dst, '=', '"')
	for _, c := range []byte(strings.ToValidUTF8(text, "_")) {
		if c == '"' || c == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}
