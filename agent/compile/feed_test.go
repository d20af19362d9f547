package compile_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/voltage-edge/voltage/lua/luatest"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// ways are those in which one stream may come: they make no difference.
var ways = []string{"frame by frame", "in batches", "with restarts", "with the library loaded anew"}

// feeding is how a stream is given to a library: one of the ways; what loads the library anew, the library as it is unless it is given; and
// after how many calls that happens, or a restart: 3 unless it is given.
type feeding struct {
	way   string
	load  func()
	every int
}

// feed gives the steps to a function that takes frames, and keeps the frames as the agent does.
func feed(t fataler, server *luatest.Server, k []string, function string, table frame.Table, steps []step, how feeding) {
	t.Helper()
	ctx := context.Background()
	if how.load == nil {
		how.load = func() { loadLibrary(t, server.Client, strings.Split(k[1], ":")[2]) }
	}
	if how.every == 0 {
		how.every = 3
	}
	builders := [2]*frame.Builder{}
	for d := range builders {
		builders[d], _ = frame.NewBuilder(table)
	}
	for i := 0; i < len(steps); {
		args, kept := []any{""}, []any{}
		seen := map[int]bool{}
		for i < len(steps) && !seen[steps[i].device] && (len(seen) == 0 || how.way == "in batches") {
			s := steps[i]
			seen[s.device] = true
			b := builders[s.device]
			for p, v := range s.values {
				if math.IsNaN(v) {
					b.SetBad(p, frame.Bad)
				} else {
					b.Set(p, v)
				}
			}
			name, packed := fmt.Sprintf("d%d", s.device), b.Pack(nil, time.UnixMilli(s.t))
			args = append(args, name, s.t, packed)
			kept = append(kept, name, packed)
			args[0] = s.t
			i++
		}
		if err := server.FCall(ctx, function, k, args...).Err(); err != nil {
			t.Fatalf("%v", err)
		}
		if err := server.HSet(ctx, k[4], kept...).Err(); err != nil {
			t.Fatalf("%v", err)
		}
		if i%how.every != 0 {
			continue
		}
		switch how.way {
		case "with restarts":
			if err := server.Set(ctx, k[0], fmt.Sprint("restart", i), 0).Err(); err != nil {
				t.Fatalf("%v", err)
			}
		case "with the library loaded anew":
			how.load()
		}
	}
}
