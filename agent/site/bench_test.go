package site_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/voltage-edge/voltage/agent/site"
)

const benchHead = "site \"bench\" {}\nchannel \"lan\" { plugin = \"modbus\" }\n"

// blocks is a site of devices with point blocks.
func blocks(devices, points int) string {
	var b strings.Builder
	b.WriteString(benchHead)
	for d := range devices {
		fmt.Fprintf(&b, "device \"d%d\" {\n  channel = channel.lan\n  config { unit = %d }\n", d, d%250)
		for p := range points {
			fmt.Fprintf(&b, "  point \"p%d\" {\n    address = \"holding:%d\"\n    type    = \"float32\"\n    unit    = \"kW\"\n    order   = \"CDAB\"\n  }\n", p, 2*p)
		}
		b.WriteString("}\n")
	}
	return b.String()
}

func table(points int) string {
	var b strings.Builder
	b.WriteString("point,address,type,order,unit,scale\n")
	for p := range points {
		fmt.Fprintf(&b, "p%d,holding:%d,float32,CDAB,kW,0.001\n", p, 2*p)
	}
	return b.String()
}

func benchmarkLoad(b *testing.B, files map[string]string, points int) {
	dir := write(b, files)
	b.ReportAllocs()
	for b.Loop() {
		s, diags := load(b, dir, site.Options{})
		if len(diags) > 0 {
			b.Fatal(text(b, s, diags))
		}
		n := 0
		for _, d := range s.Devices {
			n += len(d.Points)
		}
		if n != points {
			b.Fatalf("%d points", n)
		}
	}
}

func BenchmarkLoadBlocks(b *testing.B) {
	benchmarkLoad(b, map[string]string{"site.hcl": blocks(10, 1000)}, 10000)
}

func BenchmarkLoadOneDevice(b *testing.B) {
	benchmarkLoad(b, map[string]string{"site.hcl": blocks(1, 10000)}, 10000)
}

func BenchmarkLoadTable(b *testing.B) {
	hcl := benchHead + "device \"d\" {\n  channel = channel.lan\n  points = csv(\"p.csv\")\n  config { unit = 1 }\n}\n"
	benchmarkLoad(b, map[string]string{"site.hcl": hcl, "p.csv": table(10000)}, 10000)
}

func BenchmarkLoadForEach(b *testing.B) {
	hcl := benchHead + "device \"d\" {\n  for_each = range(100)\n  channel = channel.lan\n  points = csv(\"p.csv\")\n  config { unit = each.key }\n}\n"
	benchmarkLoad(b, map[string]string{"site.hcl": hcl, "p.csv": table(100)}, 10000)
}

func BenchmarkLoadRules(b *testing.B) {
	var s strings.Builder
	s.WriteString(blocks(1, 100))
	for i := range 500 {
		fmt.Fprintf(&s, "alarm \"a%d\" {\n  when = device.d0.p%d > %d && device.d0.p3 < 5\n  for = \"10s\"\n}\n", i, i%100, i)
	}
	benchmarkLoad(b, map[string]string{"site.hcl": s.String()}, 100)
}
