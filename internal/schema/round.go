package schema

import (
	"reflect"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// rounded are the groups in whose kinds the API server rounds resource lists.
var rounded = map[string]bool{"": true, "apps": true, "batch": true}

// roundResources rounds every resource list in an object up to thousandths, as the API server does.
func roundResources(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			roundResources(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				roundResources(v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			roundResources(v.Index(i))
		}
	case reflect.Map:
		list, ok := v.Interface().(corev1.ResourceList)
		if !ok {
			return
		}
		for name, quantity := range list {
			quantity.RoundUp(resource.Milli)
			list[name] = quantity
		}
	}
}
