package driver

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/examples/plant/plantsim"
	"github.com/voltage-edge/voltage/sdk"
)

// peerVariable makes this test binary a plant with units for measuring, so that the plant's work is not measured.
const peerVariable = "VOLTAGE_MODBUS_BENCHMARK_PEER"

const (
	benchUnits  = 10
	benchPoints = 500
	benchEvery  = 100 * time.Millisecond
)

// servePeer is the plant; it ends with its standard input.
func servePeer() {
	c := plantsim.DefaultConfig()
	c.Bulk = plantsim.Bulk{Units: benchUnits, Points: benchPoints, Changing: 0.1, Every: benchEvery}
	p, err := plantsim.New(c)
	if err != nil {
		panic(err)
	}
	fmt.Println(p.Address())
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = p.Close()
}

func startPeer(b *testing.B) string {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), peerVariable+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			b.Error(err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// sinkhole takes frames and does nothing.
type sinkhole struct {
	frames int
	enough chan struct{}
	want   int
}

func (s *sinkhole) Frame(string, []byte) error {
	if s.frames++; s.frames == s.want {
		close(s.enough)
	}
	return nil
}
func (*sinkhole) Status(sdk.DeviceStatus) error { return nil }

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkPoll reads ten devices of 500 float32 each, every 100 ms, and reports the CPU time that one point takes.
func BenchmarkPoll(b *testing.B) {
	address := startPeer(b)
	var devices []sdk.DeviceSpec
	for u := range benchUnits {
		points := make([]sdk.PointSpec, benchPoints)
		for i := range points {
			points[i] = numeric(fmt.Sprintf("p%d", i), fmt.Sprintf("input:%d", 2*i), "float32")
		}
		d := deviceSpec(b, fmt.Sprintf("d%d", u), 11+u, nil, points...)
		d.Every = benchEvery
		devices = append(devices, d)
	}
	spec := sdk.ChannelSpec{Name: "bench", Config: values(b, channelBlock, sdk.Values{"address": address}), Devices: devices}
	var resp sdk.OpenResponse
	Driver{}.Open(context.Background(), sdk.OpenRequest{Channel: spec}, &resp)
	if len(resp.Diagnostics) > 0 {
		b.Fatal(resp.Diagnostics)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	out := &sinkhole{enough: make(chan struct{}), want: b.N * benchUnits}
	done := make(chan error, 1)
	b.ReportAllocs()
	b.ResetTimer()
	before := cpu(b)
	go func() { done <- resp.Channel.Run(ctx, out) }()
	<-out.enough
	used := cpu(b) - before
	b.StopTimer()
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	if err := resp.Channel.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(used.Nanoseconds())/float64(b.N*benchUnits*benchPoints), "cpu-ns/point")
}
