package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/voltage-edge/voltage/agent/notify/message"
	"github.com/voltage-edge/voltage/agent/site"
)

// The headers that each post has, beside those of the site.
const (
	idHeader        = "Voltage-Message-Id"
	signatureHeader = "Voltage-Signature"
)

// post hands one message to a webhook, once. A *Refused is final. No error tells more of the address than its host, and
// none tells a header or what the far end wrote.
func post(ctx context.Context, w *site.Webhook, m message.Message, zone *time.Location, now time.Time) error {
	u, err := url.Parse(w.URL)
	if err != nil {
		return &Refused{"the webhook's url is no address"}
	}
	body, err := bodyOf(w, m, zone)
	if err != nil {
		return &Refused{"the body of the message can't be made: " + err.Error()}
	}
	ctx, cancel := context.WithTimeout(ctx, w.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return &Refused{"the webhook's url at " + u.Host + " can't be used"}
	}
	r.Header.Set("User-Agent", "voltage")
	for name, value := range w.Headers {
		r.Header.Set(name, value)
	}
	r.Header.Set("Content-Type", w.ContentType)
	r.Header.Set(idHeader, m.ID)
	if w.Secret != "" {
		r.Header.Set(signatureHeader, Sign(w.Secret, now, body))
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: trust(w.CA), ForceAttemptHTTP2: true, DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if err != nil {
		var inURL *url.Error
		if errors.As(err, &inURL) {
			err = inURL.Err
		}
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("the webhook at %s did not answer within %v", u.Host, w.Timeout)
		}
		return fmt.Errorf("post to the webhook at %s: %w", u.Host, err)
	}
	defer answer.Body.Close()
	// The answer does not matter, but whoever writes it should come to an end.
	_, _ = io.CopyN(io.Discard, answer.Body, 64<<10)
	switch c := answer.StatusCode; {
	case c >= 200 && c < 300:
		return nil
	case c == http.StatusRequestTimeout || c == http.StatusTooManyRequests || c >= 500:
		return &Busy{Reason: fmt.Sprintf("the webhook at %s can't take the message now: status %d", u.Host, c), After: retryAfter(answer.Header.Get("Retry-After"), now)}
	case c >= 300 && c < 400:
		return &Refused{fmt.Sprintf("the webhook at %s answers with a redirect, status %d: give the url that it leads to", u.Host, c)}
	default:
		return &Refused{fmt.Sprintf("the webhook at %s refused the message, status %d: check its url, headers and body", u.Host, c)}
	}
}

func bodyOf(w *site.Webhook, m message.Message, zone *time.Location) ([]byte, error) {
	if w.Body != nil {
		return w.Body.Execute(&m, zone)
	}
	return json.Marshal(m)
}

// Sign is the value of the header Voltage-Signature: t=SECONDS,v1=HEX, where HEX is the HMAC-SHA256 of SECONDS.BODY. A
// receiver that checks the time too can't be sent an old message once more.
func Sign(secret string, at time.Time, body []byte) string {
	seconds := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(seconds + "."))
	mac.Write(body)
	return "t=" + seconds + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// retryAfter reads the header Retry-After: seconds, or a date.
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(text); err == nil {
		return time.Duration(min(max(seconds, 0), int(longestPause/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

// trust is who may sign a server's certificate; an empty text: whom the system trusts.
func trust(pem string) *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if pem != "" {
		config.RootCAs = x509.NewCertPool()
		config.RootCAs.AppendCertsFromPEM([]byte(pem))
	}
	return config
}
