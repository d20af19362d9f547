package site

import "fmt"

// route hashes what a route does. The points that it takes are in it: another point of a device may be another stream.
func (d *digest) route(l *loader, r *Route) {
	d.text(r.Description, fmt.Sprintf("%q %q %q %q %v", r.Include, r.Exclude, r.Quality, r.Events, r.Points))
	d.any(r.Tags)
	for _, k := range r.Sinks {
		d.text(k.Name)
	}
	for _, s := range r.Streams {
		d.text(s.Source(), s.FullName(), s.Unit)
		d.number(s.Gain, s.Offset)
		d.int(int64(s.Every))
		d.flag(s.Align, s.Change != nil)
		if c := s.Change; c != nil {
			d.number(c.Deadband, c.Percent)
			d.int(int64(c.MaxInterval))
		}
		d.any(s.Tags)
		d.expression(l, s.Value)
	}
}
