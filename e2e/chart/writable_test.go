package chart

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// writableWithin is how long after Helm has taken a release away its cluster may still refuse a change (F14).
const writableWithin = 5 * time.Second

// writes are what became of changes that were tried all the time.
type writes struct {
	tried, refused int
	last           time.Time // when the last was refused
}

// tryWrites tries a change that Git knows nothing of ten times a second, in shop, or where that is not there
// in default, until stop is called.
func (l *lab) tryWrites() (stop func() writes) {
	l.t.Helper()
	namespace := "shop"
	if _, err := l.typed.CoreV1().Namespaces().Get(l.t.Context(), namespace, metav1.GetOptions{}); err != nil {
		namespace = metav1.NamespaceDefault
	}
	ctx, cancel := context.WithCancel(l.t.Context())
	ended := make(chan writes)
	go func() {
		var w writes
		defer func() { ended <- w }()
		ticker := time.NewTicker(100 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			_, err := l.typed.CoreV1().ConfigMaps(namespace).Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "forged-"}},
				metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			if ctx.Err() != nil {
				return
			}
			if w.tried++; err != nil {
				w.refused, w.last = w.refused+1, time.Now()
			}
		}
	}()
	return func() writes { cancel(); return <-ended }
}
