//go:build linux && (amd64 || arm64)

package sys

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The values that a child is given, as text: integers and the numbers of errors in decimal, true,
// false, nil, a text of its own for a texter, and everything else quoted.

// maxValue is the maximum size of a value that a child can be given, in bytes.
const maxValue = 256 << 10

// A texter is a value that has a text form of its own, such as an Internet address.
type texter interface {
	valueText() string
	setText(text string) error
}

var errNoValue = errors.New("not the text of such a value")

// valuesText returns the values of the variables to which the pointers point, separated by
// spaces.
func valuesText(pointers ...any) (string, error) {
	texts := make([]string, len(pointers))
	for i, p := range pointers {
		text, err := valueText(p)
		if err != nil {
			return "", err
		}
		texts[i] = text
	}
	return strings.Join(texts, " "), nil
}

// setValues gives variables the values in a text that valuesText has returned.
func setValues(text string, pointers ...any) error {
	for i, p := range pointers {
		if i > 0 {
			rest, found := strings.CutPrefix(text, " ")
			if !found {
				return errNoValue
			}
			text = rest
		}
		first, others := firstValue(text)
		if err := setValue(first, p); err != nil {
			return err
		}
		text = others
	}
	if text != "" {
		return errNoValue
	}
	return nil
}

// firstValue cuts text after its first value.
func firstValue(text string) (first, others string) {
	if quoted, err := strconv.QuotedPrefix(text); err == nil {
		return quoted, text[len(quoted):]
	}
	end := strings.IndexAny(text, " )}")
	if end < 0 {
		end = len(text)
	}
	return text[:end], text[end:]
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

// asTexter returns a variable as a texter, if it is one. A struct that only embeds one is not.
func asTexter(pointer any) (t texter, ok bool) {
	t, ok = pointer.(texter)
	if !ok {
		return nil, false
	}
	own := reflect.TypeOf(pointer).Elem()
	for i := range own.NumField() {
		if own.Field(i).Anonymous {
			return nil, false
		}
	}
	return t, true
}

func valueText(pointer any) (string, error) {
	own, ok := asTexter(pointer)
	if ok {
		return own.valueText(), nil
	}
	v := reflect.ValueOf(pointer).Elem()
	switch t := v.Type(); {
	case v.Kind() == reflect.Bool:
		return strconv.FormatBool(v.Bool()), nil
	case v.CanInt():
		return strconv.FormatInt(v.Int(), 10), nil
	case v.CanUint():
		return strconv.FormatUint(v.Uint(), 10), nil
	case v.Kind() == reflect.String:
		return quote(v.String())
	case t == reflect.TypeFor[error]():
		return errorText(v)
	case flatSlice(t):
		if v.IsNil() {
			return "nil", nil
		}
		return quote(string(memory(v)))
	case flat(t):
		return quote(string(memory(v)))
	}
	return "", fmt.Errorf("a child cannot be given a value of type %T (sys.Once lists the types)", v.Interface())
}

func quote(s string) (string, error) {
	if len(s) > maxValue {
		return "", fmt.Errorf("a child can be given a value of at most %d bytes, not %d", maxValue, len(s))
	}
	return strconv.QuoteToASCII(s), nil
}

func errorText(v reflect.Value) (string, error) {
	if v.IsNil() {
		return "nil", nil
	}
	errno, ok := v.Interface().(unix.Errno)
	if !ok {
		return "", fmt.Errorf("a child cannot be given a value of type %T (sys.Once lists the types)", v.Interface())
	}
	return strconv.FormatUint(uint64(errno), 10), nil
}

func setValue(text string, pointer any) error {
	own, ok := asTexter(pointer)
	if ok {
		return own.setText(text)
	}
	v := reflect.ValueOf(pointer).Elem()
	t := v.Type()
	switch {
	case v.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(text)
		v.SetBool(b)
		return err
	case v.CanInt():
		n, err := strconv.ParseInt(text, 10, t.Bits())
		v.SetInt(n)
		return err
	case v.CanUint():
		n, err := strconv.ParseUint(text, 10, t.Bits())
		v.SetUint(n)
		return err
	case text == "nil" && (v.Kind() == reflect.Slice || t == reflect.TypeFor[error]()):
		v.SetZero()
		return nil
	case t == reflect.TypeFor[error]():
		n, err := strconv.ParseUint(text, 10, 32)
		v.Set(reflect.ValueOf(unix.Errno(n)))
		return err
	}
	unquoted, err := strconv.Unquote(text)
	if err != nil {
		return err
	}
	return setMemory(v, unquoted)
}

// setMemory gives a string, a slice or a flat variable the bytes of its value. A slice that has
// them already stays where it is, and any other gets memory of its own: what else was in its
// memory may have been elsewhere in the parent.
func setMemory(v reflect.Value, bytes string) error {
	t := v.Type()
	switch {
	case v.Kind() == reflect.String:
		v.SetString(bytes)
	case flatSlice(t):
		if !v.IsNil() && string(memory(v)) == bytes {
			return nil
		}
		n := len(bytes) / int(t.Elem().Size())
		v.Set(reflect.MakeSlice(t, n, max(n, v.Cap())))
		if copy(memory(v), bytes) != len(bytes) {
			return errNoValue
		}
	case flat(t) && len(bytes) == int(t.Size()):
		copy(memory(v), bytes)
	default:
		return errNoValue
	}
	return nil
}

// memory returns the bytes of a flat variable, or those of a slice of flat elements.
func memory(v reflect.Value) []byte {
	if v.Kind() == reflect.Slice {
		return unsafe.Slice((*byte)(v.UnsafePointer()), v.Len()*int(v.Type().Elem().Size()))
	}
	return unsafe.Slice((*byte)(v.Addr().UnsafePointer()), v.Type().Size())
}

// flatSlice tells whether a type is that of slices whose elements are flat.
func flatSlice(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && flat(t.Elem()) && t.Elem().Size() > 0
}

// flat tells whether a variable of a type holds its whole value in its own memory, without
// pointers.
func flat(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return flat(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if !flat(t.Field(i).Type) {
				return false
			}
		}
		return true
	}
	return reflect.Bool <= t.Kind() && t.Kind() <= reflect.Complex128
}
