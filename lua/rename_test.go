package lua_test

import (
	"testing"

	"github.com/voltage-edge/voltage/lua"
)

func TestALibraryUnderAnotherNameIsWhatTheBundlerMakes(t *testing.T) {
	plain, err := lua.Bundle("frames")
	if err != nil {
		t.Fatal(err)
	}
	got, err := plain.As("_trial")
	if err != nil {
		t.Fatal(err)
	}
	want, err := lua.BundleAs("frames", "_trial")
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Fatalf("got\n%+v\nwant\n%+v", got, want)
	}
	if _, err := (lua.Library{Name: "x", Source: "#!lua name=x\nredis.register_function('a', function() end)"}).As("_b"); err == nil {
		t.Fatal("a text that is no bundle was renamed")
	}
	if _, err := plain.As("a'b"); err == nil {
		t.Fatal("a suffix with a quote was taken")
	}
}
