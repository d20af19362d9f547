package site

import (
	"slices"
)

// keepSound leaves out of the lists what has an error, so that the rest can be checked further.
func (l *loader) keepSound() {
	s := l.site
	s.Channels = slices.DeleteFunc(s.Channels, func(c *Channel) bool { return c.broken })
	for _, c := range s.Channels {
		c.Devices = slices.DeleteFunc(c.Devices, func(d *Device) bool { return d.broken })
	}
	s.Devices = slices.DeleteFunc(s.Devices, func(d *Device) bool { return d.Channel == nil })
	s.Models = slices.DeleteFunc(s.Models, func(m *Model) bool { return m.broken })
}
