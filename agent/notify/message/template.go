package message

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"text/template"
	"time"
)

// Template makes the body of a webhook of a message: a Go text/template over Message. It has the functions json, upper,
// lower and join, and text: the message in words.
type Template struct{ t *template.Template }

// longestBody bounds what a template makes, in bytes.
const longestBody = 1 << 20

// ParseTemplate reads a template, and tries it on messages of every kind, so that a wrong name is found at once. When
// wantJSON is set, what it makes must be JSON.
func ParseTemplate(text string, wantJSON bool) (*Template, error) {
	t, err := template.New("body").Option("missingkey=error").Funcs(template.FuncMap{
		"json": func(v any) (string, error) {
			b, err := json.Marshal(v)
			return string(b), err
		},
		"upper": strings.ToUpper, "lower": strings.ToLower, "join": strings.Join,
		"text": func(m *Message) string { return m.Text(time.UTC) },
	}).Parse(text)
	if err != nil {
		return nil, plainError(err)
	}
	x := &Template{t}
	for _, m := range samples() {
		b, err := x.Execute(m, time.UTC)
		if err != nil {
			return nil, err
		}
		if wantJSON && !json.Valid(b) {
			return nil, fmt.Errorf("what it makes of a message is no JSON: %.200s; write texts as {{ json .Subject }}, without quotes around it", b)
		}
	}
	return x, nil
}

// Execute makes the body; times in words are in the zone.
func (x *Template) Execute(m *Message, zone *time.Location) ([]byte, error) {
	t, err := x.t.Clone()
	if err != nil {
		return nil, plainError(err)
	}
	t.Funcs(template.FuncMap{"text": func(m *Message) string { return m.Text(zone) }})
	var b bytes.Buffer
	if err := t.Execute(&limited{&b}, m); err != nil {
		return nil, plainError(err)
	}
	return b.Bytes(), nil
}

type limited struct{ *bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > longestBody {
		return 0, fmt.Errorf("it makes more than %d bytes", longestBody)
	}
	return l.Buffer.Write(p)
}

// plainError is an error of a template without its name.
func plainError(err error) error {
	return fmt.Errorf("%s", strings.TrimPrefix(err.Error(), "template: "))
}

// samples are messages with much and with little in them.
func samples() []*Message {
	value := 104.5
	at := time.Date(2026, 1, 31, 3, 4, 5, 0, time.UTC)
	var out []*Message
	for _, kind := range []Kind{New, Update, Repeat, Escalation, Resolved, Flood, Summary, Test} {
		m := &Message{ID: "1", Kind: kind, Site: "bakery", Notification: "night", Contact: "duty", Group: Group{ID: "1"}, Time: at}
		if kind != Test {
			m.Alarms = []Alarm{{Name: "grid_\"overload\"", State: Active, Priority: "high", Message: "line\n\"two\"", Value: &value, Unit: "kW", Since: at, Occurrence: 1}}
		}
		m.Finish()
		out = append(out, m)
	}
	return out
}
