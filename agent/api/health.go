package api

import (
	"crypto/sha256"
	"fmt"
	"net/http"
)

// serveHealth answers 200 when the store is there and every channel runs, else 503. The reasons are for callers who may
// see the rest too.
func (s *Server) serveHealth(local bool) http.HandlerFunc {
	want := sha256.Sum256([]byte(s.o.Token))
	return func(w http.ResponseWriter, r *http.Request) {
		h, status := Health{State: "ok"}, http.StatusOK
		if st, err := s.o.Agent.Status(r.Context()); err != nil {
			h.Reasons = []string{err.Error()}
		} else {
			h.Reasons = unhealthy(st)
		}
		if len(h.Reasons) > 0 {
			h.State, status = "degraded", http.StatusServiceUnavailable
		}
		if !local && s.o.Token != "" && !authorized(r, want) {
			h.Reasons = nil
		}
		reply(w, status, h)
	}
}

// unhealthy says what hinders the agent from its work.
func unhealthy(s Status) []string {
	var out []string
	if s.Store.State != "ok" {
		out = append(out, because("store", s.Store.State, s.Store.Detail))
	}
	for _, c := range s.Channels {
		if c.State != "open" {
			out = append(out, because("channel "+c.Name, c.State, c.Error))
		}
	}
	return out
}

func because(what, state, detail string) string {
	if detail == "" {
		return fmt.Sprintf("%s is %s", what, state)
	}
	return fmt.Sprintf("%s is %s: %s", what, state, detail)
}
