package forge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
)

// FailedError is how a request to a forge failed, in words of ours alone. A forge was asked with a
// token, and whatever it chooses to answer could hold it, in a form that nobody would recognise (T-38):
// so no text of its answer is ever in Error, neither of its body nor of a header, a redirect or a
// certificate. Unwrap leads to the cause, whose text must not be shown.
type FailedError struct {
	Doing, Why string
	cause      error
}

// Error implements error.
func (e *FailedError) Error() string { return e.Doing + ": " + e.Why }

// Unwrap gives the cause, to be asked what it is, and not to be shown.
func (e *FailedError) Unwrap() error { return e.cause }

// Failed puts what a client library reports in the words of this package. status is that of the
// answer, 0 where there was none.
func Failed(doing string, status int, err error) error {
	switch {
	case err == nil:
		return nil
	case status == http.StatusNotFound || status == http.StatusGone:
		err = errors.Join(ErrGone, err)
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		err = errors.Join(ErrDenied, err)
	}
	return &FailedError{Doing: doing, Why: reason(status, err), cause: err}
}

// reason says in words of ours why a request failed.
func reason(status int, err error) string {
	var limited *LimitedError
	if errors.As(err, &limited) {
		return limited.Error()
	}
	var barred *barredError
	if errors.As(err, &barred) {
		return barred.Error()
	}
	for _, known := range []error{ErrHost, ErrTooMuch, ErrGone, ErrDenied, ErrOther} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	switch {
	case status != 0 && status != http.StatusOK:
		return "answer " + strconv.Itoa(status)
	case status == http.StatusOK || errors.Is(err, ErrAnswer):
		return ErrAnswer.Error()
	}
	return unreached(err)
}

// unreached says why there was no answer.
func unreached(err error) string {
	var (
		name     *net.DNSError
		unknown  x509.UnknownAuthorityError
		another  x509.HostnameError
		invalid  x509.CertificateInvalidError
		untrusty *tls.CertificateVerificationError
		dial     *net.OpError
	)
	switch {
	case errors.Is(err, context.Canceled):
		return "given up"
	case errors.As(err, &name):
		return "its name is not found"
	case errors.As(err, &unknown):
		return "its certificate is of an authority that is not trusted"
	case errors.As(err, &another):
		return "its certificate is for another name"
	case errors.As(err, &invalid), errors.As(err, &untrusty):
		return "its certificate is not valid"
	case errors.As(err, &dial) && dial.Op == "dial":
		return fmt.Sprintf("no connection to %v", dial.Addr)
	}
	var slow net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &slow) && slow.Timeout() {
		return "no answer in time"
	}
	return "no answer, or none that is HTTP"
}

// barredError is the refusal to make a connection.
type barredError struct{ address, why string }

// Error names the address, which is the resolver's word and not the forge's.
func (e *barredError) Error() string {
	return fmt.Sprintf("%v: address %s is %s", ErrHost, e.address, e.why)
}

// Is makes every barredError an ErrHost.
func (e *barredError) Is(target error) bool { return target == ErrHost }
