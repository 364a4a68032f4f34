//go:build linux && (amd64 || arm64)

package sys

import "reflect"

// Once calls f and returns its result. A child on its way to Fork gets the same result and
// does not call f. Once is for what main does before [Fork] without this package, such as
// drawing a random number, writing a file with os.WriteFile, or running a program with
// os/exec. In a handler Once just calls f.
//
// The result may be a number, a boolean, a string, an error that is nil or a unix.Errno, an
// array or struct that holds only numbers and booleans, at any depth, or a slice of numbers,
// booleans and such arrays or structs, of up to 256 KB; a slice loses its spare capacity. With
// anything else Once prints a message and exits. f may call anything in this package except
// Fork, Keep, Sigaction and Chdir, so it may not call unp.Signal either. If f, or a handler or
// goroutine in the meantime, reads with unp.Readline or unp.Fgets, nothing that they have read
// ahead may be left, either before or afterward. The child does not get what f stores in main's
// variables. If f panics, the child's Once panics with the value's text, a string; a deferred
// function that recovers must not call this package.
func Once[T any](f func() T) (v T) {
	once("Once", func() { v = f() }, &v)
	clip(reflect.ValueOf(&v).Elem())
	return v
}

// clip takes a slice's spare capacity away, because in a child it has none.
func clip(v reflect.Value) {
	if v.Kind() == reflect.Slice {
		v.SetCap(v.Len())
	}
}

// OnceFunc is [Once] for a function without a result.
func OnceFunc(f func()) {
	once("OnceFunc", f)
}

func once(name string, do func(), out ...any) {
	outermost := onMain() && !insideOnce()
	briefly(name).replayed(func() (int, error) {
		before := readAhead().bytes
		if outermost {
			path.aheadOfOnce = before
		}
		do()
		if onMain() && readAhead().bytes > before {
			Fatal("fork error: something was read ahead inside %s, and a child would not find the rest; outside it, a child gets what main has read", name)
		}
		return 0, nil
	}, out...)
}

// Keep takes pointers to variables that a child is to find as its parent left them: those that a
// server's loop carries from round to round, such as a counter. Whenever a call that has a line
// on the path returns in the child, the variables get the values that they had at that point in
// the parent. Keep never changes the parent's variables. Each change of a variable puts its
// whole value on the path again, where a byte of the value may take up to four bytes.
//
// Call Keep first in the loop's body: a child then begins its round with the values with which
// its parent began it. Without variables, Keep only marks where a round begins. A later call to
// Keep from the same place replaces the earlier one. A round that has read more than a child can
// be given is forgotten with its calls to Keep, so call Keep with all variables in each round. A
// variable may have any type that a result of [Once] may have. A signal handler may write to it,
// but no goroutine other than main's may. The child gets what a handler has written only when
// the next call with a line returns. Before main uses the variable it must therefore make such a
// call: Sleep(0) or, in a loop that waits for the handler, Pause; or, if the signal may arrive
// at any moment, Sigprocmask, to block it until main has used the variable. In Keep(&i, &a[i]),
// the child's &a[i] is not the parent's, because i is restored only afterward: keep the whole
// array. An argument that is not a pointer, or is nil, ends the program with a message.
func Keep(vars ...any) {
	at := here()
	if at == nowhere || insideOnce() {
		Fatal("fork error: only main can call Keep, not a signal handler, another goroutine, or Once")
	}
	for _, v := range vars {
		p := reflect.ValueOf(v)
		if p.Kind() != reflect.Pointer || p.IsNil() {
			Fatal("fork error: Keep at %s takes pointers to variables, not %#v", at.inner(), v)
		}
	}
	keep(at, vars)
	briefly("Keep").replayed(func() (int, error) { return 0, nil })
}
