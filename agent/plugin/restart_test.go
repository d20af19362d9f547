package plugin

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/voltage-edge/voltage/agent/site"
)

func TestRestart(t *testing.T) {
	k := newKit(t, nil)
	record := filepath.Join(k.dir, "record")
	c := k.open("faulty", faulty("a", record))
	pid := k.plugin("faulty").PID
	if err := k.Restart("faulty"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "open on a new process", func() bool {
		p := k.plugin("faulty")
		return p.State == Running && p.PID != pid && c.Status().State == Running
	})
	if alive(pid) {
		t.Error("the old process is still there")
	}
	if !strings.Contains(recorded(record), "safe=true") {
		t.Error("the drain wrote no safe value")
	}
	if err := k.Restart("nobody"); err == nil {
		t.Error("a plugin that does not run was restarted")
	}
}

func TestPrune(t *testing.T) {
	k := newKit(t, nil)
	c := k.open("faulty", faulty("a", filepath.Join(k.dir, "record")))
	pid := k.plugin("faulty").PID
	if err := k.Prune(limit(t)); err != nil || !alive(pid) {
		t.Fatalf("a used plugin was pruned (%v)", err)
	}
	if err := c.Drain(limit(t)); err != nil {
		t.Fatal(err)
	}
	if err := k.Prune(limit(t)); err != nil || alive(pid) {
		t.Errorf("an idle plugin was not pruned (%v)", err)
	}
	k.open("faulty", faulty("a", filepath.Join(k.dir, "record")))
}

// While a site that is only looked at names another program for a plugin, that one is asked, and the one that serves goes
// on as it is, also when it has to be started again; Renew brings it to the new settings.
func TestAnotherProgramIsAskedBesideTheOneThatServes(t *testing.T) {
	k := newKit(t, nil)
	c := k.open("faulty", faulty("a", filepath.Join(k.dir, "record")))
	pid := k.plugin("faulty").PID
	if changed := k.Configure([]*site.Plugin{{Name: "faulty", Path: filepath.Join(bin, "hosting")}}); !slices.Equal(changed, []string{"faulty"}) {
		t.Errorf("the change matters to %v", changed)
	}
	if _, err := k.Driver(limit(t), "faulty"); err == nil {
		t.Error("a program that is no plugin was described")
	}
	other := []*site.Plugin{{Name: "faulty", Env: map[string]string{"FAULT": "env"}}}
	k.Configure(other)
	if _, err := k.Driver(limit(t), "faulty"); err != nil {
		t.Error(err)
	}
	if p := k.plugin("faulty"); p.PID != pid || p.State != Running || c.Status().State != Running {
		t.Errorf("the one that serves: %+v", p)
	}
	kill(t, pid)
	eventually(t, "started again as it was", func() bool {
		p := k.plugin("faulty")
		return p.State == Running && p.PID != pid && c.Status().State == Running
	})
	if strings.Contains(k.log.String(), "FAULT=env") {
		t.Error("it was started with settings that are only looked at")
	}
	if err := k.Renew(limit(t), "faulty"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "started with the new settings", func() bool { return strings.Contains(k.log.String(), "FAULT=env") })
	if changed := k.Configure(other); len(changed) != 0 {
		t.Errorf("it runs as the site says, and the change matters to %v", changed)
	}
	if err := k.Prune(limit(t)); err != nil {
		t.Error(err)
	}
}
