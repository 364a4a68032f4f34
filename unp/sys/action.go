//go:build linux && (amd64 || arm64)

package sys

import (
	"runtime"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// closures are the handlers that main has set and that have variables of their own, in the order
// in which main has last set them. Each is named after the place where main has set it, and the
// signal. A handler that main has set at several places has several names.
var closures []closure

type closure struct {
	name    string
	handler func(unix.Signal)
}

// unnamed is in the place of the names of a handler that main has not set.
const unnamed = "unnamed"

// rememberClosure remembers a handler that Sigaction was given at a place.
func rememberClosure(at place, signo unix.Signal, handler func(unix.Signal)) {
	if at == nowhere || handler == nil {
		return
	}
	_, isClosure := addressOf(handler)
	if isClosure {
		name := strconv.FormatUint(uint64(at)^uint64(signo), 16)
		closures = slices.DeleteFunc(closures, func(c closure) bool { return c.name == name })
		closures = append(closures, closure{name, handler})
	}
}

// closureNames returns the names of a handler, separated by commas, the last one first.
func closureNames(handler func(unix.Signal)) string {
	address, _ := addressOf(handler)
	var names []string
	for _, c := range slices.Backward(closures) {
		other, _ := addressOf(c.handler)
		if other == address {
			names = append(names, c.name)
		}
	}
	if names == nil {
		return unnamed
	}
	return strings.Join(names, ",")
}

// closureNamed returns the handler that has the first of these names that this process knows, or
// nil. A child does not know the names of rounds that are forgotten.
func closureNamed(names string) func(unix.Signal) {
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(closures, func(c closure) bool { return c.name == name })
		if i >= 0 {
			return closures[i].handler
		}
	}
	return nil
}

// addressOf returns the address of a function, from anchor: in the program, or, if the function
// is a closure, on the heap.
func addressOf(f func(unix.Signal)) (address uint64, isClosure bool) {
	pointer := *(*uintptr)(unsafe.Pointer(&f))
	return uint64(pointer - anchor), !inProgram(pointer)
}

// functionAt returns the function at an address in the program, see addressOf, or nil if there
// is none.
func functionAt(address uint64) (f func(unix.Signal)) {
	pointer := uintptr(address) + anchor
	if !inProgram(pointer) || !inProgram(pointer+unsafe.Sizeof(pointer)-1) {
		return nil
	}
	code := **(**uintptr)(unsafe.Pointer(&pointer))
	function := runtime.FuncForPC(code)
	if function == nil || function.Entry() != code {
		return nil
	}
	return *(*func(unix.Signal))(unsafe.Pointer(&pointer))
}

// actionFrom returns what a Sigaction_t says about a signal.
func actionFrom(signo unix.Signal, act *Sigaction_t) action {
	a := action{signo: signo, mask: act.Mask.Val[0], flags: uint64(act.Flags)}
	switch {
	case act.Handler == nil:
		a.handler = kernelDFL
	case act.ignores():
		a.handler = kernelIGN
	default:
		address, isClosure := addressOf(act.Handler)
		if isClosure {
			a.closures = closureNames(act.Handler)
		} else {
			a.handler = address
		}
	}
	return a
}

// actionOf returns what this process does about a signal.
func actionOf(signo unix.Signal) action {
	return actionFrom(signo, &signals.catchers[signo].act)
}

// actionAtStart returns what the first process, which no Fork made, did about a signal at first.
func actionAtStart(signo unix.Signal) action {
	a := action{signo: signo}
	if inherited.ignored&bit(signo) != 0 {
		a.handler = kernelIGN
	}
	return a
}

// actions returns what this process does about signals, unless that is the default.
func actions() (list []action) {
	signals.Lock()
	defer signals.Unlock()
	for signo := range signalsIn(signals.installed) {
		a := actionOf(signo)
		if a != (action{signo: signo}) {
			list = append(list, a)
		}
	}
	return list
}

// takeActions has this process do about signals what its parent does. Nothing is caught yet, so
// Fatal need not wait for handlers.
func takeActions(list []action) {
	signals.Lock()
	defer signals.Unlock()
	var parents [1 + 64]action
	set := signals.installed
	for _, a := range list {
		parents[a.signo] = a
		set |= bit(a.signo)
	}
	for signo := range signalsIn(set) {
		a := parents[signo]
		a.signo = signo
		if a == actionOf(signo) {
			continue
		}
		if a.closures != "" && closureNamed(a.closures) == nil {
			a.fatalMissing()
		}
		c := &signals.catchers[signo]
		c.act = a.sigaction()
		c.install(signo)
	}
}

// previous returns the Sigaction_t that Sigaction has stored in *oact. If the child does not have
// the handler, that matters only when it is to be called.
func (a action) previous() Sigaction_t {
	act := a.sigaction()
	if a.closures != "" && act.Handler == nil {
		act.Handler = func(unix.Signal) { a.fatalMissing() }
	}
	return act
}

// fatalMissing ends a child that does not have its parent's handler.
func (a action) fatalMissing() {
	Fatal("fork error: the child has not reached the call to Sigaction that set its parent's handler for signal %d", a.signo)
}

// sigaction returns the Sigaction_t of which an action was made, with the handler nil if that is a
// closure that the child does not have.
func (a action) sigaction() Sigaction_t {
	act := Sigaction_t{Flags: int(a.flags)}
	act.Mask.Val[0] = a.mask
	switch {
	case a.closures != "":
		act.Handler = closureNamed(a.closures)
	case a.handler == kernelDFL:
		act.Handler = SIG_DFL
	case a.handler == kernelIGN:
		act.Handler = SIG_IGN
	default:
		act.Handler = functionAt(a.handler)
		if act.Handler == nil { // nobody but Fork may have written its address
			Fatal("fork error: the program has no handler for signal %d where its parent says", a.signo)
		}
	}
	return act
}
