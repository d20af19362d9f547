package api

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
)

// serveHealth answers 200 while the agent does its work, which it does while the store is there and every channel is open:
// also when something else is not as it should be (a sink is behind, the last good site runs), and 503 else. The reasons
// are for callers who may see the rest too.
func (s *Server) serveHealth(local bool) http.HandlerFunc {
	want := sha256.Sum256([]byte(s.o.Token))
	return func(w http.ResponseWriter, r *http.Request) {
		h, status := s.health(r.Context())
		if !local && s.o.Token != "" && !authorized(r, want) {
			h.Reasons = nil
		}
		reply(w, status, h)
	}
}

func (s *Server) health(ctx context.Context) (Health, int) {
	st, err := s.o.Agent.Status(ctx)
	if err != nil {
		return Health{State: "failing", Reasons: []string{err.Error()}}, http.StatusServiceUnavailable
	}
	if reasons := unhealthy(st); len(reasons) > 0 {
		return Health{State: "failing", Reasons: reasons}, http.StatusServiceUnavailable
	}
	return Health{State: st.State, Reasons: st.Reasons}, http.StatusOK
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
