package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// guard lets through to the TCP listener's handlers who may: it asks for the token when there is one, and defends against
// pages in a browser on this machine. A page of another origin can send requests to a loopback address, and with a name
// of its own that resolves to it (DNS rebinding) could even read the answers.
func (s *Server) guard(next http.Handler) http.Handler {
	want := sha256.Sum256([]byte(s.o.Token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		if err := s.checkHost(r.Host); err != nil {
			s.fail(w, r, err)
			return
		}
		if err := checkOrigin(r); err != nil {
			s.fail(w, r, err)
			return
		}
		if s.o.Token != "" && r.URL.Path != "/healthz" && !authorized(r, want) {
			s.fail(w, r, &Error{
				Code: "unauthorized", Detail: "the token is missing or wrong",
				Hint: "send the header `Authorization: Bearer TOKEN` with the token of the api block",
			})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// authorized compares in constant time, hashed, so that not even the length shows.
func authorized(r *http.Request, want [sha256.Size]byte) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	got := sha256.Sum256([]byte(strings.TrimSpace(token)))
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// checkHost refuses names that are not the agent's. Beyond loopback the token, which no page has, does that.
func (s *Server) checkHost(host string) error {
	if s.o.Token != "" {
		return nil
	}
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.Trim(name, "[]")
	if ip := net.ParseIP(name); ip != nil && ip.IsLoopback() || strings.EqualFold(name, "localhost") {
		return nil
	}
	return &Error{
		Code: "forbidden", Detail: fmt.Sprintf("the request is for the host %q, which is not this machine's loopback address", host),
		Hint: "use 127.0.0.1 or localhost",
	}
}

// checkOrigin refuses requests that a page of another origin sends.
func checkOrigin(r *http.Request) error {
	refused := &Error{
		Code: "forbidden", Detail: "the request comes from a page of another origin",
		Hint: "pages may only talk to the agent that served them",
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || !strings.EqualFold(u.Host, r.Host) {
			return refused
		}
		return nil
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
		if r.Method != http.MethodGet && r.Method != http.MethodHead || r.Header.Get("Sec-Fetch-Mode") != "navigate" {
			return refused
		}
	}
	return nil
}
