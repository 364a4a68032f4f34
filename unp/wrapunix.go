//go:build linux && (amd64 || arm64)

package unp

import "golang.org/x/sys/unix"

// Fork makes a child process (section 4.7). It returns 0 in the child and the child's
// process id in the parent.
func Fork() int {
	pid, err := SysFork()
	if err != nil {
		ErrSys(err, "fork error")
	}
	return pid
}

// Close closes the descriptor (section 4.9).
func Close(fd int) {
	if err := SysClose(fd); err != nil {
		ErrSys(err, "close error")
	}
}

// Sigprocmask blocks or unblocks signals for the process: how is unix.SIG_BLOCK,
// unix.SIG_UNBLOCK or unix.SIG_SETMASK. The set before goes to *oldset. A signal that is
// blocked stays pending, once; if it is unblocked, its handler returns before Sigprocmask does.
func Sigprocmask(how int, set, oldset *unix.Sigset_t) {
	if err := sigprocmask(how, set, oldset); err != nil {
		ErrSys(err, "sigprocmask error")
	}
}
