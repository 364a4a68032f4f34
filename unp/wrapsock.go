//go:build linux && (amd64 || arm64)

package unp

import (
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Socket makes a socket and returns its descriptor (section 4.2). While the
// child of [Fork] resumes, it hands back the descriptor that the parent made
// here, without a system call.
func Socket(family, typ, protocol int) int {
	if await(); resuming.Load() {
		return int(resume().N)
	}
	n, err := unix.Socket(family, typ, protocol)
	if err != nil {
		ErrSys(err, "socket error")
	}
	made(step{N: int32(n), Open: true})
	return n
}

// Bind gives the socket its local address, salen bytes of sa (section 4.4).
func Bind(fd int, sa *SockaddrIn, salen Socklen) {
	if await(); resuming.Load() {
		return
	}
	if _, _, err := unix.Syscall(unix.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(sa)), uintptr(min(salen, SizeofSockaddrIn))); err != 0 {
		ErrSys(err, "bind error")
	}
}

// Connect connects the socket to the server at sa, salen bytes (section 4.3).
func Connect(fd int, sa *SockaddrIn, salen Socklen) {
	if await(); resuming.Load() {
		return
	}
	if _, _, err := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(sa)), uintptr(min(salen, SizeofSockaddrIn))); err != 0 {
		await()
		ErrSys(err, "connect error")
	}
}

// Listen lets the socket take connections, backlog of them waiting for Accept;
// the environment variable LISTENQ overrides backlog (Figure 4.9).
func Listen(fd, backlog int) {
	if await(); resuming.Load() {
		return
	}
	// can override 2nd argument with environment variable
	if ptr, ok := os.LookupEnv("LISTENQ"); ok {
		n, err := strconv.ParseInt(ptr, 10, 32)
		if err != nil {
			ErrQuit("LISTENQ is not a number: %s", ptr)
		}
		backlog = int(n)
	}

	if err := unix.Listen(fd, backlog); err != nil {
		ErrSys(err, "listen error")
	}
}

// Accept waits for a connection and returns its descriptor, the peer's address
// in sa and its size in *salen. A connection that its peer has given up by then
// (ECONNABORTED, EPROTO) is passed over (section 5.11).
func Accept(fd int, sa *SockaddrIn, salen *Socklen) int {
again:
	n, err := SysAccept(fd, sa, salen)
	if err == unix.EPROTO || err == unix.ECONNABORTED {
		goto again
	} else if err != nil {
		ErrSys(err, "accept error")
	}
	return n
}

// SysAccept is the system call accept, with its error: EINTR when the handler of
// a signal has interrupted it, and returned (section 5.9). While the child of
// [Fork] resumes, it hands back the parent's descriptor and the peer's address,
// without a system call.
func SysAccept(fd int, sa *SockaddrIn, salen *Socklen) (int, error) {
	if await(); resuming.Load() {
		s := resume()
		*sa, *salen = s.Peer, s.Salen
		return int(s.N), nil
	}
	*salen = min(*salen, SizeofSockaddrIn) // as much as there is room for
	n, _, err := unix.Syscall(unix.SYS_ACCEPT, uintptr(fd), uintptr(unsafe.Pointer(sa)), uintptr(unsafe.Pointer(salen)))
	if await(); err != 0 {
		return -1, err
	}
	made(step{N: int32(n), Open: true, Peer: *sa, Salen: *salen})
	return int(n), nil
}

// SetsockoptLinger is Setsockopt for the option SO_LINGER, whose value is a
// struct linger (section 7.5).
func SetsockoptLinger(fd, level, optname int, optval *unix.Linger) {
	if await(); resuming.Load() {
		return
	}
	if err := unix.SetsockoptLinger(fd, level, optname, optval); err != nil {
		ErrSys(err, "setsockopt error")
	}
}
