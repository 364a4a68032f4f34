//go:build linux

package sys

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

type point struct {
	X, Y  int32
	Valid bool
	name  [4]byte
}

// A variable that is set from the text of another has the other's value.
func TestValues(t *testing.T) {
	errno, none := error(unix.EINTR), error(nil)
	for _, v := range []any{
		new(int), ref(-1), ref(math.MinInt64), ref(uint8(200)), ref(uint64(math.MaxUint64)), ref(true), ref(2.5), ref(complex(1, math.Inf(-1))),
		ref(""), ref("a \"string\"\x00\xff)} é\n"), ref([]byte(nil)), ref([]byte{}), ref([]byte("bytes")), ref([]point{{1, 2, true, [4]byte{3}}, {}}),
		ref([3]int16{1, -2, 3}), ref(point{1, -2, true, [4]byte{'a'}}), ref(struct{}{}), &errno, &none, ref(unix.WaitStatus(7 << 8)),
		&SockaddrIn{Family: unix.AF_INET, Port: 1, Addr: [4]byte{127, 0, 0, 1}},
	} {
		text, err := valuesText(v, v)
		if err != nil {
			t.Errorf("%T: %v", v, err)
			continue
		}
		one, two := reflect.New(reflect.TypeOf(v).Elem()), reflect.New(reflect.TypeOf(v).Elem())
		if err := setValues(text, one.Interface(), two.Interface()); err != nil || !reflect.DeepEqual(one.Interface(), v) || !reflect.DeepEqual(two.Interface(), v) {
			t.Errorf("%s of %T gives %v and %v, %v", text, v, one, two, err)
		}
		for _, wrong := range []string{"", text + "x", text[:len(text)-1], "x " + text, `"` + text} {
			setValues(wrong, one.Interface(), two.Interface()) // it does not panic
		}
	}
}

func ref[T any](v T) *T { return &v }

// What a child cannot be given is refused, with its type or its size.
func TestRefusedValues(t *testing.T) {
	plain := errors.New("plain")
	for _, c := range []struct {
		value any
		want  string
	}{
		{new(*int), "*int"}, {new(map[int]int), "map[int]int"}, {new([]string), "[]string"}, {new(time.Time), "time.Time"}, {&plain, "*errors.errorString"},
		{new(struct{ S string }), "struct { S string }"}, {new([]struct{}), "[]struct {}"},
		{ref(strings.Repeat("x", maxValue+1)), "262145"}, {ref(make([]int32, maxValue)), "1048576"},
	} {
		if text, err := valuesText(c.value); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%T: %.40q, %v", c.value, text, err)
		}
	}
}

func FuzzValues(f *testing.F) {
	f.Add(`1 "a" nil EINTR`)
	f.Add(`18446744073709551616 "\xff" "" 4`)
	f.Fuzz(func(t *testing.T, text string) {
		var n int8
		var s string
		var b []uint32
		var err error
		var sa SockaddrIn6
		for _, p := range []any{&n, &s, &b, &err, &sa} {
			setValues(text, p)
		}
		if setValues(text, &n, &s, &b, &err) != nil {
			return
		}
		if _, err := valuesText(&n, &s, &b, &err); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	})
}

// A kept slice becomes empty or nil, as it was in the parent, whichever it was before.
func TestKeptSlice(t *testing.T) {
	s := []byte{}
	v := &keptVar{pointer: &s}
	for _, want := range []string{`""`, "nil", `""`, `"a"`, `"a"`, "nil"} {
		switch want {
		case "nil":
			s = nil
		case `""`:
			s = []byte{}
		default:
			s = []byte("a")
		}
		if text, err := v.value(); text != want || err != nil {
			t.Errorf("%q is %s, %v", s, text, err)
		}
	}
	for _, text := range []string{`""`, "nil", `"a"`, `"a"`, `"b"`, "nil", `""`} {
		err := v.set(text)
		if again, _ := valueText(&s); again != text || err != nil {
			t.Errorf("set to %s it is %s, %v", text, again, err)
		}
		s = append(s, 'x')
	}
}
