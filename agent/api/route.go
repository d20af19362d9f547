package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// route is one operation. The mux and the OpenAPI document are both made from the table of routes.
type route struct {
	method, path string
	// id, summary and tag are for the document.
	id, summary, tag string
	query            []parameter
	// body and reply are zero values of what travels; nil body: none.
	body, reply any
	// bodyOptional: the body may be left out.
	bodyOptional bool
	// privileged operations are refused to a caller who came by TCP without a token.
	privileged bool
	do         func(c *call) (any, error)
}

// parameter is a query parameter.
type parameter struct {
	name, doc string
	kind      string // string, integer, boolean
	many      bool
}

// maxBody bounds a request's body in bytes.
const maxBody = 64 << 10

// call is one request under way.
type call struct {
	*http.Request
	w     http.ResponseWriter
	agent Agent
	// local tells a caller on the unix socket from one by TCP.
	local bool
	now   time.Time
	query url.Values
}

// decode reads the body into v, strictly: unknown names are refused, so that a slip of the pen does no harm.
func (c *call) decode(v any, optional bool) error {
	if c.ContentLength == 0 && optional {
		return nil
	}
	if kind, _, err := mime.ParseMediaType(c.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return &Error{
			Code: "unsupported_media_type", Detail: fmt.Sprintf("the body's type is %q", c.Header.Get("Content-Type")),
			Hint: "send JSON with the header `Content-Type: application/json`",
		}
	}
	dec := json.NewDecoder(http.MaxBytesReader(c.w, c.Body, maxBody))
	dec.DisallowUnknownFields()
	err := dec.Decode(v)
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("something follows behind it")
		}
	}
	var long *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &long):
		return &Error{Code: "too_large", Detail: fmt.Sprintf("the body has more than %d bytes", maxBody)}
	case errors.Is(err, io.EOF):
		return invalid("the body is empty; it must be a JSON object")
	}
	return invalid("the body can't be read: %s", strings.TrimPrefix(err.Error(), "json: "))
}

// moment is a query parameter that is a time stamp or a span back from now.
func (c *call) moment(name string, missing time.Time) (time.Time, error) {
	text := c.query.Get(name)
	if text == "" {
		return missing, nil
	}
	t, err := parseMoment(text, c.now)
	if err != nil {
		return t, invalid("%s: %v", name, err)
	}
	return t, nil
}

// handler makes the handler of a route.
func (s *Server) handler(r route, local bool) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		c := &call{Request: req, w: w, agent: s.o.Agent, local: local, now: s.o.Now(), query: req.URL.Query()}
		if r.privileged && !local && s.o.Token == "" {
			s.fail(w, req, &Error{
				Code: "forbidden", Detail: fmt.Sprintf("%s %s is not open to callers without a token", r.method, r.path),
				Hint: "give the api block a token, or use the command on the agent's machine",
			})
			return
		}
		if err := c.checkQuery(r.query); err != nil {
			s.fail(w, req, err)
			return
		}
		v, err := r.do(c)
		if err != nil {
			s.fail(w, req, err)
			return
		}
		reply(w, http.StatusOK, v)
	}
}

// checkQuery refuses parameters that the route does not have.
func (c *call) checkQuery(known []parameter) error {
	for name := range c.query {
		if !slices.ContainsFunc(known, func(p parameter) bool { return p.name == name }) {
			names := make([]string, len(known))
			for i, p := range known {
				names[i] = p.name
			}
			return invalid("unknown query parameter %q; there are: %s", name, strings.Join(names, ", "))
		}
	}
	return nil
}

// fail answers with an error.
func (s *Server) fail(w http.ResponseWriter, req *http.Request, err error) {
	status, e := statusOf(err)
	if status == http.StatusInternalServerError && req.Context().Err() == nil {
		s.o.Log.Error("request failed", "method", req.Method, "path", req.URL.Path, "error", err)
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="voltage"`)
	}
	reply(w, status, e)
}

// reply writes v as JSON; lists that are nil are written as empty ones.
func reply(w http.ResponseWriter, status int, v any) {
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false) // expressions are full of < and >, and it is no HTML
	if err := out.Encode(withLists(v)); err != nil {
		b.Reset()
		status = http.StatusInternalServerError
		_ = out.Encode(&Error{Code: "internal", Detail: "the reply can't be written as JSON: " + err.Error()}) // texts, into a buffer
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(b.Bytes())
}

// mux makes the handlers of all routes, and says in JSON what is not there.
func (s *Server) mux(local bool) http.Handler {
	mux := http.NewServeMux()
	methods := map[string][]string{}
	for _, r := range s.routes {
		mux.HandleFunc(r.method+" "+r.path, s.handler(r, local))
		methods[r.path] = append(methods[r.path], r.method)
	}
	mux.HandleFunc("GET /api/v1/ws", s.serveWebSocket)
	mux.HandleFunc("GET /api/v1/openapi.json", s.serveDocument)
	mux.Handle("GET /metrics", s.metrics)
	mux.HandleFunc("GET /healthz", s.serveHealth(local))
	for path, allowed := range methods {
		if slices.Contains(allowed, http.MethodGet) {
			allowed = append(allowed, http.MethodHead)
		}
		mux.HandleFunc(path, func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			reply(w, http.StatusMethodNotAllowed, &Error{
				Code: "method_not_allowed", Detail: fmt.Sprintf("%s is not possible on %s", req.Method, req.URL.Path),
				Hint: "it takes " + strings.Join(allowed, ", "),
			})
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, req *http.Request) {
		s.fail(w, req, &Error{
			Code: "not_found", Detail: fmt.Sprintf("there is no %s", req.URL.Path), Hint: "/api/v1/openapi.json lists what there is",
		})
	})
	return mux
}
