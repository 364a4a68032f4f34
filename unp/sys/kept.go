//go:build linux && (amd64 || arm64)

package sys

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// kept are the variables that Keep was given, grouped by the place of the call to Keep.
var kept struct {
	places []place
	vars   map[place][]*keptVar
}

// A keptVar is a kept variable. The text of its last value is remembered, because most steps
// of a path do not change most variables.
type keptVar struct {
	pointer any
	text    string
	bytes   []byte // the value in memory, if it is a flat variable or a slice
}

// A keptValue is the value of a kept variable, as text. The variable's name consists of the
// place of the call to Keep and the variable's number in that call.
type keptValue struct{ name, text string }

// keep keeps variables from now on, instead of those of an earlier call from the same place.
func keep(at place, pointers []any) {
	if kept.vars == nil {
		kept.vars = map[place][]*keptVar{}
	}
	if !slices.Contains(kept.places, at) {
		kept.places = append(kept.places, at)
	}
	var vars []*keptVar
	for _, p := range pointers {
		vars = append(vars, &keptVar{pointer: p})
	}
	kept.vars[at] = vars
}

// keptValues returns the values of all kept variables. The parameter before has their values at
// the previous step; those that are still the same share its text.
func keptValues(before []keptValue) ([]keptValue, error) {
	var values []keptValue
	for _, at := range kept.places {
		for i, v := range kept.vars[at] {
			text, err := v.value()
			if err != nil {
				return nil, err
			}
			value := keptValue{fmt.Sprintf("0x%016x.%d", uint64(at), i), text}
			n := len(values)
			if n < len(before) && before[n] == value {
				value = before[n]
			}
			values = append(values, value)
		}
	}
	return values, nil
}

// setKept gives the kept variables these values. Values of variables that main has not yet
// given to Keep are passed over.
func setKept(values []keptValue) error {
	for _, value := range values {
		at, i, err := value.variable()
		if err != nil {
			return err
		}
		vars := kept.vars[at]
		if i < len(vars) {
			err = vars[i].set(value.text)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// inMemory returns the bytes of a flat variable or of a slice of flat elements, or nil.
func (v *keptVar) inMemory() []byte {
	value := reflect.ValueOf(v.pointer).Elem()
	t := value.Type()
	if flat(t) || flatSlice(t) {
		return memory(value)
	}
	return nil
}

// value returns the value of the variable as text.
func (v *keptVar) value() (string, error) {
	bytes := v.inMemory()
	if bytes != nil && v.bytes != nil && string(bytes) == string(v.bytes) {
		return v.text, nil
	}
	text, err := valueText(v.pointer)
	v.text, v.bytes = text, slices.Clone(bytes)
	return text, err
}

// set gives the variable a value.
func (v *keptVar) set(text string) error {
	bytes := v.inMemory()
	if bytes != nil && v.bytes != nil && v.text == text && string(bytes) == string(v.bytes) {
		return nil
	}
	err := setValue(text, v.pointer)
	v.text, v.bytes = text, slices.Clone(v.inMemory())
	return err
}

func (value keptValue) variable() (at place, i int, err error) {
	placeText, number, _ := strings.Cut(value.name, ".")
	n, err := strconv.ParseUint(placeText, 0, 64)
	if err != nil {
		return nowhere, 0, errNoValue
	}
	i, err = strconv.Atoi(number)
	if err != nil || i < 0 {
		return nowhere, 0, errNoValue
	}
	return place(n), i, nil
}

// appendChanges appends {NAME: TEXT} for each value that differs from before.
func appendChanges(b []byte, before, values []keptValue) []byte {
	for _, value := range values {
		if !slices.Contains(before, value) {
			b = fmt.Appendf(b, "{%s: %s}", value.name, value.text)
		}
	}
	return b
}

// parseChanges undoes appendChanges: it returns the values, and what follows their text.
func parseChanges(before []keptValue, text string) (values []keptValue, others string, err error) {
	values = slices.Clone(before)
	for strings.HasPrefix(text, "{") {
		name, rest, _ := strings.Cut(text[1:], ": ")
		valueText, rest := firstValue(rest)
		rest, closed := strings.CutPrefix(rest, "}")
		value := keptValue{name, valueText}
		_, _, err := value.variable()
		if !closed || err != nil {
			return nil, "", errNoValue
		}
		i := slices.IndexFunc(values, func(v keptValue) bool { return v.name == name })
		if i < 0 {
			values = append(values, value)
		} else {
			values[i] = value
		}
		text = rest
	}
	return values, text, nil
}
