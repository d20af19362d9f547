// Package conformance is the suite of tests that a plugin passes before it is shipped. Its author runs it against the
// built executable, with a device or a simulation of one for peer:
//
//	func TestConformance(t *testing.T) {
//		conformance.Run(t, exe, conformance.Options{Channel: &spec, Read: read})
//	}
//
// The suite starts the executable as the agent does: with nothing of its own environment, with mutual TLS, with a
// lifeline.
package conformance

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/protocol"
)

// Options say what to try.
type Options struct {
	// Env is the plugin's environment.
	Env map[string]string
	// Patience is how long a device may take to answer for the first time; 10 s.
	Patience time.Duration

	// Channel is a channel whose devices answer, for a plugin with a driver. Two channels of it, with different names, are
	// open at the same time.
	Channel *sdk.ChannelSpec
	// Bad are channels that Check must refuse, each with a diagnostic at Path.
	Bad []BadChannel
	// Read tells what a writable point holds at the device, past the plugin. Without it the suite can't see whether safe
	// values arrive.
	Read func(device, point string) (float64, error)
	// Write is a set-point to try; by default each writable point with a safe value gets that plus one.
	Write func(p sdk.PointSpec) float64

	// Sink is a sink that takes samples, for a plugin with one, and Samples is a batch that it takes.
	Sink    *sdk.SinkOpenRequest
	Samples []sdk.Sample
}

// BadChannel is a channel that is wrong at Path.
type BadChannel struct {
	// Name says what is wrong.
	Name    string
	Channel sdk.ChannelSpec
	Path    sdk.Path
}

// Run runs the suite against the executable.
func Run(t *testing.T, exe string, o Options) {
	t.Helper()
	if o.Patience <= 0 {
		o.Patience = 10 * time.Second
	}
	exe, err := filepath.Abs(exe)
	if err != nil {
		t.Fatal(err)
	}
	s := &suite{exe: exe, o: o}
	p := s.start(t)
	s.description, err = p.rpc.Describe(s.limit(t))
	if err != nil {
		t.Fatalf("Describe: %v", err)
	}
	p.end()
	t.Run("describe", s.describe)
	t.Run("schema", s.schema)
	t.Run("standard output", s.stdout)
	t.Run("by hand", s.byHand)
	if s.description.Driver != nil {
		s.driver(t)
	}
	if s.description.Sink != nil {
		t.Run("sink", s.sink)
	}
}

func (s *suite) driver(t *testing.T) {
	t.Run("bad configurations", s.bad)
	if s.o.Channel == nil {
		t.Error("the plugin has a driver, and Options.Channel is not set")
		return
	}
	t.Run("check", s.check)
	t.Run("frames", s.frames)
	t.Run("two channels", s.twoChannels)
	t.Run("writes", s.writes)
	t.Run("drain", s.drain)
	t.Run("broken stream", s.brokenStream)
	t.Run("lost host", s.lostHost)
}

type suite struct {
	exe         string
	o           Options
	description *protocol.Description
}

// limit bounds one step.
func (s *suite) limit(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), s.o.Patience+10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func (s *suite) describe(t *testing.T) {
	d := s.description
	if want := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(s.exe), "voltage-plugin-"), ".exe"); d.Name != want {
		t.Errorf("the plugin calls itself %q, its executable %q: it must be voltage-plugin-%s", d.Name, filepath.Base(s.exe), d.Name)
	}
	if !semantic.MatchString(d.Version) {
		t.Errorf("version %q is not semantic (1.2.3, without a v)", d.Version)
	}
	if d.Doc == "" {
		t.Error("the plugin does not say what it speaks to (Plugin.Doc)")
	}
	if d.Driver == nil && d.Sink == nil {
		t.Error("the plugin has neither a driver nor a sink")
	}
}

func (s *suite) schema(t *testing.T) {
	d := s.description
	var errs []error
	if d.Driver != nil {
		errs = append(errs, d.Driver.Channel.Validate("channel")...)
		errs = append(errs, d.Driver.Device.Validate("device")...)
		errs = append(errs, d.Driver.Point.Validate("point")...)
		if len(d.Driver.PointTypes) == 0 {
			t.Error("the driver has no point types")
		}
		if d.Driver.Address == "" {
			t.Error("the driver does not say how an address is written (SchemaResponse.Address)")
		}
		for _, a := range d.Driver.Point.Attributes {
			if reserved[a.Name] {
				t.Errorf("the point attribute %q belongs to the agent", a.Name)
			}
		}
	}
	if d.Sink != nil {
		errs = append(errs, d.Sink.Config.Validate("sink")...)
	}
	for _, err := range errs {
		t.Error(err)
	}
}

// reserved are the attributes of a point that the agent has itself.
var reserved = map[string]bool{
	"address": true, "type": true, "unit": true, "scale": true, "offset": true, "access": true, "description": true, "write": true, "tags": true,
}

// stdout checks that nothing but the handshake is printed, so that the plugin starts under every host.
func (s *suite) stdout(t *testing.T) {
	p := s.start(t)
	defer p.end()
	if _, err := p.rpc.Describe(s.limit(t)); err != nil {
		t.Errorf("Describe: %v", err)
	}
}

// byHand checks that somebody who starts the plugin on a terminal learns what it is.
func (s *suite) byHand(t *testing.T) {
	out, err := s.runByHand(s.limit(t))
	if err == nil {
		t.Error("started by hand it exits with status 0, as if it had done something")
	}
	if !strings.Contains(out, s.description.Name) {
		t.Errorf("started by hand it does not say what it is: %q", out)
	}
}

func (s *suite) bad(t *testing.T) {
	if !s.description.Checks {
		if len(s.o.Bad) > 0 {
			t.Error("the driver has no Check")
		}
		return
	}
	p := s.start(t)
	defer p.end()
	for _, bad := range s.o.Bad {
		diags, err := p.rpc.Check(s.limit(t), bad.Channel)
		if err != nil {
			t.Errorf("%s: Check: %v", bad.Name, err)
			continue
		}
		found := false
		for _, d := range diags {
			found = found || d.Severity == sdk.Error && strings.Join(d.Path, ".") == strings.Join(bad.Path, ".")
			if d.Summary == "" {
				t.Errorf("%s: a diagnostic without a summary", bad.Name)
			}
		}
		if !found {
			t.Errorf("%s: no error at %s, but %+v", bad.Name, strings.Join(bad.Path, "."), diags)
		}
	}
	// The agent checks before it decodes everything: an empty channel must not break the plugin.
	if _, err := p.rpc.Check(s.limit(t), sdk.ChannelSpec{Name: "empty"}); err != nil {
		t.Errorf("an empty channel: %v", err)
	}
	if p.ended() {
		t.Errorf("the process ended: %s", p.stderr())
	}
}

func (s *suite) check(t *testing.T) {
	p := s.start(t)
	defer p.end()
	diags, err := p.rpc.Check(s.limit(t), *s.o.Channel)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range diags {
		if d.Severity == sdk.Error {
			t.Errorf("Check refuses the good channel: %s: %s (at %s)", d.Summary, d.Detail, strings.Join(d.Path, "."))
		}
	}
}

func (s *suite) sink(t *testing.T) {
	if s.o.Sink == nil {
		t.Fatal("the plugin has a sink, and Options.Sink is not set")
	}
	p := s.start(t)
	defer p.end()
	sink, diags, err := p.rpc.OpenSink(s.limit(t), *s.o.Sink)
	if err != nil || sink == nil {
		t.Fatalf("open: %v %+v", err, diags)
	}
	// The same batch may come twice; an empty one does no harm.
	for _, samples := range [][]sdk.Sample{s.o.Samples, s.o.Samples, nil} {
		if r, err := sink.Write(s.limit(t), sdk.SinkWriteRequest{Samples: samples}); err != nil || r.Rejected > 0 {
			t.Errorf("write of %d samples: %+v %v", len(samples), r, err)
		}
	}
	if err := sink.Drain(s.limit(t)); err != nil {
		t.Errorf("drain: %v", err)
	}
}

func removeAll(t *testing.T, dir string) {
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
}
