package api

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestGuardAgainstBrowsers(t *testing.T) {
	s, _ := start(t, newLiteral(), nil)
	url := s.URL()
	for name, c := range map[string]struct {
		method, path, body string
		headers            []string
		want               int
	}{
		"plain":                    {"GET", "/api/v1/status", "", nil, 200},
		"localhost":                {"GET", "/api/v1/status", "", []string{"Host: localhost:8080"}, 200},
		"rebound name":             {"GET", "/api/v1/status", "", []string{"Host: evil.example:8080"}, 403},
		"rebound name, metrics":    {"GET", "/metrics", "", []string{"Host: evil.example"}, 403},
		"rebound name, health":     {"GET", "/healthz", "", []string{"Host: evil.example"}, 403},
		"another origin":           {"PUT", "/api/v1/values/battery.setpoint", `{"value":1}`, []string{asJSON, "Origin: https://evil.example"}, 403},
		"another port":             {"GET", "/api/v1/values", "", []string{"Origin: http://127.0.0.1:1"}, 403},
		"no origin to speak of":    {"GET", "/api/v1/values", "", []string{"Origin: null"}, 403},
		"same origin":              {"GET", "/api/v1/values", "", []string{"Origin: " + url}, 200},
		"cross-site form":          {"POST", "/api/v1/alarms/a/ack", "", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"}, 403},
		"cross-site link":          {"GET", "/api/v1/status", "", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"}, 200},
		"cross-site socket":        {"GET", "/api/v1/ws", "", []string{"Origin: https://evil.example"}, 403},
		"form body":                {"PUT", "/api/v1/values/battery.setpoint", `{"value":1}`, []string{"Content-Type: text/plain"}, 415},
		"unknown path":             {"GET", "/api/v1/nothing", "", nil, 404},
		"wrong method":             {"DELETE", "/api/v1/status", "", nil, 405},
		"load without a token":     {"POST", "/api/v1/libraries/rules/load", `{"file":"/tmp/x"}`, []string{asJSON}, 403},
		"rollback without a token": {"POST", "/api/v1/libraries/rules/rollback", "", nil, 403},
		"set":                      {"PUT", "/api/v1/values/battery.setpoint", `{"value":1}`, []string{asJSON}, 200},
		"set with charset":         {"PUT", "/api/v1/values/battery.setpoint", `{"value":1}`, []string{asJSON + "; charset=utf-8"}, 200},
	} {
		t.Run(name, func(t *testing.T) {
			code, body := fetch(t, c.method, url+c.path, c.body, c.headers...)
			if code != c.want {
				t.Errorf("%d, expected %d: %s", code, c.want, body)
			}
			if code >= 400 {
				var e Error
				if err := json.Unmarshal([]byte(body), &e); err != nil || e.Code == "" || e.Detail == "" {
					t.Errorf("no problem in JSON: %s", body)
				}
			}
		})
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	a := newLiteral()
	s, _ := start(t, a, nil)
	put := func(body string) (int, string) {
		return fetch(t, "PUT", s.URL()+"/api/v1/values/battery.setpoint", body, asJSON)
	}
	for body, want := range map[string]int{
		``:                                400,
		`{`:                               400,
		`[]`:                              400,
		`{"value":1} {"value":2}`:         400,
		`{"vlaue":1}`:                     400,
		`{"value":"1"}`:                   400,
		`{"value":1e999}`:                 400,
		`{"value":1,"ttl":30}`:            400,
		`{"value":1,"ttl":"-3s"}`:         400,
		`{"value":1,"priority":101}`:      400,
		`{"value":1,"wait":"1h"}`:         400,
		`{"value":1,"owner":"rule.peak"}`: 400,
		`{"value":1,"owner":"cli.root"}`:  400, // not from TCP
		`{"value":1,"owner":"a b"}`:       400,
		`{"value":1,"reason":"` + strings.Repeat("x", maxBody) + `"}`: 413,
	} {
		if code, got := put(body); code != want {
			t.Errorf("%.60s: %d, expected %d: %s", body, code, want, got)
		}
	}
	if a.set.Name != "" {
		t.Fatalf("a refused request came through: %+v", a.set)
	}
	if code, got := put(`{"value":null,"ttl":"1d","owner":"ems-2"}`); code != 200 || a.set.Owner != "api.ems-2" || a.set.Priority != defaultPriority || a.set.TTL != 24*time.Hour || a.set.Value != nil {
		t.Errorf("%d %s %+v", code, got, a.set)
	}
	for path, want := range map[string]int{
		"/api/v1/values?mtach=x":                         400,
		"/api/v1/history/a.b?since=yesterday":            400,
		"/api/v1/history/a.b?since=10m&every=1us":        400,
		"/api/v1/history/a.b?since=10m&until=20m":        400,
		"/api/v1/history/a.b?since=10m&every=10s":        200,
		"/api/v1/history/a.b?since=2026-01-31T08:00:00Z": 200,
		"/api/v1/events?limit=0":                         400,
		"/api/v1/events?limit=5&kind=alarm&kind=write":   200,
		"/api/v1/events?kind=alarms":                     400,
		"/api/v1/events?renewals=maybe":                  400,
		"/api/v1/events?renewals=true":                   200,
		"/api/v1/alarms?all=maybe":                       400,
	} {
		if code, got := fetch(t, "GET", s.URL()+path, ""); code != want {
			t.Errorf("%s: %d, expected %d: %s", path, code, want, got)
		}
	}
	if code, got := fetch(t, "POST", s.URL()+"/api/v1/alarms/grid/explode", ""); code != 404 || !strings.Contains(got, "shelve") {
		t.Errorf("%d %s", code, got)
	}
	if code, _ := fetch(t, "POST", s.URL()+"/api/v1/alarms/grid/ack", ""); code != 200 || a.alarm.By != "api" {
		t.Errorf("%d %+v", code, a.alarm)
	}
}

// certificate makes one for 127.0.0.1.
func certificate(t *testing.T) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "voltage"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	rawKey, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for path, b := range map[string][]byte{cert: certPEM, key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: rawKey})} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return cert, key, pool
}

func TestBeyondLoopbackWantsTLSAndAToken(t *testing.T) {
	cert, key, pool := certificate(t)
	for name, c := range map[string]struct {
		o    Options
		want string
	}{
		"nothing":        {Options{Listen: "0.0.0.0:0"}, "TLS and a token"},
		"all interfaces": {Options{Listen: ":0", Token: "secret"}, "without TLS;"},
		"no token":       {Options{Listen: "0.0.0.0:0", CertFile: cert, KeyFile: key}, "without a token;"},
		"no key":         {Options{Listen: "127.0.0.1:0", CertFile: cert}, "not both"},
		"bad pair":       {Options{Listen: "127.0.0.1:0", CertFile: key, KeyFile: cert}, "certificate"},
		"no port":        {Options{Listen: "127.0.0.1"}, "write host:port"},
	} {
		t.Run(name, func(t *testing.T) {
			c.o.Agent, c.o.Data = newLiteral(), shortFolder(t)
			_, err := New(c.o)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v", err)
			}
			if left, _ := filepath.Glob(filepath.Join(c.o.Data, "run", "*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}

	a := newLiteral()
	s, _ := start(t, a, func(o *Options) { o.Listen, o.CertFile, o.KeyFile, o.Token = "0.0.0.0:0", cert, key, "secret" })
	_, port, _ := net.SplitHostPort(s.tcp.Addr().String())
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	defer client.CloseIdleConnections()
	ask := func(path, authorization string) (int, string) {
		req, _ := http.NewRequestWithContext(context.Background(), "GET", "https://127.0.0.1:"+port+path, nil)
		if authorization != "" {
			req.Header.Set("Authorization", authorization)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b)
	}
	for authorization, want := range map[string]int{"": 401, "Bearer wrong": 401, "Basic secret": 401, "Bearer ": 401, "secret": 401, "Bearer secret": 200, "bearer secret": 200} {
		code, body := ask("/api/v1/status", authorization)
		if code != want || strings.Contains(body, "secret") {
			t.Errorf("%q: %d, expected %d: %s", authorization, code, want, body)
		}
	}
	a.status.Store.State = "down"
	if code, body := ask("/healthz", ""); code != 503 || strings.Contains(body, "store") {
		t.Errorf("health without a token: %d %s", code, body)
	}
	if code, body := ask("/healthz", "Bearer secret"); code != 503 || !strings.Contains(body, "store") {
		t.Errorf("health with the token: %d %s", code, body)
	}
}

// FuzzBodies sends anything to what takes a body: no answer may be a fault of the agent.
func FuzzBodies(f *testing.F) {
	for _, seed := range []string{`{"value":1}`, `{"value":null,"ttl":"3s"}`, `{"by":"x","duration":"1h"}`, `{"file":""}`, `[`, "\x00", `{"value":1e400}`} {
		f.Add(seed)
	}
	s, _ := start(f, newLiteral(), nil)
	f.Fuzz(func(t *testing.T, body string) {
		for _, to := range []struct{ method, path string }{{"PUT", "/api/v1/values/a.b"}, {"POST", "/api/v1/alarms/a/shelve"}} {
			if code, got := fetch(t, to.method, s.URL()+to.path, body, asJSON); code >= 500 {
				t.Errorf("%s %q: %d %s", to.path, body, code, got)
			}
		}
	})
}
