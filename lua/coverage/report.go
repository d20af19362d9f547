package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ran reads the numbers of the statements that ran from the servers' logs.
func ran(dir string) (map[int]bool, error) {
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		return nil, err
	}
	out := map[int]bool{}
	for _, name := range logs {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if _, number, ok := strings.Cut(lines.Text(), mark+" "); ok {
				if n, err := strconv.Atoi(number); err == nil {
					out[n] = true
				}
			}
		}
		f.Close()
	}
	return out, nil
}

// report writes what part of the statements of each file ran, and the lines of those that did not. It gives the part of all.
func report(w io.Writer, sources []source, ran map[int]bool) float64 {
	all, seen := 0, 0
	fmt.Fprintf(w, "%-24s %10s %7s  %s\n", "Lua", "statements", "ran", "lines that did not")
	for _, s := range sources {
		n := 0
		var missed []int
		for i, line := range s.lines {
			switch {
			case ran[s.first+i]:
				n++
			case len(missed) == 0 || missed[len(missed)-1] != line:
				missed = append(missed, line)
			}
		}
		all, seen = all+len(s.lines), seen+n
		fmt.Fprintf(w, "%-24s %10d %6.1f%%  %s\n", s.name, len(s.lines), percent(n, len(s.lines)), ranges(missed))
	}
	fmt.Fprintf(w, "%-24s %10d %6.1f%%\n", "all", all, percent(seen, all))
	return percent(seen, all)
}

func percent(n, of int) float64 {
	if of == 0 {
		return 100
	}
	return 100 * float64(n) / float64(of)
}

// ranges writes rising numbers, those that follow each other as 3-5.
func ranges(lines []int) string {
	var out []string
	for i := 0; i < len(lines); {
		j := i
		for j+1 < len(lines) && lines[j+1] == lines[j]+1 {
			j++
		}
		if text := strconv.Itoa(lines[i]); j > i {
			out = append(out, text+"-"+strconv.Itoa(lines[j]))
		} else {
			out = append(out, text)
		}
		i = j + 1
	}
	return strings.Join(out, " ")
}
