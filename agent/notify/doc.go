// Package notify tells contacts about alarms: by webhook and by mail, grouped, repeated, escalated.
//
// The events of alarms come from the journal, by a cursor. An engine, which asks no clock and sends nothing, turns them into
// groups, and groups into messages in an outbox. Its state is on disk before the cursor moves on, and holds the number of
// the last record that is in it: so each event counts once, whenever the agent ends. A message leaves the outbox when the
// contact took it; when the agent ends between that and the write of the state, it is sent once more, under the same ID.
package notify
