package api

import "reflect"

// withLists gives a copy of v in which lists that are nil are empty, so that a client always finds an array.
func withLists(v any) any {
	if v == nil {
		return nil
	}
	in := reflect.ValueOf(v)
	if !hasList(in.Type(), nil) {
		return v
	}
	out := reflect.New(in.Type()).Elem()
	out.Set(in)
	fillLists(out)
	return out.Interface()
}

func hasList(t reflect.Type, seen []reflect.Type) bool {
	for _, s := range seen {
		if s == t {
			return false
		}
	}
	switch t.Kind() {
	case reflect.Slice:
		return true
	case reflect.Struct:
		for i := range t.NumField() {
			if t.Field(i).IsExported() && hasList(t.Field(i).Type, append(seen, t)) {
				return true
			}
		}
	}
	return false
}

func fillLists(v reflect.Value) {
	switch v.Kind() {
	case reflect.Slice:
		if v.IsNil() {
			v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() && hasList(f.Type(), nil) {
				fillLists(f)
			}
		}
	}
}
