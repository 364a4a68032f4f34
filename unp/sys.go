//go:build linux && (amd64 || arm64)

package unp

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The system calls beneath the wrappers: in C, the functions with a small letter.
// Each is the kernel's, with two rules. Before and after the call, main waits for the
// handlers of the signals that have come (sigaction.go). A child that retraces main does
// not make the call (fork.go). Those that are steps return what they returned in the
// parent, SysRead ends the child, and the others succeed without doing anything.

// call makes a system call that a child skips while it retraces main.
func call(do func() error) error {
	if retracing.Load() {
		return nil
	} else if caught.Load() != 0 && onMain() { // a handler, on its own thread, does not wait
		waitHandlers()
		defer waitHandlers()
		defer taking.Store(taking.Swap(slow))
	}
	return do()
}

// raw makes a system call that takes an address, and returns -1 and errno if it fails.
func raw(trap uintptr, fd int, sa *SockaddrIn, salen uintptr) (int, error) {
	n, _, errno := unix.Syscall(trap, uintptr(fd), uintptr(unsafe.Pointer(sa)), salen)
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}

// SysSocket is the system call socket. It returns -1 and the error if it fails. It leaves
// out the flag SOCK_CLOEXEC, because the child is created by exec and would lose the
// socket.
func SysSocket(family, typ, protocol int) (int, error) {
	return new(step).take(socket, func() (int, error) { return unix.Socket(family, typ&^unix.SOCK_CLOEXEC, protocol) })
}

// SysBind is the system call bind. It returns the error.
func SysBind(fd int, sa *SockaddrIn, salen Socklen) error {
	_, err := new(step).take(plain, func() (int, error) { return raw(unix.SYS_BIND, fd, sa, room(salen)) })
	return err
}

// SysConnect is the system call connect. It returns the error.
func SysConnect(fd int, sa *SockaddrIn, salen Socklen) error {
	_, err := new(step).take(slow, func() (int, error) { return raw(unix.SYS_CONNECT, fd, sa, room(salen)) })
	return err
}

// room keeps the kernel from reading or writing beyond a SockaddrIn.
func room(salen Socklen) uintptr { return uintptr(min(salen, SizeofSockaddrIn)) }

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
	*salen = Socklen(room(*salen))
	return new(step).take(accept, func() (int, error) {
		return raw(unix.SYS_ACCEPT, fd, sa, uintptr(unsafe.Pointer(salen)))
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
		if !onMain() {
			defer wakeMain(_SA_RESTART) // from a call on fd, which main then makes again, in vain
		}
		return unix.Close(fd)
	})
}

// SysWait is the system call wait: it waits for a child to end, stores its status in
// *stat, and returns its process id, or -1 and the error.
func SysWait(stat *unix.WaitStatus) (int, error) { return SysWaitpid(-1, stat, 0) }

// SysWaitpid is the system call waitpid. It returns the process id of a child that has
// ended, 0 if there is none yet and options has WNOHANG, or -1 and the error.
func SysWaitpid(pid int, stat *unix.WaitStatus, options int) (int, error) {
	var status unix.WaitStatus
	n, err := new(step).take(slow, func() (int, error) { return unix.Wait4(pid, &status, options, nil) }, &status)
	if stat != nil && n > 0 {
		*stat = status
	}
	return n, err
}

// Sleep waits for the given number of seconds, or until a signal handler has returned.
// It returns the number of whole seconds left, or 0 (Figure 5.14).
func Sleep(seconds uint) uint {
	left, _ := new(step).take(sleep, func() (int, error) {
		before, rest := returned.Load(), unix.Timespec{Sec: int64(min(seconds, 1<<32-1))} // an unsigned int, as in C
		for unix.ClockNanosleep(unix.CLOCK_REALTIME, 0, &rest, &rest) == unix.EINTR {
			if !onMain() {
				continue
			} else if waitHandlers(); returned.Load() != before {
				return int(rest.Sec), nil
			}
		}
		return 0, nil
	})
	return uint(left)
}

// Pause waits until a signal handler has returned. If one has done so since main's last
// call to this package, Pause returns at once, so a loop that waits for what a handler
// sets comes to its end. Only main can call Pause, which strace shows as rt_sigsuspend.
func Pause() { suspend(blocked.Load(), seen.Load()) }

// Alarm has the kernel send SIGALRM to this process after the given number of seconds;
// 0 cancels that. It returns the number of seconds that were left on the previous
// alarm.
func Alarm(seconds uint) uint {
	left, _ := new(step).take(plain, func() (int, error) {
		old, err := unix.Setitimer(unix.ITIMER_REAL, unix.Itimerval{Value: unix.Timeval{Sec: int64(min(seconds, 1<<31-1))}})
		if old.Value.Usec >= 500_000 || old.Value.Sec == 0 && old.Value.Usec > 0 {
			old.Value.Sec++ // rounded as the kernel does, since 0 is no alarm
		}
		return int(old.Value.Sec), err
	})
	return uint(left)
}
