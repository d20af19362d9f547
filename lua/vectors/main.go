// Vectors runs rule and alarm cases, as JSON files in a folder, through the real libraries on a real redis-server, and
// arbitration cases through the agent's arbiter:
//
//	go run ./lua/vectors DIR
//
// It prints what differs and "N passed, N failed", and ends with 1 when a case failed.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"sort"

	"github.com/redis/go-redis/v9"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: vectors DIR")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	failed, err := run(ctx, os.Args[1], os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "vectors:", err)
	}
	if err != nil || failed > 0 {
		stop()
		os.Exit(1)
	}
}

// run runs all cases below a folder and gives how many failed.
func run(ctx context.Context, dir string, out io.Writer) (int, error) {
	files, err := caseFiles(dir)
	if err != nil {
		return 0, err
	}
	server, err := startServer(ctx)
	if err != nil {
		return 0, err
	}
	defer server.stop()
	passed, failed := 0, 0
	for _, file := range files {
		p, failures, err := runFile(ctx, server.client, file)
		if err != nil {
			return failed, fmt.Errorf("%s: %w", file, err)
		}
		for _, f := range failures {
			fmt.Fprintln(out, f)
		}
		passed, failed = passed+p, failed+len(failures)
	}
	fmt.Fprintf(out, "%d passed, %d failed\n", passed, failed)
	return failed, nil
}

func caseFiles(dir string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(path) == ".json" {
			files = append(files, path)
		}
		return err
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("no .json files below %s", dir)
	}
	sort.Strings(files)
	return files, err
}

// runFile runs the cases of one file: rules have a rule in each case, alarms have none.
func runFile(ctx context.Context, client *redis.Client, file string) (int, []string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, nil, err
	}
	var group struct {
		Cases []struct {
			Rule json.RawMessage `json:"rule"`
		} `json:"cases"`
	}
	if err := json.Unmarshal(text, &group); err != nil {
		return 0, nil, err
	}
	if len(group.Cases) > 0 && group.Cases[0].Rule != nil {
		return runRuleCases(ctx, client, text)
	}
	return runAlarmCases(ctx, client, text)
}
