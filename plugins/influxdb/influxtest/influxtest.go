// Package influxtest starts a real InfluxDB for a test.
package influxtest

import (
	"encoding/json"
	"fmt"
	"go/build"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Database and Bucket exist on a started server.
const (
	Database = "site"
	Bucket   = "site/autogen"
)

const patience = 60 * time.Second

// Server is an influxd 1.8 of a test's own, on a free port of loopback.
type Server struct {
	URL string

	t    testing.TB
	exe  string
	conf string
	log  string
	cmd  *exec.Cmd
}

// Start starts an influxd that ends with the test, and makes the database. With -short the test is skipped.
func Start(t testing.TB) *Server {
	t.Helper()
	if testing.Short() {
		t.Skip("needs an influxd")
	}
	dir := t.TempDir()
	s := &Server{t: t, exe: executable(t), conf: filepath.Join(dir, "influxdb.conf"), log: filepath.Join(dir, "influxd.log")}
	address := freeAddress(t)
	s.URL = "http://" + address
	conf := fmt.Sprintf(`reporting-disabled = true
bind-address = "127.0.0.1:0"
[meta]
  dir = %[1]q
[data]
  dir = %[2]q
  wal-dir = %[3]q
[monitor]
  store-enabled = false
[http]
  bind-address = %[4]q
  flux-enabled = true
  log-enabled = false
`, filepath.Join(dir, "meta"), filepath.Join(dir, "data"), filepath.Join(dir, "wal"), address)
	if err := os.WriteFile(s.conf, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	s.Restart()
	s.Empty()
	return s
}

// Empty makes the database anew.
func (s *Server) Empty() {
	s.t.Helper()
	s.Query("DROP DATABASE " + Database)
	s.Query("CREATE DATABASE " + Database)
}

// executable is influxd of the PATH, of the repository's tools, or of Go's own folder.
func executable(t testing.TB) string {
	t.Helper()
	if exe, err := exec.LookPath("influxd"); err == nil {
		return exe
	}
	exe := filepath.Join(build.Default.GOPATH, "bin", "influxd")
	if _, err := os.Stat(exe); err != nil {
		t.Fatalf("there is no influxd: go install github.com/influxdata/influxdb/cmd/influxd@v1.8.10")
	}
	return exe
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Kill ends the server with SIGKILL.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.cmd = nil
}

// Restart starts a killed server on the same data and address, and waits until it answers.
func (s *Server) Restart() {
	s.t.Helper()
	s.Kill()
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	s.cmd = exec.Command(s.exe, "-config", s.conf)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		s.t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		resp, err := http.Get(s.URL + "/health")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			out, _ := os.ReadFile(s.log)
			s.t.Fatalf("influxd does not answer: %v\n%s", err, out)
		}
	}
}

// Series is one series of a query's answer.
type Series struct {
	Name    string            `json:"name"`
	Tags    map[string]string `json:"tags"`
	Columns []string          `json:"columns"`
	Values  [][]any           `json:"values"`
}

// Query runs an InfluxQL query on the database; times are in ms.
func (s *Server) Query(q string) []Series {
	s.t.Helper()
	resp, err := http.PostForm(s.URL+"/query", url.Values{"db": {Database}, "q": {q}, "epoch": {"ms"}})
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	var answer struct {
		Error   string
		Results []struct {
			Error  string
			Series []Series
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Error != "" {
		s.t.Fatalf("query %s: %s", q, body)
	}
	var series []Series
	for _, r := range answer.Results {
		if r.Error != "" {
			s.t.Fatalf("query %s: %s", q, r.Error)
		}
		series = append(series, r.Series...)
	}
	return series
}

// Column is a column of a series, nil where the series has no such column.
func (s Series) Column(name string) []any {
	for i, c := range s.Columns {
		if c == name {
			values := make([]any, len(s.Values))
			for j, row := range s.Values {
				values[j] = row[i]
			}
			return values
		}
	}
	return nil
}

// Count is how many rows of a measurement have a field.
func (s *Server) Count(measurement, field string) int {
	s.t.Helper()
	quote := func(name string) string {
		return `"` + strings.ReplaceAll(strings.ReplaceAll(name, `\`, `\\`), `"`, `\"`) + `"`
	}
	n := 0
	for _, series := range s.Query(fmt.Sprintf("SELECT count(%s) FROM %s", quote(field), quote(measurement))) {
		for _, v := range series.Column("count") {
			n += int(v.(float64))
		}
	}
	return n
}
