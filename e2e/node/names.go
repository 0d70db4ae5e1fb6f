package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// domain is that of the cluster.
const domain = ".svc.cluster.local."

// names answers pods that ask for the address of a Service, and knows no other name. It stands in for the DNS of
// a cluster, as far as Fairway needs one.
type names struct {
	at net.PacketConn
	of func(ctx context.Context, namespace, service string) (netip.Addr, error)
}

// serveNames listens where the kubelet says that names are answered.
func (n *node) serveNames(ctx context.Context) error {
	at, err := new(net.ListenConfig).ListenPacket(ctx, "udp", host+":53")
	if err != nil {
		return fmt.Errorf("answering for names: %w", err)
	}
	n.names = at
	server := &names{at: at, of: func(ctx context.Context, namespace, service string) (netip.Addr, error) {
		found, err := n.typed.CoreV1().Services(namespace).Get(ctx, service, metav1.GetOptions{})
		if err != nil {
			return netip.Addr{}, err
		}
		return netip.ParseAddr(found.Spec.ClusterIP)
	}}
	go server.serve(ctx)
	return nil
}

// serve ends when the socket is closed.
func (s *names) serve(ctx context.Context) {
	buffer := make([]byte, 1500)
	for {
		size, from, err := s.at.ReadFrom(buffer)
		if err != nil {
			return
		}
		if answer, ok := s.answer(ctx, buffer[:size]); ok {
			_, _ = s.at.WriteTo(answer, from) // who asked asks again
		}
	}
}

// answer is what to say to a message, if it is a question.
func (s *names) answer(ctx context.Context, message []byte) ([]byte, bool) {
	var m dnsmessage.Message
	if m.Unpack(message) != nil || m.Response || len(m.Questions) != 1 {
		return nil, false
	}
	q := m.Questions[0]
	m.Header = dnsmessage.Header{ID: m.ID, Response: true, Authoritative: true, RecursionDesired: m.RecursionDesired, RCode: dnsmessage.RCodeNameError}
	m.Answers, m.Authorities, m.Additionals = nil, nil, nil
	if name, ours := strings.CutSuffix(strings.ToLower(q.Name.String()), domain); ours {
		if service, namespace, ok := strings.Cut(name, "."); ok {
			if address, err := s.of(ctx, namespace, service); err == nil && address.Is4() {
				m.RCode = dnsmessage.RCodeSuccess
				if q.Type == dnsmessage.TypeA {
					m.Answers = []dnsmessage.Resource{{
						Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 5},
						Body:   &dnsmessage.AResource{A: address.As4()},
					}}
				}
			}
		}
	}
	packed, err := m.Pack()
	return packed, err == nil
}
