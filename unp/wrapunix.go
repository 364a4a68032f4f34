//go:build linux && (amd64 || arm64)

package unp

import "golang.org/x/sys/unix"

// Close closes the descriptor (section 4.9). If a handler closes a descriptor on which
// main is blocked, main's call fails. On error Close prints "close error" and exits.
func Close(fd int) {
	if err := SysClose(fd); err != nil {
		ErrSys(err, "close error")
	}
}

// Fork makes a child process (section 4.7). It returns 0 in the child and the child's
// process id in the parent. Only main can call it, and not inside [Once].
//
// The child is this program executed again. It repeats what main did before Fork: it opens
// files again, prints with println again, and so on. Of the system calls of this package it
// repeats only those of Signal and SignalIntr (see the package comment). What must happen
// once goes into Once, and a variable that the child must find as its parent left it, such
// as a counter, goes to [Keep].
//
// Fork costs about as much as executing a Go program. It needs /proc and two free
// descriptors (three if the path is long). On error it prints "fork error" and the error's
// text on standard error, and exits. If main reaches a different place in the child, the
// child prints "fork error" and both line numbers, and exits.
func Fork() int {
	pid, err := SysFork()
	if err != nil {
		ErrSys(err, "fork error")
	}
	return pid
}

// Sigprocmask blocks or unblocks signals for the process (in a handler, for its thread
// only): how is unix.SIG_BLOCK, unix.SIG_UNBLOCK or unix.SIG_SETMASK. The previous set is
// stored in *oldset. A blocked signal stays pending, and its handler is called once when it
// is unblocked, however often it came. On error Sigprocmask prints a message and exits.
func Sigprocmask(how int, set, oldset *unix.Sigset_t) {
	if err := sigprocmask(how, set, oldset); err != nil {
		ErrSys(err, "sigprocmask error")
	}
}
