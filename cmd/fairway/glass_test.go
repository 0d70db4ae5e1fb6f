package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/e2e/story"
	"github.com/fairway-dev/fairway/internal/attest"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/cli"
	"github.com/fairway-dev/fairway/internal/policy"
	"github.com/fairway-dev/fairway/internal/signature"
	"github.com/fairway-dev/fairway/internal/tier"
)

// emergency is who asks for break-glass where, for the table below.
type emergency struct {
	key, user, namespace, uid string
	from                      time.Time
	length                    time.Duration
	approvers                 []string
}

// glass makes the BreakGlass that the commands print.
func (l *lab) glass(name string, e emergency) v1alpha1.BreakGlass {
	l.t.Helper()
	raw, err := breakGlassRequest(l.t.Context(), cli.BreakGlassOptions{
		Name: name, Namespace: e.namespace, NamespaceUID: e.uid, User: e.user, Reason: "the sale overruns us", From: e.from, For: e.length, Key: e.key,
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return l.agreed(raw, e.approvers...)
}

func (l *lab) agreed(raw []byte, approvers ...string) (b v1alpha1.BreakGlass) {
	l.t.Helper()
	for _, who := range approvers {
		var err error
		if raw, err = breakGlassApprove(l.t.Context(), raw, l.shop.Key(who)); err != nil {
			l.t.Fatal(err)
		}
	}
	if err := yaml.Unmarshal(raw, &b); err != nil {
		l.t.Fatal(err)
	}
	b.UID, b.Generation = types.UID("uid-of-"+b.Name), 1
	return b
}

func (l *lab) emergency(who string, approvers ...string) emergency {
	return emergency{
		key: l.shop.Key(who), user: who, namespace: "shop", uid: l.in.directory.state.World().Namespaces["shop"].UID,
		from: time.Now().Add(-time.Minute), length: time.Hour, approvers: approvers,
	}
}

func asJSON(t testing.TB, b v1alpha1.BreakGlass) []byte {
	t.Helper()
	raw, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestT58OnlyRequestsAreStored: what is no request of a person for this place is told so, with why.
func TestT58OnlyRequestsAreStored(t *testing.T) {
	l := newLab(t)
	asks := glassAsked{book: l.in.directory.glass, state: l.in.directory.state, now: time.Now}
	stranger, err := story.NewPerson("mallory", "nowhere")
	if err != nil {
		t.Fatal(err)
	}
	strange := filepath.Join(t.TempDir(), "mallory.key")
	if err := stranger.WriteKey(strange); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		ask    func(*emergency)
		change func(*v1alpha1.BreakGlass)
		place  string
		good   change.Found
		agreed bool
		why    string
	}{
		"asked":             {good: change.Present},
		"asked and agreed":  {ask: func(e *emergency) { e.approvers = []string{"paula"} }, good: change.Present, agreed: true},
		"agreed by a copy":  {ask: func(e *emergency) { e.approvers = []string{"paula"} }, change: func(b *v1alpha1.BreakGlass) { b.Spec.Approvals[0] = b.Spec.Request }, good: change.Present},
		"by a stranger":     {ask: func(e *emergency) { e.key = strange }, good: change.Absent, why: "NotSigned"},
		"for another place": {ask: func(e *emergency) { e.uid = "another" }, good: change.Absent, why: "WrongScope"},
		"for too long":      {ask: func(e *emergency) { e.length = 61 * time.Minute }, good: change.Absent, why: "TooLong"},
		"says another user": {change: func(b *v1alpha1.BreakGlass) { b.Spec.User = "mallory" }, good: change.Absent, why: "not what was signed"},
		"says a longer one": {change: func(b *v1alpha1.BreakGlass) { b.Spec.NotAfter = metav1.NewTime(b.Spec.NotAfter.Add(100 * time.Hour)) }, good: change.Absent, why: "not what was signed"},
		"garbage":           {change: func(b *v1alpha1.BreakGlass) { b.Spec.Request = "{}" }, good: change.Absent, why: "Malformed"},
		"in another place":  {place: "play", good: change.Absent, why: "not what was signed"},
		"in a new place":    {place: "just-made", good: change.CouldNotTell},
	} {
		t.Run(name, func(t *testing.T) {
			e := l.emergency("sara")
			if tt.ask != nil {
				tt.ask(&e)
			}
			b := l.glass("incident", e)
			if tt.change != nil {
				tt.change(&b)
			}
			if tt.place == "" {
				tt.place = "shop"
			}
			got := asks.Asked(tt.place, asJSON(t, b), nil)
			if got.Good != tt.good || got.Tied == change.Present || !strings.Contains(got.Why, tt.why) || got.This.Approved != tt.agreed {
				t.Errorf("%+v", got)
			}
			if tt.good == change.Present && (got.This.Requester != "sara" || got.This.Name != "incident" || got.This.Request == "") {
				t.Errorf("it is %+v", got.This)
			}
		})
	}
}

// TestT54RecordsAreRead: what a gate knows of a record that changes or goes.
func TestT54RecordsAreRead(t *testing.T) {
	l := newLab(t)
	asks := glassAsked{book: l.in.directory.glass, state: l.in.directory.state, now: time.Now}
	b := l.glass("incident", l.emergency("sara"))
	at := metav1.NewTime(time.Unix(1e9, 0))
	with := func(change func(*v1alpha1.BreakGlass)) []byte {
		c := *b.DeepCopy()
		change(&c)
		return asJSON(t, c)
	}
	plain, null := with(func(*v1alpha1.BreakGlass) {}), []byte("null")
	more := with(func(b *v1alpha1.BreakGlass) { b.Spec.Approvals = []string{"{}"} })
	other := with(func(b *v1alpha1.BreakGlass) { b.Spec.Approvals = []string{"[]"} })
	owned := with(func(b *v1alpha1.BreakGlass) {
		b.OwnerReferences = []metav1.OwnerReference{{Kind: "Pod", Name: "x", UID: "1"}}
	})
	held := with(func(b *v1alpha1.BreakGlass) { b.Finalizers = []string{"example.com/stay"} })
	closed := with(func(b *v1alpha1.BreakGlass) { b.Status.ClosedAt = &at })
	used := with(func(b *v1alpha1.BreakGlass) { b.Status.ClosedAt, b.Status.Uses = &at, 1 })
	for name, tt := range map[string]struct {
		object, old []byte
		want        policy.GlassRequest
	}{
		"made with an owner":         {owned, nil, policy.GlassRequest{Good: change.Present, Tied: change.Present}},
		"made with a finalizer":      {held, null, policy.GlassRequest{Good: change.Present, Tied: change.Present}},
		"approved":                   {more, plain, policy.GlassRequest{Tied: change.Absent, Stripped: change.Absent}},
		"stripped":                   {plain, more, policy.GlassRequest{Tied: change.Absent, Stripped: change.Present}},
		"another approval instead":   {other, more, policy.GlassRequest{Tied: change.Absent, Stripped: change.Present}},
		"given an owner":             {owned, plain, policy.GlassRequest{Tied: change.Present, Stripped: change.Absent}},
		"given a finalizer":          {held, plain, policy.GlassRequest{Tied: change.Present, Stripped: change.Absent}},
		"kept with its finalizer":    {held, held, policy.GlassRequest{Tied: change.Absent, Stripped: change.Absent}},
		"rid of its finalizer":       {plain, held, policy.GlassRequest{Tied: change.Absent, Stripped: change.Absent}},
		"open, deleted":              {nil, plain, policy.GlassRequest{Used: change.Absent}},
		"closed, deleted":            {null, closed, policy.GlassRequest{Used: change.Absent, ClosedAt: at.Time}},
		"used and closed, deleted":   {nil, used, policy.GlassRequest{Used: change.Present, ClosedAt: at.Time}},
		"nothing that could be read": {[]byte(`[1`), nil, policy.GlassRequest{Good: change.Absent, Tied: change.Absent, Why: "it cannot be read"}},
	} {
		got := asks.Asked("shop", tt.object, tt.old)
		got.This = policy.OpenGlass{}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestT58EachIsVerifiedOnce: signatures are verified once, and again where something changed that they rest on.
func TestT58EachIsVerifiedOnce(t *testing.T) {
	l := newLab(t)
	now := time.Now()
	all := []v1alpha1.BreakGlass{
		l.glass("agreed", l.emergency("sara", "paula")), l.glass("waiting", l.emergency("sam")), l.glass("bad", l.emergency("pete")),
	}
	all[2].Spec.User = "sara"
	closed := metav1.NewTime(now)
	gone := all[0]
	gone.Status.ClosedAt = &closed
	other := func(change func(*tier.Key)) *tier.World {
		w := *l.in.directory.state.World()
		spec := tier.TeamSpec{Name: "shop"}
		for _, name := range w.People.Names() {
			p, _ := w.People.Get(name)
			key := p.Keys[0]
			if name == "paula" {
				change(&key)
			}
			spec.Principals = append(spec.Principals, tier.Principal{Name: name, Users: []string{name}, Keys: []tier.Key{key}})
		}
		w.People, _ = tier.NewPeople(fmt.Sprintf("%p", change), []tier.TeamSpec{spec})
		return &w
	}
	world := l.in.directory.state.World()
	ending := other(func(k *tier.Key) { k.NotAfter = now.Add(10 * time.Minute) })
	book := &glassBook{}
	for _, step := range []struct {
		what    string
		all     []v1alpha1.BreakGlass
		world   *tier.World
		at      time.Duration
		looks   int
		granted int
	}{
		{"the first look", all, world, 0, 3, 1},
		{"at once again", all, world, time.Second, 0, 1},
		{"what is bad may have been ahead of the time", all, world, 61 * time.Second, 1, 1},
		{"another tier needs no look", all, func() *tier.World { w := *world; w.Tiers = nil; return &w }(), 62 * time.Second, 0, 0},
		{"an approval came", slices.Concat(all[:1], []v1alpha1.BreakGlass{func() v1alpha1.BreakGlass { b := all[1]; b.Generation++; return b }()}, all[2:]), world, 63 * time.Second, 1, 1},
		{"a key ends soon", all, ending, 64 * time.Second, 3, 1},
		{"and has not ended", all, ending, 65 * time.Second, 0, 1},
		{"and has ended", all, ending, 15*time.Minute + time.Second, 3, 0},
		{"one is closed", []v1alpha1.BreakGlass{gone}, world, 16 * time.Minute, 0, 0},
		{"and forgotten", all[:1], world, 17 * time.Minute, 1, 1},
		{"an hour is enough", all[:1], world, 78 * time.Minute, 1, 1},
	} {
		before := book.verified
		j := book.judge(step.all, step.world, now.Add(step.at))
		if looks := book.verified - before; looks != step.looks || len(j.grants["shop"]) != step.granted {
			t.Errorf("%s: %d looks, %d granted", step.what, looks, len(j.grants["shop"]))
		}
	}
	if len(book.read) != 1 {
		t.Errorf("%d are remembered", len(book.read))
	}
}

// TestT58BeyondThePlaces: of what is stored beyond the places nothing opens, however it came to be stored, and the
// requester is told; copies of a request are one.
func TestT58BeyondThePlaces(t *testing.T) {
	l := newLab(t)
	var all []v1alpha1.BreakGlass
	first := l.glass("copy-0", l.emergency("sara", "paula"))
	for i := range 40 {
		b := *first.DeepCopy()
		b.Name, b.UID = fmt.Sprintf("copy-%d", i), types.UID(fmt.Sprintf("uid-%d", i))
		b.CreationTimestamp = metav1.NewTime(time.Unix(1e9+int64(i), 0))
		all = append(all, b)
	}
	for i := range policy.GlassesHere + 4 {
		all = append(all, l.glass(fmt.Sprintf("sam-%d", i), l.emergency("sam", "paula")))
	}
	all = append(all, l.glass("pete", l.emergency("pete", "paula")))
	j := (&glassBook{}).judge(all, l.in.directory.state.World(), time.Now())
	by := map[string]int{}
	for _, g := range j.grants["shop"] {
		by[g.Requester]++
	}
	if want := map[string]int{"sara": 1, "sam": policy.GlassesHere, "pete": 1}; !cmp.Equal(want, by) {
		t.Errorf("granted are %v", by)
	}
	if j.open[[2]string{"shop", "copy-0"}].Beyond != "" || !strings.Contains(j.open[[2]string{"shop", "copy-39"}].Beyond, `"copy-0" has the same request`) {
		t.Errorf("of the copies %+v and %+v", j.open[[2]string{"shop", "copy-0"}], j.open[[2]string{"shop", "copy-39"}])
	}
	told := 0
	for _, g := range j.open {
		if strings.Contains(g.Beyond, "sam has as many open requests as are looked at (16 in a namespace") {
			told++
		}
	}
	if told != 4 {
		t.Errorf("%d of sam's are told that they are beyond", told)
	}
}

// FuzzGlassAsked: whatever bytes a request has, nothing panics, and nothing is a request but what was signed.
func FuzzGlassAsked(f *testing.F) {
	l := newLab(f)
	asks := glassAsked{book: l.in.directory.glass, state: l.in.directory.state, now: time.Now}
	good := asJSON(f, l.glass("incident", l.emergency("sara", "paula")))
	f.Add("shop", good, []byte(nil))
	f.Add("shop", good, good)
	f.Add("shop", []byte("null"), good)
	f.Add("", []byte(`{"spec":{"request":"{}","approvals":[null]},"metadata":{"finalizers":[""]}}`), []byte("{"))
	f.Fuzz(func(t *testing.T, namespace string, object, old []byte) {
		got := asks.Asked(namespace, object, old)
		if got.Good != change.Present {
			return
		}
		var b v1alpha1.BreakGlass
		if namespace != "shop" || json.Unmarshal(object, &b) != nil || b.Spec.User != "sara" || got.This.Requester != "sara" {
			t.Errorf("in %q, %q is a request: %+v", namespace, object, got)
		}
	})
}

// BenchmarkGlasses judges a thousand open break-glasses with their approvals, at first and again.
func BenchmarkGlasses(b *testing.B) {
	l := newLab(b)
	var all []v1alpha1.BreakGlass
	for i := range 1000 {
		all = append(all, l.signed(fmt.Sprintf("g%d", i)))
	}
	world, now := l.in.directory.state.World(), time.Now()
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			(&glassBook{}).judge(all, world, now)
		}
	})
	known := &glassBook{}
	known.judge(all, world, now)
	b.Run("again", func(b *testing.B) {
		for b.Loop() {
			known.judge(all, world, now)
		}
	})
	asks := glassAsked{book: known, state: l.in.directory.state, now: time.Now}
	stored := known.judge(all, world, now).stored
	l.in.directory.state.Set(world, nil, stored)
	object := asJSON(b, l.signed("new"))
	b.Run("asked", func(b *testing.B) {
		for b.Loop() {
			if asks.Asked("shop", object, nil).Good != change.Present {
				b.Fatal("it is no request")
			}
		}
	})
}

// signed is what glass makes of sara's request and paula's approval, without a file.
func (l *lab) signed(name string) v1alpha1.BreakGlass {
	l.t.Helper()
	e := l.emergency("sara")
	sara, err := signature.LoadSigner(e.key, passphrase)
	if err != nil {
		l.t.Fatal(err)
	}
	from := e.from.UTC().Truncate(time.Second)
	said := attest.BreakGlassRequest{
		Namespace: e.namespace, NamespaceUID: e.uid, User: e.user, Reason: "the sale overruns us", NotBefore: from, NotAfter: from.Add(e.length),
		SaidAt: from, Nonce: fmt.Sprintf("nonce-of-%016s", name),
	}
	envelope, err := attest.SignBreakGlassRequest(said, sara)
	if err != nil {
		l.t.Fatal(err)
	}
	raw, err := breakGlassYAML(v1alpha1.BreakGlass{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: e.namespace}, Spec: v1alpha1.BreakGlassSpec{
		Reason: said.Reason, User: said.User, NotBefore: metav1.NewTime(from), NotAfter: metav1.NewTime(said.NotAfter), Nonce: said.Nonce,
		NamespaceUID: said.NamespaceUID, Request: string(envelope),
	}})
	if err != nil {
		l.t.Fatal(err)
	}
	return l.agreed(raw, "paula")
}
