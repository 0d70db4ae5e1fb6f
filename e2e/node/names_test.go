package main

import (
	"context"
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"
)

func TestNames(t *testing.T) {
	s := &names{of: func(_ context.Context, namespace, service string) (netip.Addr, error) {
		if namespace != "fairway-system" || service != "fairway" {
			return netip.Addr{}, errors.New("not found")
		}
		return netip.MustParseAddr("10.0.0.7"), nil
	}}
	for _, tc := range []struct {
		name string
		kind dnsmessage.Type
		code dnsmessage.RCode
		want []string
	}{
		{"fairway.fairway-system.svc.cluster.local.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, []string{"10.0.0.7"}},
		{"Fairway.fairway-system.SVC.cluster.local.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, []string{"10.0.0.7"}},
		{"fairway.fairway-system.svc.cluster.local.", dnsmessage.TypeAAAA, dnsmessage.RCodeSuccess, nil},
		{"fairway.fairway-system.svc.", dnsmessage.TypeA, dnsmessage.RCodeNameError, nil},
		{"fairway.svc.cluster.local.", dnsmessage.TypeA, dnsmessage.RCodeNameError, nil},
		{"other.fairway-system.svc.cluster.local.", dnsmessage.TypeA, dnsmessage.RCodeNameError, nil},
		{"example.com.", dnsmessage.TypeA, dnsmessage.RCodeNameError, nil},
	} {
		asked := dnsmessage.Message{
			Header:    dnsmessage.Header{ID: 7, RecursionDesired: true},
			Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(tc.name), Type: tc.kind, Class: dnsmessage.ClassINET}},
		}
		packed, err := asked.Pack()
		if err != nil {
			t.Fatal(err)
		}
		said, ok := s.answer(t.Context(), packed)
		var m dnsmessage.Message
		if err := m.Unpack(said); err != nil || !ok {
			t.Fatalf("%s: no answer (%v)", tc.name, err)
		}
		var have []string
		for _, r := range m.Answers {
			if a, is := r.Body.(*dnsmessage.AResource); is {
				have = append(have, netip.AddrFrom4(a.A).String())
			}
		}
		if diff := cmp.Diff(tc.want, have); diff != "" || m.RCode != tc.code || m.ID != 7 || !m.Response {
			t.Errorf("%s: %v, want %v, addresses (-want +got):\n%s", tc.name, m.RCode, tc.code, diff)
		}
	}
	if _, ok := s.answer(t.Context(), []byte("nonsense")); ok {
		t.Error("it answered what is no question")
	}
}
