package sdk

import "fmt"

// Path leads to an attribute of a channel: "config", "address"; or "device", "meter", "point", "soc", "address". The
// agent maps it to file, line and column in site.hcl.
type Path []string

// Severity of a diagnostic.
type Severity int

// The severities.
const (
	Error Severity = iota
	Warning
)

// Diagnostic is one thing that is wrong with a configuration.
type Diagnostic struct {
	Severity Severity
	// Summary says what is wrong in a few words.
	Summary string
	// Detail says what to do.
	Detail string
	// Path says where.
	Path Path
}

// Diagnostics is all that is wrong.
type Diagnostics []Diagnostic

// Error adds an error at path.
func (d *Diagnostics) Error(path Path, summary, format string, args ...any) {
	*d = append(*d, Diagnostic{Severity: Error, Summary: summary, Detail: fmt.Sprintf(format, args...), Path: path})
}

// Warn adds a warning at path.
func (d *Diagnostics) Warn(path Path, summary, format string, args ...any) {
	*d = append(*d, Diagnostic{Severity: Warning, Summary: summary, Detail: fmt.Sprintf(format, args...), Path: path})
}

// HasErrors tells whether any of them is an error.
func (d Diagnostics) HasErrors() bool {
	for _, x := range d {
		if x.Severity == Error {
			return true
		}
	}
	return false
}

// Paths of the parts of a channel.
//
//	ChannelPath("address")              config block of the channel
//	DevicePath("meter", "unit")         config block of a device
//	PointPath("meter", "soc", "type")   attribute of a point
func ChannelPath(attr ...string) Path { return append(Path{"config"}, attr...) }

// DevicePath leads to an attribute of a device's config block.
func DevicePath(device string, attr ...string) Path {
	return append(Path{"device", device, "config"}, attr...)
}

// PointPath leads to an attribute of a point.
func PointPath(device, point string, attr ...string) Path {
	return append(Path{"device", device, "point", point}, attr...)
}
