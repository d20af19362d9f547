package notify

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http/httptest"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/agent/notify/message"
	"github.com/voltage-edge/voltage/agent/site"
)

// mailServer speaks SMTP (RFC 5321) as far as a client needs it, with STARTTLS and AUTH PLAIN.
type mailServer struct {
	net.Listener
	tls *tls.Config
	// password that a client has to know; empty: nobody logs in.
	password string
	// refuses gives the answer to an address; empty: it is taken.
	refuses func(address string) string
	// ends: what happens to a connection at DATA: "drop" hangs up, "hang" says nothing; empty: the mail is taken.
	ends string

	mu    sync.Mutex
	mails []letter
	all   sync.WaitGroup
}

type letter struct {
	to        []string
	text      string
	encrypted bool
}

func newMailServer(t *testing.T, s *mailServer) *site.Email {
	t.Helper()
	server := httptest.NewUnstartedServer(nil) // for its certificate
	server.StartTLS()
	s.tls = &tls.Config{Certificates: server.TLS.Certificates}
	authority := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	server.Close()
	var err error
	if s.Listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	s.all.Go(func() {
		for {
			conn, err := s.Accept()
			if err != nil {
				return
			}
			s.all.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		s.Close()
		s.all.Wait()
	})
	return &site.Email{
		To: []string{"duty@example.org", "Boss <boss@example.org>"}, From: "bakery@example.org", Timeout: 2 * time.Second,
		Host: "127.0.0.1", Port: s.Addr().(*net.TCPAddr).Port, TLS: "none", CA: authority,
	}
}

func (s *mailServer) serve(conn net.Conn) {
	defer func() { conn.Close() }()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	in := bufio.NewReader(conn)
	say := func(format string, args ...any) { fmt.Fprintf(conn, format+"\r\n", args...) }
	var m letter
	in.Peek(0)
	say("220 here")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		verb, rest, _ := strings.Cut(line, " ")
		switch strings.ToUpper(verb) {
		case "EHLO", "HELO":
			say("250-here")
			if !m.encrypted {
				say("250-STARTTLS")
			}
			say("250 AUTH PLAIN LOGIN")
		case "STARTTLS":
			say("220 go on")
			secure := tls.Server(conn, s.tls)
			conn, in, m.encrypted = secure, bufio.NewReader(secure), true
		case "AUTH":
			_, text, _ := strings.Cut(rest, " ")
			b, _ := base64.StdEncoding.DecodeString(text)
			if parts := strings.Split(string(b), "\x00"); len(parts) == 3 && parts[2] == s.password {
				say("235 welcome")
			} else {
				say("535 wrong credentials %s", b)
			}
		case "RCPT":
			address := strings.Trim(rest[strings.Index(rest, "<"):], "<>")
			if s.refuses != nil && s.refuses(address) != "" {
				say("%s", s.refuses(address))
				break
			}
			m.to = append(m.to, address)
			say("250 ok")
		case "DATA":
			switch s.ends {
			case "drop":
				return
			case "hang":
				io.Copy(io.Discard, in) // until the client hangs up
				return
			}
			say("354 go on")
			var text strings.Builder
			for {
				line, err := in.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				text.WriteString(strings.TrimPrefix(line, "."))
			}
			m.text = text.String()
			s.mu.Lock()
			s.mails = append(s.mails, m)
			s.mu.Unlock()
			m.to = nil
			say("250 taken")
		case "RSET":
			m.to = nil
			say("250 ok")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func (s *mailServer) taken() []letter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mails
}

// news is a message whose texts would do harm if they were put into a mail as they are.
func news() message.Message {
	m := message.Message{
		ID: "all-1", Kind: message.New, Site: "bakery", Notification: "all", Contact: "boss", Time: time.UnixMilli(noon).UTC(), Group: message.Group{ID: "all-0"},
		Alarms: []message.Alarm{{Name: "grid", State: message.Active, Priority: "critical", Message: "Ofen zu heiß\r\nBcc: everybody@example.org\r\n\r\n.\r\nMAIL FROM:<x@example.org>", Since: time.UnixMilli(noon).UTC(), New: true}},
	}
	m.Finish()
	return m
}

// A mail is well-formed, whatever is in the texts, and goes to those who are meant.
func TestAMail(t *testing.T) {
	s := &mailServer{}
	e := newMailServer(t, s)
	if err := send(t.Context(), e, news(), time.UTC); err != nil {
		t.Fatal(err)
	}
	mails := s.taken()
	if len(mails) != 1 || strings.Join(mails[0].to, " ") != "duty@example.org boss@example.org" {
		t.Fatalf("%+v", mails)
	}
	m, err := mail.ReadMessage(strings.NewReader(mails[0].text))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || !strings.Contains(subject, "grid") {
		t.Errorf("subject %q, %v", subject, err)
	}
	if m.Header.Get("Bcc") != "" || m.Header.Get("Message-Id") == "" || m.Header.Get("References") == "" || m.Header.Get("Auto-Submitted") != "auto-generated" {
		t.Errorf("header %v", m.Header)
	}
	if list, err := m.Header.AddressList("To"); err != nil || len(list) != 2 {
		t.Errorf("to %v, %v", list, err)
	}
}

// The mail server's answers: final ones, ones that pass, addresses of which it knows some, silence, and a lost connection.
func TestAnswersOfAMailServer(t *testing.T) {
	boss := func(answer string) func(string) string {
		return func(address string) string {
			if strings.HasPrefix(address, "boss") {
				return answer
			}
			return ""
		}
	}
	all := func(answer string) func(string) string { return func(string) string { return answer } }
	for name, c := range map[string]struct {
		server *mailServer
		kind   string // refused, partly, again
		text   string
		mails  int
	}{
		"an unknown address":         {&mailServer{refuses: boss("550 no such user")}, "partly", "boss", 1},
		"a full mailbox":             {&mailServer{refuses: boss("452 mailbox full")}, "partly", "mailbox full", 1},
		"no address is known":        {&mailServer{refuses: all("550 no such user")}, "refused", "no such user", 0},
		"it is busy":                 {&mailServer{refuses: all("451 later")}, "again", "later", 0},
		"it hangs up in the middle":  {&mailServer{ends: "drop"}, "again", "", 0},
		"it says nothing any longer": {&mailServer{ends: "hang"}, "again", "2s", 0},
	} {
		t.Run(name, func(t *testing.T) {
			e := newMailServer(t, c.server)
			err := send(t.Context(), e, news(), time.UTC)
			var refused *Refused
			var partly *Partly
			kind := "again"
			switch {
			case err == nil:
				kind = "taken"
			case errors.As(err, &refused):
				kind = "refused"
			case errors.As(err, &partly):
				kind = "partly"
			}
			if kind != c.kind || !strings.Contains(fmt.Sprint(err), c.text) || len(c.server.taken()) != c.mails {
				t.Errorf("%s, %d mails: %v", kind, len(c.server.taken()), err)
			}
		})
	}
}

// A user logs in; a wrong password is refused, and not told.
func TestLogin(t *testing.T) {
	s := &mailServer{password: "right-one"}
	e := newMailServer(t, s)
	e.Username, e.Password = "bakery", "right-one"
	if err := send(t.Context(), e, news(), time.UTC); err != nil {
		t.Fatal(err)
	}
	e.Password = "wrong-one"
	if err := send(t.Context(), e, news(), time.UTC); err == nil || strings.Contains(err.Error(), "wrong-one") {
		t.Errorf("with a wrong password: %v", err)
	}
	if len(s.taken()) != 1 {
		t.Errorf("%d mails", len(s.taken()))
	}
}

// STARTTLS protects mail and login.
func TestSTARTTLS(t *testing.T) {
	s := &mailServer{password: "right-one"}
	e := newMailServer(t, s)
	e.TLS, e.Username, e.Password = "starttls", "bakery", "right-one"
	if err := send(t.Context(), e, news(), time.UTC); err != nil {
		t.Fatal(err)
	}
	if mails := s.taken(); len(mails) != 1 || !mails[0].encrypted {
		t.Errorf("%+v", mails)
	}
}

// Without TLS that can be trusted nothing is handed over.
func TestAMailServerThatIsNotTrusted(t *testing.T) {
	s := &mailServer{}
	e := newMailServer(t, s)
	e.TLS, e.CA = "starttls", ""
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := send(ctx, e, news(), time.UTC); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate of nobody: %v", err)
	}
	if len(s.taken()) != 0 {
		t.Errorf("%d mails", len(s.taken()))
	}
}
