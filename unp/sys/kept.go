//go:build linux && (amd64 || arm64)

package sys

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// kept are the variables that Keep was given, by the call to Keep.
var kept struct {
	places []place
	vars   map[place][]any
}

// A keptValue is the value of a kept variable, as text. The name of the variable is the place
// of the call to Keep and a number.
type keptValue struct{ name, text string }

// keep keeps variables from now on, instead of those of an earlier call from the same place.
func keep(at place, vars []any) {
	if kept.vars == nil {
		kept.vars = map[place][]any{}
	}
	if !slices.Contains(kept.places, at) {
		kept.places = append(kept.places, at)
	}
	kept.vars[at] = vars
}

// keptValues returns the values of all kept variables. Those that have not changed since
// before share its text.
func keptValues(before []keptValue) ([]keptValue, error) {
	var values []keptValue
	for _, at := range kept.places {
		for i, v := range kept.vars[at] {
			text, err := valueText(v)
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

// setKept gives the kept variables these values. Those that main has not given to Keep are
// passed over.
func setKept(values []keptValue) error {
	for _, value := range values {
		at, i, err := value.variable()
		if err != nil {
			return err
		}
		vars := kept.vars[at]
		if i < len(vars) {
			err = setValue(value.text, vars[i])
			if err != nil {
				return err
			}
		}
	}
	return nil
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

// appendChanges appends {NAME: TEXT} for each value that is not the same before.
func appendChanges(b []byte, before, values []keptValue) []byte {
	for _, value := range values {
		if !slices.Contains(before, value) {
			b = fmt.Appendf(b, "{%s: %s}", value.name, value.text)
		}
	}
	return b
}

// changes undoes appendChanges: it returns the values, and what follows their text.
func changes(before []keptValue, text string) (values []keptValue, others string, err error) {
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
