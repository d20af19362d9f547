// Package poll runs the devices of one connection: each at its own interval, writes ahead of reads, and a device that
// does not answer backs off alone. A driver whose protocol asks and is answered needs to write only the asking.
package poll
