package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

const (
	// firstMessage is how long a client may take to say what it subscribes to.
	firstMessage = 10 * time.Second
	// writeMessage bounds the write of one message; who takes longer is too slow.
	writeMessage = 10 * time.Second
	// pingEvery finds connections that are dead.
	pingEvery = 30 * time.Second
)

// serveWebSocket takes a Subscription, then sends Changes: first the values as they are, unless the client goes on behind
// a sequence that is remembered, then what changes. A client that is too slow is closed with status 1013 and may go
// on behind the last sequence that it has.
func (s *Server) serveWebSocket(w http.ResponseWriter, r *http.Request) {
	s.sockets.Add(1)
	defer s.sockets.Done()
	// The guard has checked the origin; the library's own check would refuse the unix socket's clients.
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return // Accept has answered
	}
	defer conn.CloseNow()
	// A client that does not take part in the closing is not waited for.
	defer context.AfterFunc(s.ctx, func() { time.AfterFunc(farewell/3, func() { conn.CloseNow() }) })()
	conn.SetReadLimit(maxBody)

	sub, err := readSubscription(s.ctx, conn)
	if err != nil {
		conn.Close(websocket.StatusPolicyViolation, reason(err))
		return
	}
	// CloseRead answers pings and notices when the client goes.
	ctx, cancel := context.WithCancel(conn.CloseRead(s.ctx))
	defer cancel()
	changes, err := s.o.Agent.Subscribe(ctx, sub.Patterns, sub.After)
	if err != nil {
		conn.Close(websocket.StatusInternalError, reason(err))
		return
	}
	status, why := s.pass(ctx, conn, changes)
	conn.Close(status, why)
	cancel()
	for range changes { // until the agent has noticed
	}
}

func readSubscription(ctx context.Context, conn *websocket.Conn) (Subscription, error) {
	ctx, cancel := context.WithTimeout(ctx, firstMessage)
	defer cancel()
	var sub Subscription
	_, b, err := conn.Read(ctx)
	if err != nil {
		return sub, fmt.Errorf("the first message must say what is subscribed to: %w", err)
	}
	if err := json.Unmarshal(b, &sub); err != nil {
		return sub, fmt.Errorf(`the first message must be like {"patterns":["battery.*"],"after":0}: %w`, err)
	}
	return sub, nil
}

// reason fits a text into a close frame.
func reason(err error) string {
	text := err.Error()
	return text[:min(len(text), 120)]
}

// pass writes changes to the client until one of them ends it, and says why it ended.
func (s *Server) pass(ctx context.Context, conn *websocket.Conn, changes <-chan Change) (websocket.StatusCode, string) {
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		select {
		case <-ctx.Done():
			return websocket.StatusGoingAway, "the agent stops"
		case <-ping.C:
			if err := within(ctx, writeMessage, conn.Ping); err != nil {
				return websocket.StatusPolicyViolation, "no answer to a ping"
			}
		case c, ok := <-changes:
			if !ok {
				if ctx.Err() != nil {
					return websocket.StatusGoingAway, "the agent stops"
				}
				return websocket.StatusTryAgainLater, "the client is too slow; subscribe again behind the last sequence"
			}
			b, err := json.Marshal(c)
			if err != nil {
				return websocket.StatusInternalError, reason(err)
			}
			err = within(ctx, writeMessage, func(ctx context.Context) error { return conn.Write(ctx, websocket.MessageText, b) })
			if err != nil {
				return websocket.StatusTryAgainLater, "the client is too slow; subscribe again behind the last sequence"
			}
		}
	}
}

func within(ctx context.Context, d time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return do(ctx)
}

// Subscribe opens a WebSocket to the agent; see Agent.
func (c *Client) Subscribe(ctx context.Context, patterns []string, after uint64) (<-chan Change, error) {
	conn, resp, err := websocket.Dial(ctx, c.base+"/api/v1/ws", &websocket.DialOptions{HTTPClient: c.http})
	if err != nil {
		if resp != nil && resp.StatusCode >= 400 {
			return nil, readError(resp)
		}
		return nil, c.explain(err)
	}
	conn.SetReadLimit(1 << 20)
	b, err := json.Marshal(Subscription{Patterns: patterns, After: after})
	if err == nil {
		err = conn.Write(ctx, websocket.MessageText, b)
	}
	if err != nil {
		conn.CloseNow()
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	out := make(chan Change, 64)
	go func() {
		defer close(out)
		defer conn.CloseNow()
		for {
			_, b, err := conn.Read(ctx)
			if err != nil {
				if ctx.Err() != nil {
					conn.Close(websocket.StatusNormalClosure, "")
				}
				return
			}
			var ch Change
			if err := json.Unmarshal(b, &ch); err != nil {
				return
			}
			select {
			case out <- ch:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

// explain turns an error of the connection into words.
func (c *Client) explain(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("talk to the agent by %s: %w", c.socket, err)
}
