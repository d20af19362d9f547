package endtoend

import (
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

// screenText is what a terminal was sent.
type screenText struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (s *screenText) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.Write(b)
}

func (s *screenText) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.String()
}

// `make run` on a terminal shows the demo at work, and Ctrl-C leaves no process and no socket.
func TestMakeRun(t *testing.T) {
	short(t)
	for _, port := range []string{"1502", "1503", "8480"} {
		l, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			t.Skipf("the demo's port %s is taken", port)
		}
		l.Close()
	}
	data, err := os.MkdirTemp("", "voltage-demo-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(data)
	cmd := exec.Command("make", "run", "DATA="+data, "BIN="+filepath.Join(data, "bin"))
	cmd.Dir = "../.."
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: 120})
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	screen := &screenText{}
	read := make(chan struct{})
	go func() {
		defer close(read)
		io.Copy(screen, terminal) // ends with an error when the other side is closed
	}()
	for _, want := range []string{"http://127.0.0.1:8480", "rule.peak_shaving", "battery.setpoint", "grid.power", "held"} {
		eventually(t, "the terminal shows "+want, func() error {
			if s := screen.String(); !strings.Contains(s, want) {
				return errText("it shows\n" + s[max(0, len(s)-3000):])
			}
			return nil
		})
	}
	if _, err := terminal.Write([]byte{3}); err != nil { // Ctrl-C
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		// make passes the interrupt on to whoever called it, when all that it started has ended.
		if how, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); err != nil && (!ok || how.Signal() != syscall.SIGINT) {
			t.Errorf("make run ended with %v:\n%s", err, screen)
		}
	case <-time.After(patience):
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		t.Fatal("make run did not end")
	}
	terminal.Close()
	<-read
	out, err := exec.Command("ps", "-eo", "pid,args").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(out), "\n") {
		if strings.Contains(line, data) {
			t.Errorf("left behind: %s", line)
		}
	}
	filepath.WalkDir(data, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type()&os.ModeSocket != 0 {
			t.Errorf("left behind: socket %s", path)
		}
		return nil
	})
}

type errText string

func (e errText) Error() string { return string(e) }
