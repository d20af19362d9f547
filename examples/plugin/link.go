package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/frame"
	"github.com/voltage-edge/voltage/sdk/poll"
)

// link is the connection that package poll runs: one request at a time.
type link struct {
	address string
	conn    net.Conn
	reader  *bufio.Reader
}

func (l *link) Connect(ctx context.Context) (err error) {
	var dialer net.Dialer
	if l.conn, err = dialer.DialContext(ctx, "tcp", l.address); err != nil {
		return err
	}
	l.reader = bufio.NewReader(l.conn)
	return nil
}

func (l *link) Close() error {
	if l.conn == nil {
		return nil
	}
	conn := l.conn
	l.conn = nil
	return conn.Close()
}

// Poll asks for each readable point. What the device refuses is bad; the rest counts.
func (l *link) Poll(ctx context.Context, r *poll.Reading) error {
	var refused error
	asked := false
	for _, p := range r.Device.Points {
		if !p.Readable {
			continue
		}
		if asked {
			if err := r.Next(ctx); err != nil {
				return err
			}
		}
		asked = true
		answer, err := l.ask(ctx, "GET "+lineName(*r.Device, p))
		var no *refusal
		switch {
		case errors.As(err, &no) && p.Text:
			r.Frame.SetTextBad(p.Index, frame.Refused)
			refused = fmt.Errorf("%s: %w", p.Name, err)
		case errors.As(err, &no):
			r.Frame.SetBad(p.Index, frame.Refused)
			refused = fmt.Errorf("%s: %w", p.Name, err)
		case err != nil:
			return err
		case p.Text:
			r.Frame.SetText(p.Index, answer)
		default:
			v, err := number(p, answer)
			if err != nil {
				r.Frame.SetBad(p.Index, frame.NotANumber)
				refused = fmt.Errorf("%s: %w", p.Name, err)
				continue
			}
			r.Frame.Set(p.Index, p.ToUnit(v))
		}
	}
	return poll.Partial(refused)
}

// Write sets a point; the device answers with the value that it took.
func (l *link) Write(ctx context.Context, w poll.Writing, resp *sdk.WriteResponse) {
	value := strconv.FormatFloat(w.Point.ToRaw(w.Value), 'g', -1, 64)
	answer, err := l.ask(ctx, "SET "+lineName(*w.Device, *w.Point)+" "+value)
	if err != nil {
		resp.Err = err
		return
	}
	resp.Answer = "OK " + answer
	v, err := number(*w.Point, answer)
	if err != nil {
		resp.Err = err
		return
	}
	resp.Written = w.Point.ToUnit(v)
}

// refusal is an ERR of the device: it answered, but not with a value.
type refusal struct{ text string }

func (r *refusal) Error() string { return "the device says: " + r.text }

// ask sends a line and reads one. A connection on which that fails is of no more use: the next line could be the answer
// to this question.
func (l *link) ask(ctx context.Context, line string) (string, error) {
	conn := l.conn
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline)
	// A context that is cancelled ends the waiting at once.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	_, err := fmt.Fprintln(conn, line)
	var answer string
	if err == nil {
		answer, err = l.reader.ReadString('\n')
	}
	if !stop() {
		err = ctx.Err()
	}
	if err != nil {
		return "", poll.Lost(err)
	}
	kind, rest, _ := strings.Cut(strings.TrimSpace(answer), " ")
	switch kind {
	case "OK":
		return rest, nil
	case "ERR":
		return "", &refusal{text: rest}
	default:
		return "", poll.Lost(fmt.Errorf("%q is no answer of the protocol", strings.TrimSpace(answer)))
	}
}

func lineName(d sdk.DeviceSpec, p sdk.PointSpec) string {
	name := p.Address
	if name == "" {
		name = p.Name
	}
	return d.Config.String("prefix") + name
}

func number(p sdk.PointSpec, answer string) (float64, error) {
	if p.Type == "bool" {
		switch strings.ToLower(answer) {
		case "on", "true", "1":
			return 1, nil
		case "off", "false", "0":
			return 0, nil
		}
		return 0, fmt.Errorf("%q is neither on nor off", answer)
	}
	v, err := strconv.ParseFloat(answer, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no number", answer)
	}
	return v, nil
}
