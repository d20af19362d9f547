package replay

import (
	"strings"
	"testing"

	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/site/sitetest"
)

// callSite has a rule, a window and a sequence that call chains, and a chain that calls another.
const callSite = `
site "calls" {}
channel "c" {
  plugin = "plain"
  every  = "1s"
}
device "m" {
  channel = channel.c
  point "power" { unit = "kW" }
  point "out" {
    unit = "kW"
    write {
      min  = -50
      max  = 50
      safe = 0
    }
  }
  point "lamp" {
    write {
      min  = 0
      max  = 50
      safe = 0
    }
  }
  point "horn" {
    write {
      min  = 0
      max  = 50
      safe = 0
    }
  }
}
rule "over" {
  when = device.m.power > 80
  on   = "rising"
  call "defend" {}
}
window "three" {
  kind   = "count"
  source = device.m
  count  = 3
  having = mean > 40
  aggregate "mean" {
    fn    = "avg"
    value = power
  }
  call "ring[loud]" {}
}
rule "still" {
  for_each = ["quiet"]
  when     = device.m.power < 5
  on       = "rising"
  call "ring[each.key]" {}
}
chain "defend" {
  on = "call"
  condition "much" {
    when = device.m.power > 90
    next = { true = ["act"], false = ["act_less"] }
  }
  action "act" {
    set "m.out" {
      value = device.m.power - 80
      ttl   = "10s"
    }
    raise "too_much" {}
    call "light" {}
  }
  action "act_less" {
    set "m.out" {
      value = 1
      ttl   = "10s"
    }
    clear "too_much" {}
  }
}
chain "light" {
  on = "call"
  action "on" {
    set "m.lamp" {
      value = 3
      ttl   = "3s"
    }
  }
}
chain "ring" {
  for_each = { loud = 9, quiet = 2 }
  on       = "call"
  action "on" {
    set "m.horn" {
      value = each.value
      ttl   = "2s"
    }
  }
}
`

func TestCalledChains(t *testing.T) {
	expectScenario(t, callSite, `
scenario "calls" {
  site = "s"
  at "0s" { set = { "m.power" = 20 } }
  at "1s" {
    expect {
      output = { "m.out" = 0, "m.lamp" = 0, "m.horn" = 0 }
    }
  }
  at "3s" {
    set = { "m.power" = 95 }
  }
  at "3.5s" {
    expect {
      output = { "m.out" = 15, "m.lamp" = 3 }
      alarm  = { too_much = "active" }
    }
  }
  # It ran when it was called, and not since then: the values are those of the call.
  at "5s" {
    set = { "m.power" = 99 }
  }
  at "5.5s" {
    expect {
      output = { "m.out" = 15, "m.lamp" = 3, "m.horn" = 9 }
      alarm  = { too_much = "active" }
    }
  }
  at "7.8s" {
    expect { output = { "m.out" = 15, "m.lamp" = 0, "m.horn" = 0 } }
  }
  at "8s" { set = { "m.power" = 30 } }
  at "9s" { set = { "m.power" = 85 } }
  at "9.5s" {
    expect {
      output = { "m.out" = 1, "m.lamp" = 0 }
      alarm  = { too_much = "normal" }
    }
  }
  at "12s" { set = { "m.power" = 1 } }
  at "13.5s" {
    expect { output = { "m.horn" = 2 } }
  }
  at "20s" {
    expect { output = { "m.out" = 0, "m.horn" = 0 } }
  }
}
`)
}

func TestCallsRefused(t *testing.T) {
	const chain = "chain \"NAME\" {\n  on = \"call\"\n  action \"a\" {\n    call \"NEXT\" {}\n  }\n}\n"
	link := func(names ...string) string {
		text := ""
		for i := range len(names) - 1 {
			text += strings.NewReplacer("NAME", names[i], "NEXT", names[i+1]).Replace(chain)
		}
		return text
	}
	const end = "chain \"end\" {\n  on = \"call\"\n  action \"a\" {\n    publish \"x\" {}\n  }\n}\n"
	const frames = "chain \"frames\" {\n  condition \"c\" {\n    when = device.m.power > 1\n    next = { true = [\"a\"] }\n  }\n  action \"a\" {\n    publish \"x\" {}\n  }\n}\n"
	for text, want := range map[string]string{
		link("a", "b", "c", "a"): "a → b → c → a",
		link("a", "a"):           "a → a",
		link("a", "b", "c", "d", "e", "f", "g", "h", "end") + end:                       "9 chains in a row; 8 are allowed",
		"rule \"r\" {\n  when = device.m.power > 1\n  call \"en\" {}\n}\n" + end:        "Did you mean \"end\"?",
		"rule \"r\" {\n  when = device.m.power > 1\n  call \"frames\" {}\n}\n" + frames: "on = \"call\"",
		"rule \"r\" {\n  when = device.m.power > 1\n  call \"ring\" {}\n}\n":            "say which one",
		"rule \"r\" {\n  when = device.m.power > 1\n  call \"ring[lout]\" {}\n}\n":      "Did you mean \"loud\"?",
		"rule \"r\" {\n  when = device.m.power > 1\n  call \"light[x]\" {}\n}\n":        "has no keys",
		"rule \"r\" {\n  when = device.m.power > 1\n  call \"r\" {}\n}\n":               "There is no chain \"r\"",
		"rule \"r\" {\n  when = device.m.power > 1\n  call \"a.b[\" {}\n}\n":            "is no chain",
		link("idle", "end") + end: "no rule or flow calls it",
	} {
		if said := complaints(t, callSite+text); !strings.Contains(said, want) {
			t.Errorf("%s\nit says %q, expected %q", text, said, want)
		}
	}
	if said := complaints(t, callSite+link("a", "b", "c", "d", "e", "f", "g", "end")+end+"rule \"r\" {\n  when = device.m.power > 1\n  call \"a\" {}\n}\n"); said != "" {
		t.Errorf("8 in a row: %s", said)
	}
}

// complaints is all that is said of a site.
func complaints(t *testing.T, text string) string {
	t.Helper()
	s, diags := sitetest.Read(t, text)
	_, more := compile.Compile(s)
	said := ""
	for _, d := range append(diags, more...) {
		said += d.Summary + ": " + d.Detail + "\n"
	}
	return said
}
