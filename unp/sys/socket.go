//go:build linux && (amd64 || arm64)

package sys

import (
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// <sys/socket.h>

// Each function describes its system call (briefly, slowly or asleep, by what can interrupt it)
// and makes it: replayed, if main needs the result, or skipped, if success is all that main
// needs to know. Bind and Connect are replayed so that the path shows the addresses. See call.go.

// Socket is the system call socket, see socket(2). It returns the descriptor, or -1 and the
// error. It drops the flag SOCK_CLOEXEC: Fork starts its child by exec, and the child would
// lose the socket.
func Socket(domain, typ, protocol int) (int, error) {
	c := briefly("socket", family(domain), socketType(typ), protocol)
	return c.replayed(func() (int, error) {
		return c.opened(unix.Socket(domain, typ&^unix.SOCK_CLOEXEC, protocol))
	})
}

// Socketpair is the system call socketpair, see socketpair(2). It returns two descriptors, or
// the error. Like Socket, it drops the flag SOCK_CLOEXEC.
func Socketpair(domain, typ, protocol int) (fd [2]int, err error) {
	c := briefly("socketpair", family(domain), socketType(typ), protocol)
	_, err = c.replayed(func() (int, error) {
		pair, err := unix.Socketpair(domain, typ&^unix.SOCK_CLOEXEC, protocol)
		fd = pair
		c.opened(pair[0], err)
		c.opened(pair[1], err)
		return 0, err
	}, &fd)
	return fd, err
}

// Bind is the system call bind, see bind(2). It returns the error.
func Bind(fd int, sa SA, salen Socklen) error {
	_, err := briefly("bind", fd, shown(sa)).replayed(func() (int, error) {
		p, n := raw(sa, salen)
		return result(unix.Syscall(unix.SYS_BIND, uintptr(fd), uintptr(p), uintptr(n)))
	})
	return err
}

// Connect is the system call connect, see connect(2). It returns the error.
func Connect(fd int, sa SA, salen Socklen) error {
	_, err := slowly("connect", fd, shown(sa)).on(fd).replayed(func() (int, error) {
		p, n := raw(sa, salen)
		return result(unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(p), uintptr(n)))
	})
	return err
}

// Listen is the system call listen, see listen(2). It returns the error.
func Listen(fd, backlog int) error {
	return briefly("listen", fd, backlog).skippedErr(func() error { return unix.Listen(fd, backlog) })
}

// Accept is the system call accept, see accept(2). It returns the descriptor of the
// connection, or -1 and the error, such as EINTR when a signal handler has interrupted it
// (section 5.9). sa and salen may be nil.
func Accept(fd int, sa SA, salen *Socklen) (int, error) {
	c := slowly("accept", fd).on(fd)
	c.accepts = true
	return c.storingAddress(sa, salen, func(p unsafe.Pointer, n *Socklen) (int, error) {
		// not unix.Accept, which strace would show as accept4
		return c.opened(result(unix.Syscall(unix.SYS_ACCEPT, uintptr(fd), uintptr(p), uintptr(unsafe.Pointer(n)))))
	})
}

// Getsockname is the system call getsockname, see getsockname(2). It returns the error.
func Getsockname(fd int, sa SA, salen *Socklen) error {
	_, err := briefly("getsockname", fd).storingAddress(sa, salen, func(p unsafe.Pointer, n *Socklen) (int, error) {
		return result(unix.Syscall(unix.SYS_GETSOCKNAME, uintptr(fd), uintptr(p), uintptr(unsafe.Pointer(n))))
	})
	return err
}

// Getpeername is the system call getpeername, see getpeername(2). It returns the error.
func Getpeername(fd int, sa SA, salen *Socklen) error {
	_, err := briefly("getpeername", fd).storingAddress(sa, salen, func(p unsafe.Pointer, n *Socklen) (int, error) {
		return result(unix.Syscall(unix.SYS_GETPEERNAME, uintptr(fd), uintptr(p), uintptr(unsafe.Pointer(n))))
	})
	return err
}

// GetsockoptInt is the system call getsockopt for an option that is an int, see getsockopt(2).
// It returns the option's value and the error.
func GetsockoptInt(fd, level, opt int) (int, error) {
	return briefly("getsockopt", fd, level, opt).replayed(func() (int, error) {
		return unix.GetsockoptInt(fd, level, opt)
	})
}

// SetsockoptInt is the system call setsockopt for an option that is an int, see
// setsockopt(2). It returns the error.
func SetsockoptInt(fd, level, opt, value int) error {
	return briefly("setsockopt", fd, level, opt, value).skippedErr(func() error {
		return unix.SetsockoptInt(fd, level, opt, value)
	})
}

// SetsockoptLinger is the system call setsockopt for SO_LINGER, see socket(7); the time is
// in seconds. It returns the error.
func SetsockoptLinger(fd, level, opt int, l *unix.Linger) error {
	return briefly("setsockopt", fd, level, opt).skippedErr(func() error {
		return unix.SetsockoptLinger(fd, level, opt, l)
	})
}

// SetsockoptTimeval is the system call setsockopt for an option that is a time, such as
// SO_RCVTIMEO, see socket(7). It returns the error.
func SetsockoptTimeval(fd, level, opt int, tv *unix.Timeval) error {
	return briefly("setsockopt", fd, level, opt).skippedErr(func() error {
		return unix.SetsockoptTimeval(fd, level, opt, tv)
	})
}

// Shutdown is the system call shutdown, see shutdown(2). It returns the error.
func Shutdown(fd, how int) error {
	return briefly("shutdown", fd, how).skippedErr(func() error { return unix.Shutdown(fd, how) })
}

// Send is the system call send, see send(2). It returns the number of bytes, or -1 and the
// error.
func Send(fd int, buf []byte, flags int) (int, error) {
	return slowly("send", fd, len(buf), flags).sends(fd, buf, flags, nil, 0)
}

// Sendto is the system call sendto, see sendto(2). It returns the number of bytes, or -1
// and the error. sa may be nil.
func Sendto(fd int, buf []byte, flags int, sa SA, salen Socklen) (int, error) {
	return slowly("sendto", fd, len(buf), flags, shown(sa)).sends(fd, buf, flags, sa, salen)
}

func (c *call) sends(fd int, buf []byte, flags int, sa SA, salen Socklen) (int, error) {
	return c.on(fd).skipped(len(buf), func() (int, error) {
		p, n := raw(sa, salen)
		return result(unix.Syscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(len(buf)),
			uintptr(flags), uintptr(p), uintptr(n)))
	})
}

// Recv is the system call recv, see recv(2). It returns the number of bytes, 0 when the peer
// has closed its end, or -1 and the error.
func Recv(fd int, buf []byte, flags int) (int, error) {
	c := slowly("recv", fd, len(buf), flags).on(fd).reading()
	return c.filling(buf, func() (int, error) { return recvfrom(fd, buf, flags, nil, nil) })
}

// Recvfrom is the system call recvfrom, see recvfrom(2). It stores the sender's address in
// *sa, and returns the number of bytes, or -1 and the error. sa and salen may be nil.
func Recvfrom(fd int, buf []byte, flags int, sa SA, salen *Socklen) (int, error) {
	c := slowly("recvfrom", fd, len(buf), flags).on(fd).reading()
	c.accepts = !none(sa) // a datagram is what a connection is elsewhere
	return c.filling(buf, func() (int, error) {
		return storing(sa, salen, func(p unsafe.Pointer, n *Socklen) (int, error) { return recvfrom(fd, buf, flags, p, n) })
	}, outOf(sa, salen)...)
}

func recvfrom(fd int, buf []byte, flags int, p unsafe.Pointer, n *Socklen) (int, error) {
	return result(unix.Syscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(len(buf)),
		uintptr(flags), uintptr(p), uintptr(unsafe.Pointer(n))))
}

// storingAddress replays a call that stores an address.
func (c *call) storingAddress(sa SA, salen *Socklen, do func(p unsafe.Pointer, n *Socklen) (int, error)) (int, error) {
	return c.replayed(func() (int, error) { return storing(sa, salen, do) }, outOf(sa, salen)...)
}

// family is an address family, which prints as strace shows it.
type family int

func (f family) String() string {
	switch f {
	case unix.AF_INET:
		return "AF_INET"
	case unix.AF_INET6:
		return "AF_INET6"
	case unix.AF_UNIX:
		return "AF_UNIX"
	}
	return strconv.Itoa(int(f))
}

// socketType is the type of a socket, which prints as strace shows it.
type socketType int

func (t socketType) String() string {
	name := strconv.Itoa(int(t) & 0xf)
	switch t & 0xf {
	case unix.SOCK_STREAM:
		name = "SOCK_STREAM"
	case unix.SOCK_DGRAM:
		name = "SOCK_DGRAM"
	case unix.SOCK_RAW:
		name = "SOCK_RAW"
	}
	if t&unix.SOCK_CLOEXEC != 0 {
		name += "|SOCK_CLOEXEC"
	}
	if t&unix.SOCK_NONBLOCK != 0 {
		name += "|SOCK_NONBLOCK"
	}
	return name
}
