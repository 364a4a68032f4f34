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

// keep keeps variables from now on. A call from the same place takes the place of the one
// before.
func keep(at place, vars []any) {
	if kept.vars == nil {
		kept.vars = map[place][]any{}
	}
	if !slices.Contains(kept.places, at) {
		kept.places = append(kept.places, at)
	}
	kept.vars[at] = vars
}

// keptText returns the values of all kept variables: for each call to Keep {PLACE: VALUES}.
func keptText() (string, error) {
	var b strings.Builder
	for _, at := range kept.places {
		values, err := valuesText(kept.vars[at]...)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "{%016x: %s}", uint64(at), values)
	}
	return b.String(), nil
}

// setKept gives the kept variables the values that keptText has returned. Values for a call
// to Keep that main has not made are passed over.
func setKept(text string) error {
	for text != "" {
		head, values, found := strings.Cut(text, ": ")
		number, isHead := strings.CutPrefix(head, "{")
		at, err := strconv.ParseUint(number, 16, 64)
		if !found || !isHead || err != nil {
			return errNoValue
		}
		end := endOfValues(values)
		if !strings.HasPrefix(values[end:], "}") {
			return errNoValue
		}
		vars, made := kept.vars[place(at)]
		if made {
			if err := setValues(values[:end], vars...); err != nil {
				return err
			}
		}
		text = values[end+1:]
	}
	return nil
}

// endOfValues returns how long a list of values is, in bytes, at the beginning of text.
func endOfValues(text string) int {
	rest := text
	for {
		_, rest = firstValue(rest)
		next, more := strings.CutPrefix(rest, " ")
		if !more {
			return len(text) - len(rest)
		}
		rest = next
	}
}
