//go:build linux && (amd64 || arm64)

package unp

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// Fork makes a child process: it returns 0 in the child and the child's process id
// in the parent (section 4.7). The child is this program executed again, which
// finds its place in main (resume.go says how). It repeats what main does before
// Fork, except through unp: it opens a file again, and closes with unix.Close.
func Fork() int {
	if await(false); len(ahead) > 0 {
		return int(resume().N)
	}
	at := here()
	// A signal that is sent to the child waits until its main is here.
	unix.PthreadSigmask(unix.SIG_SETMASK, &unix.Sigset_t{Val: [16]uint64{^uint64(0)}}, &parent.Mask)
	pid, err := syscall.ForkExec("/proc/self/exe", args, &syscall.ProcAttr{Env: childEnv(at), Files: files})
	unix.PthreadSigmask(unix.SIG_SETMASK, &parent.Mask, nil)
	if err == unix.E2BIG {
		ErrQuit("fork error: the %d calls of Socket, Accept and Fork that lead here do not fit into the child's environment", len(path))
	} else if err != nil {
		ErrSys(err, "fork error")
	}
	made(step{At: at, N: int32(pid)})
	return pid
}

// Close closes the descriptor (section 4.9). If a handler closes one on which main
// waits, main's call fails.
func Close(fd int) {
	if await(false); len(ahead) > 0 {
		return
	}
	closed(fd, ^uintptr(0))
	if err := unix.Close(fd); err != nil {
		ErrSys(err, "close error")
	}
	if len(arrived) > 0 { // a handler closes fd, and main, which may be in a call on it, calls again
		unix.Tgkill(unix.Getpid(), unix.Getpid(), unix.SIGURG)
	}
}

// Sleep waits the given number of seconds, or until a signal handler has returned.
// It returns the whole seconds left, or 0 (Figure 5.14).
func Sleep(seconds uint) uint {
	left := unix.Timespec{Sec: int64(min(seconds, 1<<32-1))}
	for await(true); len(ahead) == 0 && unix.ClockNanosleep(unix.CLOCK_REALTIME, 0, &left, &left) == unix.EINTR; {
		if await(true) {
			return uint(left.Sec)
		}
	}
	return 0
}
