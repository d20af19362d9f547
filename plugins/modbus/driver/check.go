package driver

import (
	"cmp"
	"context"
	"net"
	"slices"
	"strconv"

	"github.com/voltage-edge/voltage/plugins/modbus/register"
	"github.com/voltage-edge/voltage/plugins/modbus/wire"
	"github.com/voltage-edge/voltage/sdk"
)

// lastSerialUnit is the highest unit id on a serial line.
const lastSerialUnit = 247

// Check looks at a channel without opening anything.
func (Driver) Check(_ context.Context, req sdk.CheckRequest, resp *sdk.CheckResponse) {
	d := &resp.Diagnostics
	checkChannel(req.Channel.Config, d)
	for _, device := range req.Channel.Devices {
		checkDevice(req.Channel.Config, device, d)
	}
}

func checkChannel(v sdk.Values, d *sdk.Diagnostics) {
	if wire.Transport(v.String("transport")) == wire.RTU {
		if !v.Has("device") {
			d.Error(sdk.ChannelPath("transport"), "No serial port", "Transport rtu needs device, the name of the serial port.")
		}
		if v.Has("address") {
			d.Error(sdk.ChannelPath("address"), "A serial line has no address", "Leave it out, or use transport tcp or rtu-over-tcp.")
		}
		return
	}
	if v.Has("device") {
		d.Error(sdk.ChannelPath("device"), "A TCP connection has no serial port", "Leave it out, or use transport rtu.")
	}
	if !v.Has("address") {
		d.Error(sdk.ChannelPath("transport"), "No address", "Transport %s needs address, the host:port of the device.", v.String("transport"))
		return
	}
	host, port, err := net.SplitHostPort(withPort(v.String("address")))
	n, portErr := strconv.ParseUint(port, 10, 16)
	if err != nil || host == "" || portErr != nil || n == 0 {
		d.Error(sdk.ChannelPath("address"), "Not an address", "%q is not host:port with a port from 1 to 65535.", v.String("address"))
	}
}

func checkDevice(channel sdk.Values, spec sdk.DeviceSpec, d *sdk.Diagnostics) {
	unit := spec.Config.Int("unit")
	if wire.Transport(channel.String("transport")) != wire.TCP && (unit < 1 || unit > lastSerialUnit) {
		d.Error(sdk.DevicePath(spec.Name, "unit"), "Not a unit of a serial line", "Units on a serial line are 1 to %d; %d is none that answers.", lastSerialUnit, unit)
	}
	largest := limits(channel, spec.Config)
	points := make([]point, 0, len(spec.Points))
	for i := range spec.Points {
		p, wrong := newPoint(&spec.Points[i], spec.Config)
		if len(wrong) == 0 && !p.address.Table.Bits() && p.encoding.Size() > largest.Registers {
			wrong.add("type", "Larger than a request", "It takes %d registers, and max_registers is %d; a value must come in one request.", p.encoding.Size(), largest.Registers)
		}
		for _, c := range wrong {
			d.Error(sdk.PointPath(spec.Name, spec.Points[i].Name, c.attribute), c.summary, "%s", c.detail)
		}
		if len(wrong) == 0 {
			points = append(points, p)
		}
	}
	checkOverlaps(spec.Name, points, d)
}

// checkOverlaps complains about points that share registers and take them for different things.
func checkOverlaps(device string, points []point, d *sdk.Diagnostics) {
	slices.SortStableFunc(points, func(a, b point) int {
		return cmp.Or(cmp.Compare(a.address.Table, b.address.Table), cmp.Compare(a.address.Number, b.address.Number))
	})
	for i := range points {
		a := &points[i]
		for k := i + 1; k < len(points); k++ {
			b := &points[k]
			if b.address.Table != a.address.Table || int(b.address.Number) >= a.cells().End() {
				break
			}
			if !agree(a, b) {
				d.Error(sdk.PointPath(device, b.spec.Name, "address"), "Overlapping registers",
					"%s is %s from %s, and %s is %s from %s: at most one of them can be right.",
					b.spec.Name, b.encoding.Type, b.address, a.spec.Name, a.encoding.Type, a.address)
			}
		}
	}
}

// agree tells whether two points on common registers can both be right: bits beside whole words, and a value that is read
// twice.
func agree(a, b *point) bool {
	if a.encoding.Bit != register.NoBit || b.encoding.Bit != register.NoBit {
		return true
	}
	return a.address == b.address && a.encoding.Type == b.encoding.Type && a.encoding.Order == b.encoding.Order && a.encoding.Size() == b.encoding.Size()
}
