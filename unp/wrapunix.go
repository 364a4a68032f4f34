package unp

import (
	"golang.org/x/sys/unix"
	"tcpcliserv/unp/sys"
)

// Close closes the descriptor (section 4.9). On error it prints "close error" and the error's
// text, and exits.
func Close(fd int) {
	if err := sys.Close(fd); err != nil {
		ErrSys(err, "close error")
	}
}

// Fork makes a child process (section 4.7). It returns 0 in the child, and the child's process
// ID in the parent. On error it prints "fork error" and the error's text, and exits. Go has no
// fork; package sys explains what a child is here.
func Fork() int {
	pid, err := sys.Fork()
	if err != nil {
		ErrSys(err, "fork error")
	}
	return pid
}

// Sigprocmask blocks or unblocks signals (section 5.8). The argument how is unix.SIG_BLOCK,
// unix.SIG_UNBLOCK or unix.SIG_SETMASK. It stores the previous set in *oset, unless oset is
// nil. On error it prints "sigprocmask error" and the error's text, and exits.
func Sigprocmask(how int, set, oset *unix.Sigset_t) {
	if err := sys.Sigprocmask(how, set, oset); err != nil {
		ErrSys(err, "sigprocmask error")
	}
}
