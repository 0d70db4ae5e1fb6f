package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

// hello is the first line that a child writes.
type hello struct {
	Address string `json:"address"`
	Cert    []byte `json:"cert"` // DER; its own authority
}

// usage is what a child answers to each line it reads.
type usage struct {
	CPU     time.Duration `json:"cpu"`     // user and system, since it began
	PeakRSS int64         `json:"peakRSS"` // KiB
}

// serveAsChild serves until its input ends, and answers each line of input with its usage.
func serveAsChild(name string, sizes []int, in io.Reader, out io.Writer) error {
	all, err := servers(sizes)
	if err != nil {
		return err
	}
	for _, s := range all {
		if s.name != name {
			continue
		}
		cert, err := certificate()
		if err != nil {
			return err
		}
		address, err := freeAddress()
		if err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		ended := make(chan error, 1)
		go func() { ended <- s.serve(ctx, address, cert) }()
		if err := reachable(address, cert, ended); err != nil {
			return fmt.Errorf("starting %s: %w", name, err)
		}
		debug.FreeOSMemory() // what making the judge of objects of all sizes left behind is not the server's
		return report(json.NewEncoder(out), hello{Address: address, Cert: cert.Certificate[0]}, in)
	}
	return fmt.Errorf("no server %q; there are %s", name, everyServer)
}

// report says where the server is, and then what it has used, once for each line.
func report(out *json.Encoder, first hello, in io.Reader) error {
	if err := out.Encode(first); err != nil {
		return err
	}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		var r syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
			return err
		}
		if err := out.Encode(usage{CPU: time.Duration(r.Utime.Nano() + r.Stime.Nano()), PeakRSS: r.Maxrss}); err != nil {
			return err
		}
	}
	return nil
}

// freeAddress is a loopback address that nobody listened on a moment ago: controller-runtime does
// its own listening.
func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

// reachable waits until the server shakes hands.
func reachable(address string, cert *tls.Certificate, ended <-chan error) error {
	roots, err := authorities(cert.Certificate[0])
	if err != nil {
		return err
	}
	for range 200 {
		if c, err := tls.Dial("tcp", address, &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}); err == nil {
			return c.Close()
		}
		select {
		case err := <-ended:
			return fmt.Errorf("it ended: %w", err)
		case <-time.After(25 * time.Millisecond):
		}
	}
	return fmt.Errorf("nobody listens on %s", address)
}

// certificate is a fresh ECDSA P-256 certificate of its own authority.
func certificate() (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "load"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// authorities trust the one certificate.
func authorities(der []byte) (*x509.CertPool, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	return roots, nil
}

// process is this program again, as something else. It answers a line of its input with one of JSON, and ends with
// its input.
type process struct {
	hello
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
}

// begin runs a command as a process.
func begin(name string, args ...string) (*process, error) {
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &process{cmd: cmd, in: in, out: json.NewDecoder(out)}, nil
}

// start runs this program again as a server.
func start(name string, sizes []int) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p, err := begin(self, "-serve", name, "-sizes", strings.Trim(strings.ReplaceAll(fmt.Sprint(sizes), " ", ","), "[]"))
	if err != nil {
		return nil, err
	}
	if err := p.out.Decode(&p.hello); err != nil {
		_ = p.stop()
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	return p, nil
}

// usage asks the child what it has used.
func (p *process) usage() (usage, error) {
	var u usage
	if _, err := io.WriteString(p.in, "usage\n"); err != nil {
		return u, err
	}
	return u, p.out.Decode(&u)
}

// stop ends the child by ending its input.
func (p *process) stop() error {
	_ = p.in.Close()
	return p.cmd.Wait()
}
