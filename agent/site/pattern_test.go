package site

import "testing"

func TestPattern(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "a.b", true}, {"a.*", "a.b", true}, {"*.b", "a.b", true}, {"*.b", "a.c", false}, {"a.b", "a.b", true},
		{"a.b", "a.bc", false}, {"?.b", "ä.b", true}, {"*a*b*", "xaxbx", true}, {"*a*b*", "xbxax", false},
		{"charger[left].*", "charger[left].power", true}, {"", "", true}, {"", "a", false}, {"**", "", true}, {"?", "", false},
	} {
		if got := NewPattern(c.pattern).Match(c.name); got != c.want {
			t.Errorf("%q matches %q: %v", c.pattern, c.name, got)
		}
	}
}

func TestPatternRenames(t *testing.T) {
	for _, c := range []struct{ pattern, name, to, want string }{
		{"battery.*", "battery.soc", "bess.$1", "bess.soc"}, {"*.*", "a.b", "$2.$1", "b.a"}, {"string[?].*", "string[7].u", "pv$1.$2", "pv7.u"},
		{"a.b", "a.b", "x.y", "x.y"}, {"*", "a.b", "$1$$", "a.b$"}, {"*", "a.b", "$", "$"}, {"*", "a.b", "$1_kw", "a.b_kw"},
	} {
		if got, ok := NewPattern(c.pattern).Rename(c.name, c.to); !ok || got != c.want {
			t.Errorf("%q as %q by %q is %q (%v), want %q", c.name, c.to, c.pattern, got, ok, c.want)
		}
	}
	if _, ok := NewPattern("a.*").Rename("b.c", "x.$1"); ok {
		t.Error("a name that does not fit is renamed")
	}
	if err := NewPattern("a.*").checkRename("x.$2"); err == nil {
		t.Error("$2 of a pattern with one * is taken")
	}
}
