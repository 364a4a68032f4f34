//go:build linux && (amd64 || arm64)

package unp

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Fork makes a child process: it returns 0 in the child and the child's process
// id in the parent (section 4.7). The child is this program executed again, from
// the top of main (resume.go says why): before Fork only unp's calls for sockets
// and signals belong, with every descriptor still open, for all else runs twice.
func Fork() int {
	if resuming.Load() {
		resume(true)
		return 0
	}
	sigMu.Lock()
	catchers[unix.SIGCHLD].start(unix.SIGCHLD)
	sigMu.Unlock()
	pid, err := syscall.ForkExec("/proc/self/exe", os.Args, &syscall.ProcAttr{Env: resumeEnv(), Files: []uintptr{0, 1, 2}})
	if err != nil {
		ErrSys(err, "fork error")
	}
	return pid
}

// Close closes the descriptor (section 4.9).
func Close(fd int) {
	if resuming.Load() {
		return
	}
	closed(fd)
	if err := unix.Close(fd); err != nil {
		ErrSys(err, "close error")
	}
}

// Sleep waits for so many seconds, or until a signal handler has returned; it
// returns the seconds that were left then, else 0, as sleep(3) does (Figure 5.14).
func Sleep(seconds uint) uint {
	var left unix.Timespec
	awaitHandlers(unix.ClockNanosleep(unix.CLOCK_REALTIME, 0, &unix.Timespec{Sec: int64(seconds)}, &left))
	return uint(left.Sec)
}
