package main

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	influxdb "github.com/influxdata/influxdb-client-go/v2"

	"github.com/voltage-edge/voltage/plugins/influxdb/influxtest"
	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/frame"
)

var t0 = time.UnixMilli(1_700_000_000_123).UTC()

// defaults are the values that the agent fills in.
func values(url string, more sdk.Values) sdk.Values {
	v := sdk.Values{
		"url": url, "bucket": influxtest.Bucket, "org": "", "quality": qualityNotGood, "events": false, "gzip": true,
		"timeout": float64(10 * time.Second),
	}
	for name, x := range more {
		v[name] = x
	}
	return v
}

func openWriter(t *testing.T, url string, more sdk.Values) sdk.SinkWriter {
	t.Helper()
	var resp sdk.SinkOpenResponse
	sink{}.Open(context.Background(), sdk.SinkOpenRequest{Name: "history", Site: "bakery", Config: values(url, more)}, &resp)
	if resp.Writer == nil {
		t.Fatalf("refused: %+v", resp.Diagnostics)
	}
	t.Cleanup(func() { resp.Writer.Close() })
	return resp.Writer
}

func number(device, point string, at time.Time, v float64) sdk.Sample {
	return sdk.Sample{Device: device, Point: point, Time: at, Value: v, Unit: "kW"}
}

func write(t *testing.T, w sdk.SinkWriter, req sdk.SinkWriteRequest) sdk.SinkWriteResponse {
	t.Helper()
	var resp sdk.SinkWriteResponse
	if err := w.Write(context.Background(), req, &resp); err != nil {
		t.Fatal(err)
	}
	return resp
}

// TestOnARealServer runs on one influxd, with a new database for each.
func TestOnARealServer(t *testing.T) {
	s := influxtest.Start(t)
	for name, test := range map[string]func(*testing.T, *influxtest.Server){
		"a frame becomes a row":                           frameBecomesRow,
		"names of all kinds come back":                    namesOfAllKindsComeBack,
		"one measurement for all":                         oneMeasurementForAll,
		"events of one millisecond are rows of their own": eventsOfOneMillisecondAreRowsOfTheirOwn,
		"only the bad samples are refused":                onlyTheBadSamplesAreRefused,
		"samples older than the server keeps":             samplesOlderThanTheServerKeeps,
		"a bucket that is missing":                        bucketIsMissing,
	} {
		t.Run(name, func(t *testing.T) {
			s.Empty()
			test(t, s)
		})
	}
	t.Run("a server that is gone", func(t *testing.T) {
		w := openWriter(t, s.URL, nil)
		s.Kill()
		var resp sdk.SinkWriteResponse
		err := w.Write(context.Background(), sdk.SinkWriteRequest{Samples: []sdk.Sample{number("m", "a", t0, 1)}}, &resp)
		if err == nil || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("got %v", err)
		}
	})
}

func frameBecomesRow(t *testing.T, s *influxtest.Server) {
	w := openWriter(t, s.URL, sdk.Values{"tags": map[string]string{"plant": "north, hall 1"}})
	samples := []sdk.Sample{
		number("meter", "power", t0, 12),
		number("meter", "on", t0, 1),
		{Device: "meter", Point: "mode", Time: t0, IsText: true, Text: "say \"hi\",\\ok\nnext", Value: math.NaN()},
		{Device: "meter", Point: "energy", Time: t0, Quality: frame.Bad | frame.NoAnswer, Value: math.NaN()},
		{Device: "meter", Point: "current", Time: t0, Quality: frame.Uncertain, Value: 3.5},
		number("meter", "power", t0.Add(time.Second), 1e21),
		number("charger[left, 1]", "po wer=x", t0, -0.25),
	}
	for range 2 { // twice does no harm
		if resp := write(t, w, sdk.SinkWriteRequest{Samples: samples}); resp.Rejected != 0 {
			t.Fatalf("refused %+v", resp)
		}
	}
	rows := s.Query(`SELECT * FROM meter`)
	if len(rows) != 1 || len(rows[0].Values) != 2 {
		t.Fatalf("got %+v", rows)
	}
	for column, want := range map[string]string{
		"time": "[1.700000000123e+12 1.700000001123e+12]", "power": "[12 1e+21]", "on": "[1 <nil>]", "mode": "[say \"hi\",\\ok\nnext <nil>]",
		"energy": "[]", "energy.quality": "[bad (no answer) <nil>]", "current": "[3.5 <nil>]", "current.quality": "[uncertain <nil>]",
		"power.quality": "[]", "site": "[bakery bakery]", "plant": "[north, hall 1 north, hall 1]",
	} {
		if got := fmt.Sprint(rows[0].Column(column)); got != want {
			t.Errorf("%s is %s, want %s", column, got, want)
		}
	}
	if n := s.Count("charger[left, 1]", "po wer=x"); n != 1 {
		t.Errorf("%d rows with special characters, want 1", n)
	}
	// The same through Flux, as users of InfluxDB 2 have it.
	client := influxdb.NewClient(s.URL, "")
	defer client.Close()
	result, err := client.QueryAPI("").Query(context.Background(), `from(bucket:"site/autogen") |> range(start: 2023-01-01T00:00:00Z) |> filter(fn: (r) => r._measurement == "meter" and r._field == "power")`)
	if err != nil {
		t.Fatal(err)
	}
	var got []any
	for result.Next() {
		got = append(got, result.Record().Value())
	}
	if fmt.Sprint(got) != "[12 1e+21]" {
		t.Errorf("Flux gives %v", got)
	}
}

func namesOfAllKindsComeBack(t *testing.T, s *influxtest.Server) {
	w := openWriter(t, s.URL, nil)
	for device, want := range map[string]string{`a\`: "a_", `b\,c`: "b_,c", "d\ne": "d_e", `f\g`: `f\g`, "ü ü": "ü ü", `h"i`: `h"i`, "#j": "_j"} {
		if resp := write(t, w, sdk.SinkWriteRequest{Samples: []sdk.Sample{number(device, device, t0, 1)}}); resp.Rejected != 0 {
			t.Errorf("%q: refused: %+v", device, resp)
			continue
		}
		field := want
		if device == "#j" {
			field = device
		}
		if n := s.Count(want, field); n != 1 {
			t.Errorf("%q: %d rows under %q; measurements: %v", device, n, want, s.Query("SHOW FIELD KEYS"))
		}
	}
	write(t, w, sdk.SinkWriteRequest{Samples: []sdk.Sample{number("clock", "time", t0, 5)}})
	if n := s.Count("clock", "time_"); n != 1 {
		t.Errorf("a point with the name time: %d rows", n)
	}
}

func oneMeasurementForAll(t *testing.T, s *influxtest.Server) {
	w := openWriter(t, s.URL, sdk.Values{"measurement": "points", "quality": qualityAlways})
	write(t, w, sdk.SinkWriteRequest{Samples: []sdk.Sample{number("a", "power", t0, 1), number("b", "power", t0, 2)}})
	rows := s.Query(`SELECT power, "power.quality" FROM points GROUP BY device`)
	if len(rows) != 2 || rows[1].Tags["device"] != "b" || fmt.Sprint(rows[1].Column("power.quality")) != "[good]" {
		t.Errorf("got %+v", rows)
	}
}

func eventsOfOneMillisecondAreRowsOfTheirOwn(t *testing.T, s *influxtest.Server) {
	w := openWriter(t, s.URL, sdk.Values{"events": true})
	var events []sdk.Event
	for i := range 3 {
		events = append(events, sdk.Event{ID: fmt.Sprintf("1700000000123-%d", i), Time: t0, Kind: "alarm", Fields: map[string]string{"alarm": "overload", "event": "activate", "value": []string{"12.5", "n/a", ""}[i], "text": "a, b"}})
	}
	write(t, w, sdk.SinkWriteRequest{Events: events})
	rows := s.Query(`SELECT * FROM voltage_events`)
	if len(rows) != 1 || len(rows[0].Values) != 3 || fmt.Sprint(rows[0].Column("number"), rows[0].Column("value")) != "[12.5 <nil> <nil>] [<nil> n/a <nil>]" {
		t.Errorf("got %+v", rows)
	}
	w = openWriter(t, s.URL, nil)
	if resp := write(t, w, sdk.SinkWriteRequest{Events: events}); resp.Rejected != 0 {
		t.Errorf("events that are not asked for: %+v", resp)
	}
}

func onlyTheBadSamplesAreRefused(t *testing.T, s *influxtest.Server) {
	w := openWriter(t, s.URL, nil)
	write(t, w, sdk.SinkWriteRequest{Samples: []sdk.Sample{{Device: "meter", Point: "p7", Time: t0, IsText: true, Text: "a text"}}})
	var samples []sdk.Sample
	for row := range 20 {
		for i := range 50 {
			samples = append(samples, number("meter", fmt.Sprintf("p%d", i), t0.Add(time.Duration(row+1)*time.Second), float64(i)))
		}
	}
	samples[333].Time = time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)
	resp := write(t, w, sdk.SinkWriteRequest{Samples: samples})
	if resp.Rejected != 21 || !strings.Contains(resp.Reason, "field type conflict") {
		t.Errorf("refused %d: %s", resp.Rejected, resp.Reason)
	}
	if n := s.Count("meter", "p8"); n != 20 {
		t.Errorf("%d rows of a good point, want 20", n)
	}
	if n := s.Count("meter", "p33"); n != 19 {
		t.Errorf("%d rows of the point with a bad time, want 19", n)
	}
	for i := range samples {
		samples[i].Time = t0.Add(time.Hour)
	}
	if resp := write(t, w, sdk.SinkWriteRequest{Samples: samples[:50]}); resp.Rejected != 1 {
		t.Errorf("refused %d the second time", resp.Rejected)
	}
}

func samplesOlderThanTheServerKeeps(t *testing.T, s *influxtest.Server) {
	s.Query("CREATE RETENTION POLICY short ON site DURATION 1h REPLICATION 1")
	w := openWriter(t, s.URL, sdk.Values{"bucket": "site/short"})
	now := time.Now()
	resp := write(t, w, sdk.SinkWriteRequest{Samples: []sdk.Sample{number("m", "a", t0, 1), number("m", "b", t0, 1), number("m", "a", now, 2), number("m", "b", now, 3)}})
	if resp.Rejected != 2 || !strings.Contains(resp.Reason, "beyond retention policy") {
		t.Errorf("refused %d: %s", resp.Rejected, resp.Reason)
	}
	if rows := s.Query(`SELECT * FROM short.m`); len(rows) != 1 || len(rows[0].Values) != 1 {
		t.Errorf("got %+v", rows)
	}
}

func bucketIsMissing(t *testing.T, s *influxtest.Server) {
	w := openWriter(t, s.URL, sdk.Values{"bucket": "nowhere/autogen"})
	var resp sdk.SinkWriteResponse
	req := sdk.SinkWriteRequest{Samples: []sdk.Sample{number("m", "a", t0, 1)}}
	if err := w.Write(context.Background(), req, &resp); err == nil || !strings.Contains(err.Error(), `has no bucket "nowhere/autogen"`) || resp.Rejected != 0 {
		t.Errorf("a missing bucket: %v, %+v", err, resp)
	}
}

func TestAnswersOfAServer(t *testing.T) {
	for _, c := range []struct {
		name     string
		status   int
		header   string
		body     string
		want     string
		rejected int
	}{
		{name: "token", status: 401, body: `{"code":"unauthorized","message":"unauthorized access"}`, want: "does not let the token"},
		{name: "no org", status: 400, body: `{"code":"invalid","message":"Please provide either orgID or org"}`, want: "check url, org and bucket"},
		{name: "proxy", status: 400, body: `<html>`, want: "check url"},
		{name: "login page", status: 405, body: `<html>`, want: "check url"},
		{name: "busy", status: 429, header: "7", want: "asks to wait 7s"},
		{name: "down", status: 503, body: "out", want: "is not well (503: out)"},
		{name: "conflict of version 2", status: 422, body: `{"code":"unprocessable entity","message":"failure writing points to database: partial write: field type conflict: input field \"a\" on measurement \"m\" is type float, already exists as type string dropped=1"}`, rejected: 1},
		{name: "too large", status: 413, body: ``, rejected: 1},
		{name: "parse", status: 400, body: `{"code":"invalid","message":"unable to parse 'm a': invalid field format"}`, rejected: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			requests := atomic.Int32{}
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				requests.Add(1)
				if c.header != "" {
					w.Header().Set("Retry-After", c.header)
				}
				if strings.HasPrefix(c.body, "{") {
					w.Header().Set("Content-Type", "application/json")
				}
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
			}))
			defer s.Close()
			w := openWriter(t, s.URL, nil)
			req := sdk.SinkWriteRequest{Samples: []sdk.Sample{number("m", "a", t0, 1)}}
			var resp sdk.SinkWriteResponse
			err := w.Write(context.Background(), req, &resp)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) || resp.Rejected != c.rejected {
				t.Errorf("%v, %+v", err, resp)
			}
			if c.header != "" {
				if err := w.Write(context.Background(), req, &resp); err == nil || requests.Load() != 1 {
					t.Errorf("it did not wait: %v after %d requests", err, requests.Load())
				}
			}
		})
	}
}

func TestBadConfig(t *testing.T) {
	for name, more := range map[string]sdk.Values{
		"url":         {"url": "localhost:8086"},
		"measurement": {"measurement": "_internal"},
		"tags":        {"tags": map[string]string{"site": "x"}},
	} {
		var resp sdk.SinkOpenResponse
		sink{}.Open(context.Background(), sdk.SinkOpenRequest{Config: values("http://127.0.0.1:1", more)}, &resp)
		if !resp.Diagnostics.HasErrors() || resp.Diagnostics[0].Path[1] != name || resp.Writer != nil {
			t.Errorf("%s: %+v", name, resp.Diagnostics)
		}
	}
}
