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
	if resuming() {
		n, _ := resumeDescriptor()
		return n
	}
	n, err := unix.Socket(family, typ, protocol)
	if err != nil {
		ErrSys(err, "socket error")
	}
	made(n, nil)
	return n
}

// Bind gives the socket its local address, salen bytes of sa (section 4.4).
func Bind(fd int, sa *SockaddrIn, salen Socklen) {
	if resuming() {
		return
	}
	if err := sockaddrCall(unix.SYS_BIND, fd, sa, salen); err != nil {
		ErrSys(err, "bind error")
	}
}

// Connect connects the socket to the server at sa, salen bytes (section 4.3).
func Connect(fd int, sa *SockaddrIn, salen Socklen) {
	if resuming() {
		return
	}
	if err := sockaddrCall(unix.SYS_CONNECT, fd, sa, salen); err != nil {
		awaitHandlers(err)
		ErrSys(err, "connect error")
	}
}

// Listen lets the socket take connections, backlog of them waiting for Accept;
// the environment variable LISTENQ overrides backlog (Figure 4.9).
func Listen(fd, backlog int) {
	if resuming() {
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
	if err != nil {
		if err == unix.EPROTO || err == unix.ECONNABORTED {
			goto again
		} else {
			ErrSys(err, "accept error")
		}
	}
	return n
}

// SysAccept is the system call accept, with its error: EINTR after a signal
// handler that interrupted it has returned (section 5.9). Both sa and salen may
// be nil. While the child of [Fork] resumes, it hands back the parent's
// descriptor and the peer's address, without a system call.
func SysAccept(fd int, sa *SockaddrIn, salen *Socklen) (int, error) {
	if resuming() {
		n, peer := resumeDescriptor()
		if sa != nil {
			*sa, *salen = peer, SizeofSockaddrIn
		}
		return n, nil
	}
	var peer SockaddrIn
	size := Socklen(SizeofSockaddrIn)
	n, _, errno := unix.Syscall(unix.SYS_ACCEPT, uintptr(fd), uintptr(unsafe.Pointer(&peer)), uintptr(unsafe.Pointer(&size)))
	if errno != 0 {
		awaitHandlers(errno)
		return -1, errno
	}
	if sa != nil {
		*sa, *salen = peer, size
	}
	made(int(n), &peer)
	return int(n), nil
}

// SetsockoptLinger is Setsockopt for the option SO_LINGER, whose value is a
// struct linger (section 7.5).
func SetsockoptLinger(fd, level, optname int, optval *unix.Linger) {
	if err := unix.SetsockoptLinger(fd, level, optname, optval); err != nil {
		ErrSys(err, "setsockopt error")
	}
}

// sockaddrCall is bind or connect. The length is the caller's, as in C, but
// never more than there is to read.
func sockaddrCall(call uintptr, fd int, sa *SockaddrIn, salen Socklen) error {
	salen = min(salen, SizeofSockaddrIn)
	if _, _, errno := unix.Syscall(call, uintptr(fd), uintptr(unsafe.Pointer(sa)), uintptr(salen)); errno != 0 {
		return errno
	}
	return nil
}
