package api

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
)

// Options of a Server. Agent and Data are required.
type Options struct {
	Agent Agent
	// Data is the agent's data folder; the socket is run/voltage.sock in it.
	Data string
	// Listen is the TCP listener's host:port; empty: none. Beyond loopback it needs the certificate, its key and a token.
	Listen            string
	CertFile, KeyFile string
	Token             string
	Version           string
	// Collectors are further metrics, such as histograms that somebody else fills.
	Collectors []prometheus.Collector
	Log        hclog.Logger
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Server serves the API on the data folder's unix socket, and by TCP when the site says so.
type Server struct {
	o        Options
	routes   []route
	document []byte
	metrics  http.Handler

	unix    *unixSocket
	tcp     net.Listener
	servers []*http.Server
	serving sync.WaitGroup
	sockets sync.WaitGroup
	ctx     context.Context
	cancel  context.CancelFunc
}

// New opens the listeners; nothing is answered before Start. It refuses to listen beyond loopback without TLS and a
// token, and a data folder on which an agent runs.
func New(o Options) (*Server, error) {
	if o.Agent == nil || o.Data == "" {
		return nil, errors.New("api: an agent and its data folder are required")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	s := &Server{o: o, routes: table()}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	var err error
	if s.document, err = document(s.routes, o.Version); err != nil {
		return nil, err
	}
	if s.metrics, err = newMetrics(o); err != nil {
		return nil, err
	}
	if o.Listen != "" {
		if s.tcp, err = listenTCP(o); err != nil {
			return nil, err
		}
	}
	if s.unix, err = listenUnix(o.Data); err != nil {
		if s.tcp != nil {
			s.tcp.Close()
		}
		return nil, err
	}
	return s, nil
}

// URL is the address of the TCP listener, empty when there is none.
func (s *Server) URL() string {
	switch {
	case s.tcp == nil:
		return ""
	case s.o.CertFile != "":
		return "https://" + s.tcp.Addr().String()
	}
	return "http://" + s.tcp.Addr().String()
}

// Socket is the path of the unix socket.
func (s *Server) Socket() string { return s.unix.path }

// Start answers requests until Stop.
func (s *Server) Start() {
	s.serve(s.unix.Listener, s.mux(true))
	if s.tcp != nil {
		s.serve(s.tcp, s.guard(s.mux(false)))
	}
}

func (s *Server) serve(l net.Listener, h http.Handler) {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      maxWait + 30*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		BaseContext:       func(net.Listener) context.Context { return s.ctx },
		ErrorLog:          s.o.Log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}
	s.servers = append(s.servers, srv)
	s.serving.Go(func() {
		if err := srv.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			s.o.Log.Error("the api stopped serving", "address", l.Addr().String(), "error", err)
		}
	})
}

// farewell bounds how long requests under way may take to end once the server is to stop.
const farewell = 3 * time.Second

// Stop takes no more requests, cancels those under way and waits for their ends until ctx ends, but not for long, closes
// the WebSockets, and removes the socket. It also does that for a server that was not started.
func (s *Server) Stop(ctx context.Context) error {
	s.cancel()
	ctx, release := context.WithTimeout(ctx, farewell)
	defer release()
	for _, srv := range s.servers {
		if srv.Shutdown(ctx) != nil {
			srv.Close() // what does not end by itself is cut off
		}
	}
	s.serving.Wait()
	s.sockets.Wait()
	err := s.unix.Close()
	if s.tcp != nil {
		if e := s.tcp.Close(); e != nil && !errors.Is(e, net.ErrClosed) {
			err = errors.Join(err, e)
		}
	}
	return err
}
