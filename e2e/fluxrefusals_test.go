package e2e

import (
	"context"
	"fmt"
	"strings"
)

// fluxRefusals: where Git alone cannot say what is delivered, the status of the source says why, and the condition
// of the Kustomization that it was refused and who knows why.
func fluxRefusals(l *fluxLab) {
	changed := map[string]string{}
	for _, name := range []string{"secret", "decrypted", "ignoring", "remote"} {
		changed["shop/"+name+"/lamp.yaml"] = named(name, "second")
	}
	changed["shop/bare/lamp.yaml"] = strings.ReplaceAll(named("bare", "first"), "{lit", "{more: \"yes\", lit")
	merge := l.land("Change everything\n\nTicket: SHOP-16", changed)
	for _, tt := range []struct{ name, source, condition string }{
		{"secret", "with postBuild.substituteFrom of a Secret", "fairway explain"},
		{"decrypted", "with decryption", "fairway explain"},
		{"ignoring", "with ignore", "fairway explain"},
		{"remote", "something outside the repository", "kustomize build failed"}, // by --no-remote-bases, before Fairway is asked
	} {
		l.sourceSays(tt.name, tt.source)
		l.told(tt.name, tt.condition)
	}
	l.stuck("bare", merge, "fairway.dev")
}

// sourceSays awaits what the status of a source of the shop says.
func (l *fluxLab) sourceSays(name, want string) {
	l.t.Helper()
	l.until("the source "+name+" says "+want, func(ctx context.Context) error {
		b, err := l.binding(ctx, "shop", "tier")
		if err != nil {
			return err
		}
		for _, s := range b.Status.Sources {
			if s.Name == name && strings.Contains(fmt.Sprintf("%+v", s), want) {
				return nil
			}
		}
		return fmt.Errorf("the status is %+v", b.Status.Sources)
	})
}
