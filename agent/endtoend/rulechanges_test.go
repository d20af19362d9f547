package endtoend

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// ruleFile writes a rule that outranks all others and tells the battery a power.
func (a *agent) ruleFile(kW int) string {
	a.t.Helper()
	path := filepath.Join(filepath.Dir(a.site), fmt.Sprintf("rule%d.hcl", kW))
	text := fmt.Sprintf("rule \"by_hand\" {\n  when     = model.bess.soc > -1 # always\n  priority = 90\n  set \"bess.power\" {\n    value = %d\n    ttl   = \"30s\"\n  }\n}\n", kW)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		a.t.Fatal(err)
	}
	return path
}

// asks waits until the rule asks the battery for so many kW.
func (a *agent) asks(want float64) {
	a.t.Helper()
	a.eventually(fmt.Sprintf("the battery is asked for %g kW", want), func() error {
		v, err := a.get("battery.setpoint")
		if err == nil && (v.Value == nil || *v.Value != want) {
			err = fmt.Errorf("it is %+v", v)
		}
		return err
	})
}

// A rule that was taken is there whatever is killed behind it; one that was being taken is there whole or not at all.
func TestRulesThatWereMadeOutliveKills(t *testing.T) {
	short(t)
	plant := newPlant(t, 60)
	a := newAgent(t, peakSite(plant.Address(), 80, ""))
	a.start()
	a.run("rules", "put", a.ruleFile(1))
	a.asks(1)
	for kW := 2; kW <= 7; kW++ {
		a.run("rules", "put", a.ruleFile(kW))
		next := a.ruleFile(kW + 20)
		tried := make(chan error, 1)
		go func() {
			_, err := a.try("rules", "put", next)
			tried <- err
		}()
		time.Sleep(rand.N(150 * time.Millisecond))
		a.kill()
		taken := <-tried == nil
		a.start()
		shown := a.run("rules", "show", "by_hand")
		switch before, after := strings.Contains(shown, fmt.Sprintf(`"value": %d,`, kW)), strings.Contains(shown, fmt.Sprintf(`"value": %d,`, kW+20)); {
		case taken && !after:
			t.Errorf("the change to %d was taken, and is not there: %s", kW+20, shown)
		case before == after:
			t.Errorf("after a kill the rule is neither the one before nor the next: %s", shown)
		case after:
			a.asks(float64(kW + 20))
		default:
			a.asks(float64(kW))
		}
	}
	a.run("rules", "disable", "by_hand")
	a.kill()
	a.start()
	if shown := a.run("rules"); !strings.Contains(shown, "disabled (by hand)") {
		t.Errorf("after a kill the rules are\n%s", shown)
	}
	a.asks(0)
	a.run("rules", "enable", "by_hand")
	a.run("rules", "delete", "by_hand")
	a.kill()
	a.start()
	if code, said := a.code("rules", "show", "by_hand"); code != 1 || !strings.Contains(said, "there is no rule by_hand") {
		t.Errorf("the rule that was deleted: %d, %s", code, said)
	}
	if left, _ := filepath.Glob(filepath.Join(a.data, "rules", "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// What is wrong with a rule is said at its line, and changes nothing.
func TestARuleThatIsWrongIsRefused(t *testing.T) {
	short(t)
	plant := newPlant(t, 60)
	a := newAgent(t, peakSite(plant.Address(), 80, ""))
	a.start()
	path := a.ruleFile(5)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), "soc", "sok", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"rules", "put", path}, {"rules", "put", path, "--check"}, {"rules", "put", path, "--shadow", "10s"}} {
		if code, said := a.code(args...); code != 1 || !strings.Contains(said, `"when": "${model.bess.sok > -1}"`) || !strings.Contains(said, `Did you mean "soc"?`) {
			t.Errorf("%v: %d, %s", args, code, said)
		}
	}
	if code, said := a.code("rules", "delete", "peak_shaving"); code != 1 || !strings.Contains(said, "site.hcl:") {
		t.Errorf("the site's own rule is deleted: %d, %s", code, said)
	}
	if said := a.run("rules", "put", a.ruleFile(5), "--check"); said != "+ rule by_hand\n" {
		t.Errorf("the look says %q", said)
	}
	if said := a.run("rules", "put", a.ruleFile(5), "--shadow", "3s"); !strings.Contains(said, "rule.by_hand") || !strings.Contains(said, "voltage rules put without --shadow") {
		t.Errorf("the dry run says %s", said)
	}
	if said := a.run("plan"); said != "Nothing changes.\n" {
		t.Errorf("something changed: %s", said)
	}
}
