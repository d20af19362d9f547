package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/voltage-edge/voltage/agent/notify/message"
	"github.com/voltage-edge/voltage/agent/site"
)

// send hands one message to a mail server. A *Refused is final. When the server refuses some of the addresses, the others get it, each
// in a mail of its own; those that it refused are a *Partly.
func send(ctx context.Context, e *site.Email, m message.Message, zone *time.Location) error {
	err := sendTo(ctx, e, e.To, m, zone)
	var failed *mail.SendError
	if !errors.As(err, &failed) || failed.Reason != mail.ErrSMTPRcptTo || len(e.To) < 2 {
		return plain(e, err)
	}
	var refused []string
	for _, to := range e.To {
		if each := sendTo(ctx, e, []string{to}, m, zone); each != nil {
			err = each
			refused = append(refused, to+": "+plain(e, each).Error())
		}
	}
	switch len(refused) {
	case 0:
		return nil
	case len(e.To):
		return plain(e, err)
	}
	return &Partly{strings.Join(refused, "; ")}
}

func sendTo(ctx context.Context, e *site.Email, to []string, m message.Message, zone *time.Location) error {
	letter, err := letterOf(e, to, m, zone)
	if err != nil {
		return &Refused{"the mail can't be written: " + err.Error()}
	}
	ctx, cancel := context.WithTimeout(ctx, e.Timeout)
	defer cancel()
	config := trust(e.CA)
	config.ServerName = e.Host
	// The context ends first: it closes the connection, and its error says what happened.
	options := []mail.Option{mail.WithPort(e.Port), mail.WithTimeout(2 * e.Timeout), mail.WithTLSConfig(config), mail.WithoutNoop(), mail.WithDialContextFunc(dialer(ctx, e.TLS == "tls", config))}
	switch e.TLS {
	case "tls":
		options = append(options, mail.WithSSL())
	case "none":
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if e.Username != "" {
		how := mail.SMTPAuthAutoDiscover
		if e.TLS == "none" { // on loopback only; see the grammar
			how = mail.SMTPAuthPlainNoEnc
		}
		options = append(options, mail.WithSMTPAuth(how), mail.WithUsername(e.Username), mail.WithPassword(e.Password))
	}
	client, err := mail.NewClient(e.Host, options...)
	if err != nil {
		return &Refused{"the mail server " + e.Host + " can't be used: " + err.Error()}
	}
	connection, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return err
	}
	err = client.SendWithSMTPClient(connection, letter)
	// The mail is the server's from its answer on, whatever happens to the goodbye.
	_ = client.CloseWithSMTPClient(connection)
	if letter.IsDelivered() {
		return nil
	}
	if late := ctx.Err(); late != nil { // the connection was closed by us
		return late
	}
	return err
}

// dialer connects, and hangs up when ctx ends: a server that falls silent must not hold anybody.
func dialer(all context.Context, speakTLS bool, config *tls.Config) mail.DialContextFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		var conn net.Conn
		var err error
		if speakTLS {
			conn, err = (&tls.Dialer{Config: config}).DialContext(ctx, network, address)
		} else {
			conn, err = (&net.Dialer{}).DialContext(ctx, network, address)
		}
		if err == nil {
			context.AfterFunc(all, func() { conn.Close() })
		}
		return conn, err
	}
}

// plain is the error of a mail without the secrets and the noise of a library.
func plain(e *site.Email, err error) error {
	var refused *Refused
	if err == nil || errors.As(err, &refused) {
		return err
	}
	text := err.Error()
	if e.Password != "" {
		text = strings.ReplaceAll(text, e.Password, "(sensitive)")
	}
	var failed *mail.SendError
	if errors.As(err, &failed) && !failed.IsTemp() && failed.ErrorCode() >= 500 {
		return &Refused{fmt.Sprintf("the mail server %s refused the mail: %s", e.Host, text)}
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("the mail server %s did not answer within %v", e.Host, e.Timeout)
	}
	return fmt.Errorf("hand the mail to %s: %s", e.Host, text)
}

// letterOf is a message as a mail (RFC 5322): each has the Message-ID that its message's ID makes, and refers to the one
// that all of its group refer to, so that mail programs show them as one thread.
func letterOf(e *site.Email, to []string, m message.Message, zone *time.Location) (*mail.Msg, error) {
	letter := mail.NewMsg(mail.WithNoDefaultUserAgent(), mail.WithEncoding(mail.EncodingQP))
	if err := letter.From(e.From); err != nil {
		return nil, err
	}
	if err := letter.To(to...); err != nil {
		return nil, err
	}
	domain := "voltage.invalid"
	if i := strings.LastIndexByte(e.From, '@'); i >= 0 {
		domain = strings.Trim(e.From[i+1:], "> ")
	}
	id := func(of string) string { return strings.ReplaceAll(of, " ", "") + "." + m.Site + "@" + domain }
	letter.Subject(m.Subject)
	letter.SetDateWithValue(m.Time.In(zone))
	letter.SetMessageIDWithValue(id(m.ID))
	if m.Group.ID != "" {
		root := "<" + id(m.Group.ID) + ">"
		letter.SetGenHeader(mail.HeaderReferences, root)
		letter.SetGenHeader(mail.HeaderInReplyTo, root)
	}
	letter.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: nobody's out-of-office answers it
	letter.SetGenHeader("Voltage-Message-Id", m.ID)
	if m.Priority == "critical" && m.Status == "active" {
		letter.SetImportance(mail.ImportanceHigh)
	}
	letter.SetBodyString(mail.TypeTextPlain, m.Text(zone))
	return letter, nil
}
