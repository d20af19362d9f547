package endtoend

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// past is what `voltage replay --json` prints, as far as it matters here.
type past struct {
	Frames, Inputs int
	Notes          []string
	Totals         struct {
		Then, Now, Same, Changed int
		OnlyThen                 int `json:"only_then"`
		OnlyNow                  int `json:"only_now"`
	}
	Subjects []struct {
		Kind, Name, Owner string
		Then, Now, Same   int
	}
}

func (a *agent) replay(args ...string) (p past, text string) {
	a.t.Helper()
	text = a.run(append([]string{"replay", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		a.t.Fatal(err)
	}
	return p, text
}

// The past of a running agent, run again beside it: the same through the same site, another through another one.
func TestThePastIsRunAgain(t *testing.T) {
	short(t)
	plant := newPlant(t, 60)
	a := newAgent(t, peakSite(plant.Address(), 80, ""))
	a.start()
	from := time.Now()
	a.eventually("the set-point is safe while there is no peak", func() error { return aboutSetpoint(plant, 0, 0.01) })
	setLoad(t, plant, 110)
	a.eventually("the battery gives what is above the limit", func() error { return aboutSetpoint(plant, 30, 1.5) })
	a.run("set", "bess.power", "5", "--ttl", "500ms", "--priority", "90")
	setLoad(t, plant, 60)
	a.eventually("the battery rests after the peak", func() error { return aboutSetpoint(plant, 0, 0.01) })
	a.eventually("the end of the rule is in the journal", func() error {
		if out := a.run("events", "--kind", "rule"); !strings.Contains(out, "ended") && !strings.Contains(out, "no longer") {
			return fmt.Errorf("%s", out)
		}
		return nil
	})

	span := []string{"--since", from.Add(-time.Hour).UTC().Format(time.RFC3339), "--until", time.Now().Add(time.Second).UTC().Format(time.RFC3339)}
	same, text := a.replay(span...)
	if d := same.Totals; d.Changed+d.OnlyThen+d.OnlyNow != 0 || d.Same < 3 || same.Inputs != 1 || same.Frames < 10 {
		t.Errorf("through the same site it is not the same:\n%s", text)
	}

	other := filepath.Join(filepath.Dir(a.site), "other.hcl")
	if err := os.WriteFile(other, []byte(peakSite(plant.Address(), 90, "")), 0o644); err != nil {
		t.Fatal(err)
	}
	a.stop()
	differs, text := a.replay(append(span, "--site", other)...)
	if differs.Totals.Changed+differs.Totals.OnlyThen == 0 {
		t.Errorf("through another site it is the same:\n%s", text)
	}
	if _, again := a.replay(append(span, "--site", other)...); again != text {
		t.Errorf("twice the same input, and other bytes:\n%s\n%s", text, again)
	}
	out := a.run(append([]string{"replay", "--site", other}, span...)...)
	for _, want := range []string{"peak_shaving", "CHANGED", "decisions are the same"} {
		if !strings.Contains(out, want) {
			t.Errorf("the table does not say %q:\n%s", want, out)
		}
	}

	for name, args := range map[string][]string{
		"nothing of":   {"replay", "--since", "2020-01-01T00:00:00Z", "--until", "2020-01-02T00:00:00Z"},
		"--since must": {"replay", "--since", "1m", "--until", "2m"},
		"no duration":  {"replay", "--warm-up", "soon"},
		"absent.lua":   {"replay", "--library", "absent.lua"},
	} {
		if code, out := a.code(args...); code == 0 || !strings.Contains(out, name) {
			t.Errorf("%v gives code %d and %s", args, code, out)
		}
	}
}
