package conformance

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"

	"github.com/voltage-edge/voltage/sdk/protocol"
)

var semantic = regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)

// process is a started plugin.
type process struct {
	rpc       *protocol.Client
	client    *goplugin.Client
	cmd       *exec.Cmd
	lifeline  *os.File
	socketDir string
	errors    *buffer
	once      sync.Once
}

// start starts the plugin as the agent does. The test ends when that fails.
func (s *suite) start(t *testing.T) *process {
	t.Helper()
	dir, err := os.MkdirTemp("", "conf-")
	if err != nil {
		t.Fatal(err)
	}
	removeAll(t, dir)
	theirs, ours, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	p := &process{lifeline: ours, errors: &buffer{}, socketDir: filepath.Join(dir, "s")}
	if err := os.Mkdir(p.socketDir, 0o700); err != nil {
		t.Fatal(err)
	}
	p.cmd = exec.Command(s.exe)
	for name, value := range s.o.Env {
		p.cmd.Env = append(p.cmd.Env, name+"="+value)
	}
	p.cmd.Env = append(p.cmd.Env, protocol.LifelineEnv+"=3", protocol.LogLevelEnv+"=debug", goplugin.EnvUnixSocketDir+"="+p.socketDir)
	p.cmd.ExtraFiles = []*os.File{theirs}
	p.client = goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig: protocol.Handshake(), Plugins: protocol.Plugins(), AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		AutoMTLS: true, SkipHostEnv: true, Cmd: p.cmd, GRPCDialOptions: protocol.DialOptions(), StartTimeout: 30 * time.Second,
		Stderr: p.errors, SyncStdout: p.errors, SyncStderr: p.errors,
		Logger: hclog.New(&hclog.LoggerOptions{Output: io.Discard, Level: hclog.Off}),
	})
	t.Cleanup(p.end)
	conn, err := p.client.Client()
	if err == nil {
		p.rpc, err = protocol.Connect(conn)
	}
	if err != nil {
		p.end()
		t.Fatalf("the plugin does not start: %v\nIs something printed before sdk.Serve? Standard error:\n%s", err, p.stderr())
	}
	return p
}

// end ends the process.
func (p *process) end() {
	p.once.Do(func() {
		p.client.Kill()
		p.lifeline.Close()
	})
}

// loseHost makes the plugin believe that its host was killed.
func (p *process) loseHost() { p.lifeline.Close() }

func (p *process) ended() bool { return p.client.Exited() }

// waitEnd waits for the process's end.
func (p *process) waitEnd(ctx context.Context) bool {
	for !p.ended() {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(5 * time.Millisecond):
		}
	}
	return true
}

func (p *process) stderr() string { return p.errors.String() }

// runByHand starts the executable without a host.
func (s *suite) runByHand(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, s.exe)
	cmd.Env = []string{}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

type buffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
