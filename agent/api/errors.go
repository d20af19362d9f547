package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Errors of the API itself, beside those of an Agent.
var (
	// ErrUnauthorized: the token is missing or wrong.
	ErrUnauthorized = errors.New("unauthorized")
	// ErrForbidden: this caller may not do this.
	ErrForbidden = errors.New("forbidden")
)

// Error is an error as it travels: a code for programs, a sentence, and what to do.
type Error struct {
	// Code is not_found, invalid, conflict, unavailable, unauthorized, forbidden, method_not_allowed, too_large,
	// unsupported_media_type, timeout or internal.
	Code   string `json:"error"`
	Detail string `json:"detail"`
	Hint   string `json:"hint,omitempty"`
	// Diagnostics are what is wrong with a definition that was sent, with places in it.
	Diagnostics []Diagnostic `json:"diagnostics,omitempty"`
}

// Error is the sentence, and the hint when there is one.
func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Detail
	}
	return e.Detail + "; " + e.Hint
}

// Is tells that an error that came over the wire is the agent's.
func (e *Error) Is(target error) bool {
	for _, k := range kinds {
		if k.code == e.Code {
			return k.err == target
		}
	}
	return false
}

// kinds maps errors to codes and to statuses of HTTP.
var kinds = []struct {
	err    error
	code   string
	status int
	hint   string
}{
	{ErrNotFound, "not_found", http.StatusNotFound, ""},
	{ErrInvalid, "invalid", http.StatusBadRequest, ""},
	{ErrConflict, "conflict", http.StatusConflict, ""},
	{ErrUnavailable, "unavailable", http.StatusServiceUnavailable, "`voltage status` shows what is away"},
	{ErrUnauthorized, "unauthorized", http.StatusUnauthorized, "send the header `Authorization: Bearer TOKEN` with the api block's token"},
	{ErrForbidden, "forbidden", http.StatusForbidden, ""},
	{context.DeadlineExceeded, "timeout", http.StatusGatewayTimeout, "the agent is overloaded or waits for something; `voltage status` shows what"},
}

// statusOf gives an error its code, status and words.
func statusOf(err error) (int, *Error) {
	var own *Error
	if errors.As(err, &own) {
		for _, k := range kinds {
			if k.code == own.Code {
				return k.status, own
			}
		}
		for status, code := range plainCodes {
			if code == own.Code {
				return status, own
			}
		}
		return http.StatusInternalServerError, own
	}
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			return k.status, &Error{Code: k.code, Detail: withoutKind(err, k.err), Hint: k.hint}
		}
	}
	return http.StatusInternalServerError, &Error{Code: "internal", Detail: err.Error(), Hint: "the agent's log may say more"}
}

// plainCodes are those that only HTTP itself gives.
var plainCodes = map[int]string{
	http.StatusMethodNotAllowed:      "method_not_allowed",
	http.StatusRequestEntityTooLarge: "too_large",
	http.StatusUnsupportedMediaType:  "unsupported_media_type",
}

// withoutKind is the error's text without the kind that it wraps at its start or end: that is what the code is for.
func withoutKind(err, kind error) string {
	text := strings.TrimPrefix(err.Error(), kind.Error()+": ")
	return strings.TrimSuffix(text, ": "+kind.Error())
}

func invalid(format string, args ...any) error {
	return &Error{Code: "invalid", Detail: fmt.Sprintf(format, args...)}
}
