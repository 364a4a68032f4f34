//go:build linux && (amd64 || arm64)

package unp

import (
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Socket makes a socket and returns its descriptor (section 4.2). While the child
// of [Fork] retraces main, it returns the parent's descriptor, without a system
// call.
func Socket(family, typ, protocol int) int {
	if await(true); len(ahead) > 0 {
		return int(resume().N)
	}
	n, err := unix.Socket(family, typ&^unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		ErrSys(err, "socket error")
	}
	made(step{At: here(), N: int32(n), Open: true})
	return n
}

// Bind gives the socket the local address sa, of salen bytes (section 4.4).
func Bind(fd int, sa *SockaddrIn, salen Socklen) {
	if await(true); len(ahead) > 0 {
		return
	}
	if _, _, err := unix.Syscall(unix.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(sa)), uintptr(min(salen, SizeofSockaddrIn))); err != 0 {
		ErrSys(err, "bind error")
	}
}

// Connect connects the socket to the server at sa, an address of salen bytes
// (section 4.3).
func Connect(fd int, sa *SockaddrIn, salen Socklen) {
	if await(true); len(ahead) > 0 {
		return
	}
	if _, _, err := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(sa)), uintptr(min(salen, SizeofSockaddrIn))); err != 0 {
		ErrSys(err, "connect error")
	}
}

// Listen lets the socket take connections, up to backlog of them waiting for Accept
// (Figure 4.9). The environment variable LISTENQ overrides backlog; if it is not a
// number, Listen prints that and exits.
func Listen(fd, backlog int) {
	if await(true); len(ahead) > 0 {
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

// Accept waits for a connection and returns its descriptor, the peer's address in
// sa and its size in bytes in *salen (section 4.6). If the peer has given up the
// connection (ECONNABORTED, EPROTO), it waits for the next one (section 5.11).
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

// SysAccept is the system call accept: on error it returns -1 and the error, such
// as EINTR when a signal handler has interrupted it (section 5.9). While the child
// of [Fork] retraces main, it returns what the parent got, without a system call.
func SysAccept(fd int, sa *SockaddrIn, salen *Socklen) (int, error) {
	var s step
	if sa == nil || salen == nil {
		sa, salen = new(SockaddrIn), new(Socklen)
	}
	if await(false); len(ahead) > 0 {
		s = resume()
		*sa, *salen = s.Peer, s.Salen
	} else {
		*salen = min(*salen, SizeofSockaddrIn) // as much as there is room for
		n, _, err := unix.Syscall(unix.SYS_ACCEPT, uintptr(fd), uintptr(unsafe.Pointer(sa)), uintptr(unsafe.Pointer(salen)))
		await(err != 0)
		s = made(step{At: here(), N: int32(n), Open: err == 0, Salen: *salen, Peer: *sa, Errno: uint32(err)})
	}
	if s.Errno != 0 {
		return -1, unix.Errno(s.Errno)
	}
	return int(s.N), nil
}

// SetsockoptLinger is Setsockopt for the option SO_LINGER, whose value is a struct
// linger with the time in seconds (section 7.5). With a time of 0 the socket's
// close sends an RST.
func SetsockoptLinger(fd, level, optname int, optval *unix.Linger) {
	if await(true); len(ahead) == 0 {
		if err := unix.SetsockoptLinger(fd, level, optname, optval); err != nil {
			ErrSys(err, "setsockopt error")
		}
	}
}
