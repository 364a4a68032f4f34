//go:build linux && (amd64 || arm64)

package unp

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The system calls beneath the wrappers: in C, the functions with a small letter.
// Each is the kernel's, with two rules that are kept here and nowhere else. Before and
// after the call, main waits for the handlers of the signals that have come
// (sigaction.go). A child that retraces main does not make the call (fork.go): socket,
// accept, fork and wait return what they returned in the parent, and the others
// succeed without doing anything.

// call makes a system call that a child skips while it retraces main.
func call(do func() error) error {
	waitHandlers()
	defer waitHandlers()
	if retracing.Load() {
		skip()
		return nil
	}
	skipped.Add(1)
	return do()
}

// result turns what a raw system call returns into what C returns, and errno.
func result(r1, _ uintptr, errno unix.Errno) (int, error) {
	if errno != 0 {
		return -1, errno
	}
	return int(r1), nil
}

// SysSocket is the system call socket. It returns -1 and the error if it fails. A flag
// SOCK_CLOEXEC is left out, since a child would lose the socket: its fork is an exec.
func SysSocket(family, typ, protocol int) (int, error) {
	s := step{outcome: outcome{Open: true}}
	return s.take(func() (int, error) { return unix.Socket(family, typ&^unix.SOCK_CLOEXEC, protocol) })
}

// SysBind is the system call bind. It returns the error.
func SysBind(fd int, sa *SockaddrIn, salen Socklen) error {
	return withAddress(unix.SYS_BIND, fd, sa, salen)
}

// SysConnect is the system call connect. It returns the error.
func SysConnect(fd int, sa *SockaddrIn, salen Socklen) error {
	return withAddress(unix.SYS_CONNECT, fd, sa, salen)
}

func withAddress(trap uintptr, fd int, sa *SockaddrIn, salen Socklen) error {
	salen = min(salen, SizeofSockaddrIn) // the kernel must not read beyond sa
	return call(func() error {
		_, err := result(unix.Syscall(trap, uintptr(fd), uintptr(unsafe.Pointer(sa)), uintptr(salen)))
		return err
	})
}

// SysListen is the system call listen. It returns the error.
func SysListen(fd, backlog int) error {
	return call(func() error { return unix.Listen(fd, backlog) })
}

// SysAccept is the system call accept. It returns -1 and the error if it fails, such as
// EINTR when a signal handler has interrupted it (section 5.9).
func SysAccept(fd int, sa *SockaddrIn, salen *Socklen) (int, error) {
	if sa == nil || salen == nil {
		sa, salen = new(SockaddrIn), new(Socklen)
	}
	*salen = min(*salen, SizeofSockaddrIn) // the kernel must not write beyond sa
	s := step{outcome: outcome{Open: true, Accept: true}}
	return s.take(func() (int, error) {
		return result(unix.Syscall(unix.SYS_ACCEPT, uintptr(fd), uintptr(unsafe.Pointer(sa)), uintptr(unsafe.Pointer(salen))))
	}, sa, salen)
}

func setsockoptLinger(fd, level, optname int, optval *unix.Linger) error {
	return call(func() error { return unix.SetsockoptLinger(fd, level, optname, optval) })
}

// SysRead is the system call read. It returns the number of bytes, 0 at the end of input,
// or -1 and the error. A child that comes to it on its way to Fork prints a message and
// exits, because the parent has what was read.
func SysRead(fd int, buf []byte) (int, error) {
	if retracing.Load() {
		ErrQuit("fork error: main reads again at line %d, as its parent did: read inside unp.Once, or after Fork", here().Line)
	}
	return read(fd, buf)
}

func read(fd int, buf []byte) (n int, err error) {
	err = call(func() error { n, err = unix.Read(fd, buf); return err })
	return n, err
}

// SysWrite is the system call write. It returns the number of bytes, or -1 and the error.
func SysWrite(fd int, buf []byte) (n int, err error) {
	n = len(buf) // for a child that retraces main
	err = call(func() error { n, err = unix.Write(fd, buf); return err })
	return n, err
}

// SysClose is the system call close. It returns the error. If a handler closes a
// descriptor on which main is blocked, main's call fails.
func SysClose(fd int) error {
	return call(func() error {
		forget(fd, ^uintptr(0))
		err := unix.Close(fd)
		if !onMain() {
			wakeMain() // from a call on fd, which main then makes again, in vain
		}
		return err
	})
}

// SysWait is the system call wait: it waits for a child to end, stores its status in
// *stat, and returns its process id, or -1 and the error.
func SysWait(stat *unix.WaitStatus) (int, error) { return SysWaitpid(-1, stat, 0) }

// SysWaitpid is the system call waitpid. It returns the process id of a child that has
// ended, 0 if there is none yet and options has WNOHANG, or -1 and the error.
func SysWaitpid(pid int, stat *unix.WaitStatus, options int) (int, error) {
	if stat == nil {
		stat = new(unix.WaitStatus)
	}
	var s step
	return s.take(func() (int, error) { return unix.Wait4(pid, stat, options, nil) }, stat)
}

// Sleep waits for the given number of seconds, or until a signal handler has returned.
// It returns the number of whole seconds left, or 0 (Figure 5.14).
func Sleep(seconds uint) (left uint) {
	call(func() error {
		before, rest := seen, unix.Timespec{Sec: int64(min(seconds, 1<<32-1))} // an unsigned int, as in C
		for unix.ClockNanosleep(unix.CLOCK_REALTIME, 0, &rest, &rest) == unix.EINTR {
			if waitHandlers(); seen != before {
				left = uint(rest.Sec)
				break
			}
		}
		return nil
	})
	return left
}

// Pause waits until a signal handler has returned. If one has done so since main's last
// call to this package, Pause returns at once, so a loop that waits for what a handler
// sets comes to its end.
func Pause() {
	before := seen
	call(func() error {
		for seen == before {
			unix.Pause()
			waitHandlers()
		}
		return nil
	})
}

// Alarm has the kernel send SIGALRM to this process after the given number of seconds;
// 0 cancels that. It returns the number of seconds that were left of the alarm before.
func Alarm(seconds uint) uint {
	var old unix.Itimerval
	call(func() (err error) {
		old, err = unix.Setitimer(unix.ITIMER_REAL, unix.Itimerval{Value: unix.Timeval{Sec: int64(min(seconds, 1<<31-1))}})
		return err
	})
	if old.Value.Usec > 0 {
		old.Value.Sec++ // rounded up: 0 is no alarm
	}
	return uint(old.Value.Sec)
}
