package v1alpha1

import (
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
)

// TestRuling03DeliveryName: the name depends on the key alone, and never changes between versions.
func TestRuling03DeliveryName(t *testing.T) {
	got := DeliveryName("fleet", "main", "apps/shop")
	if want := "delivery-3be243eae4c4ca5ac0ed50b1d2959112532bf10a"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if problems := validation.IsDNS1123Label(got); len(problems) != 0 {
		t.Errorf("%s cannot be a name: %v", got, problems)
	}
	seen := map[string][3]string{}
	for _, key := range [][3]string{
		{"fleet", "main", "apps/shop"}, {"fleet", "main", "apps/shop2"}, {"fleet", "main", "."}, {"fleet", "mai", "napps/shop"},
		{"fleetmain", "", "apps/shop"}, {"", "fleetmain", "apps/shop"}, {"fleet", "4:main", "apps/shop"}, {"", "", ""},
		{"5:fleet", "main", "apps/shop"}, {"fleet", "main/apps", "shop"},
	} {
		name := DeliveryName(key[0], key[1], key[2])
		if other, taken := seen[name]; taken {
			t.Errorf("%q and %q have the same name", key, other)
		}
		seen[name] = key
	}
}
