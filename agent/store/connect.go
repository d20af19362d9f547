package store

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/voltage-edge/voltage/agent/site"
)

// The modes of an external server.
const (
	modeSingle   = "single"
	modeSentinel = "sentinel"
	modeCluster  = "cluster"
)

const (
	dialTimeout = 2 * time.Second
	// ioTimeout is above the longest time for which a server with a slow disk holds back a write (2 s).
	ioTimeout = 5 * time.Second
	// pipelineBuffer takes the pipeline of a batch of a few thousand points in one write.
	pipelineBuffer = 64 << 10
)

// clientOptions are what go-redis is told. Nothing is sent twice on its own: whether that is safe, the callers know.
func clientOptions(c site.Store, embedded *server) (*redis.UniversalOptions, error) {
	o := &redis.UniversalOptions{
		Addrs: dialled(c.Addresses), DB: c.DB, Username: c.Username, Password: c.Password, MasterName: c.Master,
		SentinelUsername: c.Username, SentinelPassword: c.Password,
		ClientName: "voltage", Protocol: 2, DisableIdentity: true,
		MaxRetries: -1, DialerRetries: 1, DialTimeout: dialTimeout, ReadTimeout: ioTimeout, WriteTimeout: ioTimeout,
		ContextTimeoutEnabled: true, PoolTimeout: ioTimeout,
		// Few connections are ever open. But a pool that failed to connect as often as it has places does not try for a second.
		PoolSize: 32, PipelinePoolSize: 32,
		PipelineWriteBufferSize: pipelineBuffer, PipelineReadBufferSize: 16 << 10,
		ReadBufferSize: 16 << 10, WriteBufferSize: 16 << 10,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if embedded != nil {
		o.Addrs, o.DB, o.MasterName = []string{embedded.place.socket}, 0, ""
		o.Username, o.Password = agentUser, embedded.password
		return o, nil
	}
	if c.TLS {
		conf, err := tlsConfig(c.CA)
		if err != nil {
			return nil, err
		}
		o.TLSConfig = conf
	}
	return o, nil
}

// dialled are the addresses as go-redis takes them: it knows the path of a socket by its slash.
func dialled(addresses []string) []string {
	out := make([]string, len(addresses))
	for i, a := range addresses {
		out[i] = strings.TrimPrefix(a, "unix:")
	}
	return out
}

func tlsConfig(ca string) (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca == "" {
		return conf, nil
	}
	const doing = "reading the CA of the store"
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, &Error{Problem: Failed, Doing: doing, Cause: err, Advice: "Correct ca in the store block of site.hcl"}
	}
	conf.RootCAs = x509.NewCertPool()
	if !conf.RootCAs.AppendCertsFromPEM(pem) {
		return nil, &Error{Problem: Failed, Doing: doing, Cause: fmt.Errorf("%s holds no certificate in PEM", ca), Advice: "Correct ca in the store block of site.hcl"}
	}
	return conf, nil
}

func newClient(mode string, o *redis.UniversalOptions) redis.UniversalClient {
	switch mode {
	case modeCluster:
		return redis.NewClusterClient(o.Cluster())
	case modeSentinel:
		return redis.NewFailoverClient(o.Failover())
	default:
		return redis.NewClient(o.Simple())
	}
}

// whereIs names a server in errors and status.
func whereIs(c site.Store, embedded *server) string {
	if embedded != nil {
		return "the embedded redis-server at " + embedded.place.socket
	}
	return "redis at " + strings.Join(c.Addresses, ", ")
}

// modeOf is the mode of the configuration, single when none is given.
func modeOf(c site.Store) string {
	if c.Mode == "" || c.Embedded {
		return modeSingle
	}
	return c.Mode
}

// poolLog takes what go-redis says about its connections: the store says the same, once and in words.
type poolLog struct{ log hclog.Logger }

func (l poolLog) Printf(_ context.Context, format string, args ...any) {
	l.log.Trace(fmt.Sprintf(format, args...))
}

// infoField is a field of an INFO reply.
func infoField(info, name string) string {
	for line := range strings.Lines(info) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && key == name {
			return value
		}
	}
	return ""
}
