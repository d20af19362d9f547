// Package journal is the append-only record of a site on disk: frames and events, in the order in which they were
// accepted. Sinks read it by named cursors, history and replay by time.
//
// # On disk
//
// The folder holds the segments of a Prometheus write log (tsdb/wlog: pages of 32 KB, each record with a CRC), the file
// index with what is known of each closed segment, and cursors/NAME. A segment can be read alone: before the first
// frame of a device in it stands the device's point table, and that first frame is complete. A later frame holds what
// differs from the journalled frame before it; decoding gives back the bytes that were appended.
//
// # What holds
//
// When an append returns nil, the record survives the end of the process, kill -9 included. It survives the loss of power
// once it is synced, Options.Sync later at most. Each record has a sequence number that rises by one and goes on over
// restarts, so what a reader did not get can be counted.
//
// A torn or damaged stretch costs the records in it, and the frames of each device up to its next complete one (a
// minute at most); what stands behind it is read.
//
// Retention drops the oldest segments, by size, by age, and when the disk is full. A cursor does not hold them back: a
// far end that is away for ever must not fill the disk. What a cursor had not read is counted as dropped.
package journal
