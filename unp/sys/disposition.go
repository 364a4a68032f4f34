//go:build linux && (amd64 || arm64)

package sys

import (
	"reflect"

	"golang.org/x/sys/unix"
)

// The flags of a Sigaction_t, see sigaction(2).
const (
	SA_NOCLDSTOP = 0x1        // no SIGCHLD when a child stops
	SA_NOCLDWAIT = 0x2        // children that end leave no zombies
	SA_RESTART   = 0x10000000 // the kernel restarts a system call that the handler interrupts
	SA_RESETHAND = 0x80000000 // the signal is at its default when its handler is called
)

// The dispositions that are not handlers.
var (
	SIG_DFL func(unix.Signal)                                                               // the signal's default action
	SIG_IGN = func(unix.Signal) { panic("SIG_IGN is a disposition, and cannot be called") } // ignore the signal
)

// Sigaction_t is struct sigaction, see sigaction(2): the handler, or SIG_DFL or SIG_IGN; the
// signals that wait while the handler runs, besides the signal that it handles; and the flags,
// which are constants of this package. Other flags of sigaction(2), such as SA_NODEFER, have no
// effect.
type Sigaction_t struct {
	Handler func(unix.Signal)
	Mask    unix.Sigset_t
	Flags   int
}

// ignores tells whether the handler is SIG_IGN.
func (act *Sigaction_t) ignores() bool { // Go compares no functions
	return act.Handler != nil && reflect.ValueOf(act.Handler).Pointer() == reflect.ValueOf(SIG_IGN).Pointer()
}
