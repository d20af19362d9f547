package control

// Resync makes the requests of the owners that which tells of exactly those given; what anybody else asks for is left
// alone. It is for a store that lost something: what it still holds of a rule is what the rule will withdraw, so that
// nothing else of it may stay in force. A request that is in force already goes on as it is.
func (c *Controller) Resync(requests []Request, which func(owner string) bool) {
	c.mu.Lock()
	now := c.tick()
	c.advance(now)
	type wish struct{ output, owner string }
	wanted := map[wish]Request{}
	for _, r := range requests {
		if which(r.Owner) && c.outputs[r.Output] != nil {
			wanted[wish{r.Output, r.Owner}] = r
		}
	}
	for name := range c.outputs {
		for _, held := range c.arb.Held(name) {
			if !which(held.Owner) {
				continue
			}
			r, stays := wanted[wish{name, held.Owner}]
			switch {
			case !stays:
				c.arb.Put(Request{ID: held.ID, Output: name, Owner: held.Owner, Withdraw: true, At: now.UnixMilli()})
			case r.ID == held.ID && r.Value == held.Value:
				delete(wanted, wish{name, held.Owner})
			}
		}
	}
	for _, r := range wanted {
		r.At = min(r.At, now.UnixMilli())
		c.arb.Put(r)
	}
	c.advance(now)
	c.mu.Unlock()
	c.flush()
}
