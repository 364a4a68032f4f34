//go:build linux && (amd64 || arm64)

package unp

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Fork makes a child process: it returns 0 in the child and the child's process
// id in the parent (section 4.7). The child is this program executed again,
// since Go's threads cannot be duplicated: it runs main from the top, and up to
// Fork the functions of unp hand back what the parent has. So keep what stands
// there to Socket, Bind, Listen, Accept, Connect, Close and Signal, with every
// descriptor still open at Fork; anything else happens again in the child.
func Fork() int {
	if resuming.Load() {
		resume(true)
		return 0
	}
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
// returns the seconds that were left then, else 0, as sleep(3) does.
func Sleep(seconds uint) uint {
	var left unix.Timespec
	awaitHandlers(unix.ClockNanosleep(unix.CLOCK_REALTIME, 0, &unix.Timespec{Sec: int64(seconds)}, &left))
	return uint(left.Sec)
}
