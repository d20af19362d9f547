package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"github.com/voltage-edge/voltage/agent/event"
)

// Client talks to a running agent by the socket in its data folder. It is an Agent.
type Client struct {
	socket string
	base   string
	http   *http.Client
}

var _ Agent = (*Client)(nil)

// Dial connects to the agent that runs on a data folder.
func Dial(data string) (*Client, error) {
	socket, _ := findSocket(data)
	conn, err := net.DialTimeout("unix", socket, 5*time.Second)
	if err != nil {
		return nil, dialError(data, socket, err)
	}
	conn.Close()
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
		MaxIdleConns: 4, IdleConnTimeout: 30 * time.Second, DisableCompression: true,
	}
	return &Client{socket: socket, base: "http://voltage", http: &http.Client{Transport: transport}}, nil
}

// dialError says why no agent could be reached, and what to do.
func dialError(data, socket string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: no agent runs on the data folder %q; start one with `voltage run SITE --data %s`, or name its folder with --data or VOLTAGE_DATA", ErrUnavailable, data, data)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: the agent's socket %s may not be opened by this user; run the command as the user that runs the agent", ErrForbidden, socket)
	case errors.Is(err, syscall.EINVAL): // the path is too long for a socket, so no agent can have opened it
		return fmt.Errorf("%w: no agent runs on the data folder %q; start one with `voltage run SITE --data %s`", ErrUnavailable, data, data)
	}
	return fmt.Errorf("reach the agent on the data folder %q by %s: %w", data, socket, err)
}

// Close frees the client's connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// ask makes one request; body and reply may be nil.
func (c *Client) ask(ctx context.Context, method, path string, query url.Values, body, reply any) error {
	var in io.Reader
	if body != nil {
		b, asWritten := body.(json.RawMessage) // whose lines diagnostics name
		if !asWritten {
			var err error
			if b, err = json.Marshal(body); err != nil {
				return err
			}
		}
		in = bytes.NewReader(b)
	}
	u := c.base + "/api/v1" + path
	if len(query) > 0 {
		u += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, u, in)
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.explain(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 400 {
		return readError(resp)
	}
	if err := json.NewDecoder(resp.Body).Decode(reply); err != nil {
		return fmt.Errorf("read the agent's answer to %s %s: %w", method, path, err)
	}
	io.Copy(io.Discard, resp.Body)
	return nil
}

// readError reads an answer that is an error.
func readError(resp *http.Response) error {
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return err
	}
	var e Error
	if json.Unmarshal(b, &e) == nil && e.Code != "" {
		return &e
	}
	return fmt.Errorf("the agent answers %s: %s", resp.Status, bytes.TrimSpace(b))
}

func get[T any](ctx context.Context, c *Client, path string, query url.Values) (T, error) {
	var v T
	err := c.ask(ctx, http.MethodGet, path, query, nil, &v)
	return v, err
}

func post[T any](ctx context.Context, c *Client, path string, body any) (T, error) {
	var v T
	err := c.ask(ctx, http.MethodPost, path, nil, body, &v)
	return v, err
}

// Status is the agent's.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return get[Status](ctx, c, "/status", nil)
}

// Values are the agent's.
func (c *Client) Values(ctx context.Context, patterns []string) ([]Value, error) {
	return get[[]Value](ctx, c, "/values", url.Values{"match": patterns})
}

// Value is one of the agent's.
func (c *Client) Value(ctx context.Context, name string) (Value, error) {
	return get[Value](ctx, c, "/values/"+url.PathEscape(name), nil)
}

// Set makes a request for an output and waits for its outcome.
func (c *Client) Set(ctx context.Context, req SetRequest) (Outcome, error) {
	var out Outcome
	body := setBody{
		Value: req.Value, TTL: span(req.TTL), Priority: &req.Priority, Owner: req.Owner, Reason: req.Reason, Wait: span(req.Wait),
	}
	err := c.ask(ctx, http.MethodPut, "/values/"+url.PathEscape(req.Name), nil, body, &out)
	return out, err
}

// Outputs are the agent's.
func (c *Client) Outputs(ctx context.Context) ([]Output, error) {
	return get[[]Output](ctx, c, "/outputs", nil)
}

// Why explains an output.
func (c *Client) Why(ctx context.Context, output string) (Why, error) {
	return get[Why](ctx, c, "/outputs/"+url.PathEscape(output)+"/why", nil)
}

func spanValues(since, until time.Time) url.Values {
	q := url.Values{}
	if !since.IsZero() {
		q.Set("since", since.UTC().Format(time.RFC3339Nano))
	}
	if !until.IsZero() {
		q.Set("until", until.UTC().Format(time.RFC3339Nano))
	}
	return q
}

// History is a value's past.
func (c *Client) History(ctx context.Context, req HistoryRequest) (History, error) {
	q := spanValues(req.Since, req.Until)
	if req.Every > 0 {
		q.Set("every", req.Every.String())
	}
	return get[History](ctx, c, "/history/"+url.PathEscape(req.Name), q)
}

// Events are what happened.
func (c *Client) Events(ctx context.Context, req EventsRequest) ([]event.Event, error) {
	q := spanValues(req.Since, req.Until)
	if len(req.Kinds) > 0 {
		q["kind"] = req.Kinds
	}
	if req.Renewals {
		q.Set("renewals", "true")
	}
	if req.Limit > 0 {
		q.Set("limit", strconv.Itoa(req.Limit))
	}
	return get[[]event.Event](ctx, c, "/events", q)
}

// Alarms are the agent's.
func (c *Client) Alarms(ctx context.Context, all bool) ([]Alarm, error) {
	q := url.Values{}
	if all {
		q.Set("all", "true")
	}
	return get[[]Alarm](ctx, c, "/alarms", q)
}

// AlarmCommand does something to an alarm.
func (c *Client) AlarmCommand(ctx context.Context, req AlarmCommand) (Alarm, error) {
	body := alarmBody{By: req.By, Comment: req.Comment, Mode: req.Mode, Duration: span(req.Duration), Occurrence: req.Occurrence}
	return post[Alarm](ctx, c, "/alarms/"+url.PathEscape(req.Name)+"/"+url.PathEscape(req.Command), body)
}

// Libraries are the agent's.
func (c *Client) Libraries(ctx context.Context) ([]Library, error) {
	return get[[]Library](ctx, c, "/libraries", nil)
}

// Routes lists the routes.
func (c *Client) Routes(ctx context.Context) ([]Route, error) {
	return get[[]Route](ctx, c, "/routes", nil)
}

// LoadLibrary loads a library.
func (c *Client) LoadLibrary(ctx context.Context, name, file string) (Library, error) {
	return post[Library](ctx, c, "/libraries/"+url.PathEscape(name)+"/load", loadBody{File: file})
}

// RollbackLibrary goes back to the library before.
func (c *Client) RollbackLibrary(ctx context.Context, name string) (Library, error) {
	return post[Library](ctx, c, "/libraries/"+url.PathEscape(name)+"/rollback", nil)
}

// RestartPlugin starts a plugin anew.
func (c *Client) RestartPlugin(ctx context.Context, name string) error {
	_, err := post[done](ctx, c, "/plugins/"+url.PathEscape(name)+"/restart", nil)
	return err
}

// Plan is what a reload would change.
func (c *Client) Plan(ctx context.Context) (Plan, error) { return get[Plan](ctx, c, "/plan", nil) }

// Reload runs the site as it is written now.
func (c *Client) Reload(ctx context.Context) (Plan, error) { return post[Plan](ctx, c, "/reload", nil) }
