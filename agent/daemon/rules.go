package daemon

import (
	"context"

	"github.com/voltage-edge/voltage/agent/api"
)

// Rules lists the rules and how often they fired.
func (a *Agent) Rules(ctx context.Context) ([]api.Rule, error) {
	s := a.current()
	out := make([]api.Rule, 0, len(s.Rules))
	for _, r := range s.Rules {
		x := api.Rule{Name: r.Name, Enabled: !r.Disabled, State: "disabled"}
		if !r.Disabled {
			got, err := a.store.EvaluateRule(ctx, r.Name)
			if err != nil {
				return nil, fromStore(err)
			}
			x.Verdict, x.Evaluations, x.Fires, x.Unknowns, x.Errors, x.LastFire = got.Verdict, got.Evaluations, got.Fires, got.Unknowns, got.Errors, got.LastFire
			x.State = "idle"
			if got.State == "true" {
				x.State = "active"
			}
		}
		out = append(out, x)
	}
	return out, nil
}
