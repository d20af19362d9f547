package plantsim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Control is the plant's HTTP interface for whoever wants to disturb it:
//
//	GET    /state   the state, with the faults
//	GET    /writes  the writes that reached the plant
//	POST   /fault   a Fault as JSON
//	DELETE /fault   {"unit": N}; unit 0 heals everything
//	POST   /set     {"name": "load", "value": 95}; a value of null gives it back to its curve
//
// It takes commands from anybody who can reach it: it belongs on loopback.
func (p *Plant) Control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /state", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, struct {
			State
			Faults []Fault `json:"faults"`
		}{p.State(), p.Faults()})
	})
	mux.HandleFunc("GET /writes", func(w http.ResponseWriter, _ *http.Request) { reply(w, p.Writes()) })
	mux.HandleFunc("POST /fault", command(p.SetFault))
	mux.HandleFunc("DELETE /fault", command(func(f Fault) error { return p.ClearFault(f.Unit) }))
	mux.HandleFunc("POST /set", command(p.apply))
	return mux
}

// Setting is the body of POST /set.
type Setting struct {
	Name  string   `json:"name"`
	Value *float64 `json:"value"`
}

func (p *Plant) apply(s Setting) error {
	if s.Value == nil {
		return p.Release(s.Name)
	}
	return p.Set(s.Name, *s.Value)
}

// command decodes a body and does what it says.
func command[T any](do func(T) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body T
		if err := json.NewDecoder(io.LimitReader(r.Body, 1<<16)).Decode(&body); err != nil {
			http.Error(w, fmt.Sprintf("the body is not what was expected: %v", err), http.StatusBadRequest)
			return
		}
		if err := do(body); err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

func reply(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(body)
}

// ControlServer serves Control; the caller listens and closes.
func (p *Plant) ControlServer() *http.Server {
	return &http.Server{Handler: p.Control(), ReadHeaderTimeout: 5 * time.Second}
}
