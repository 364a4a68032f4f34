package unp

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp/sys"
)

// Accept waits for a connection and returns its descriptor. It stores the peer's address in *sa,
// where *salen says how many bytes there is room for, and that address's size in *salen (section
// 4.6); both may be nil. If accept fails because the peer has aborted the connection
// (ECONNABORTED, EPROTO), Accept waits for the next connection; Linux returns the aborted one
// instead (section 5.11). On any other error it prints "accept error" and the error's text, and
// exits.
func Accept(fd int, sa sys.SA, salen *sys.Socklen) int {
again:
	n, err := sys.Accept(fd, sa, salen)
	if err == unix.EPROTO || err == unix.ECONNABORTED {
		goto again
	} else if err != nil {
		ErrSys(err, "accept error")
	}
	return n
}

// Bind gives the socket the local address sa, of salen bytes (section 4.4). On error it
// prints "bind error" and the error's text, and exits.
func Bind(fd int, sa sys.SA, salen sys.Socklen) {
	if err := sys.Bind(fd, sa, salen); err != nil {
		ErrSys(err, "bind error")
	}
}

// Connect connects the socket to the server at sa, an address of salen bytes
// (section 4.3). On error it prints "connect error" and the error's text, and exits.
func Connect(fd int, sa sys.SA, salen sys.Socklen) {
	if err := sys.Connect(fd, sa, salen); err != nil {
		ErrSys(err, "connect error")
	}
}

// Listen makes the socket accept connections; backlog tells the kernel how many of them may
// wait for Accept (Figure 4.9). The environment variable LISTENQ overrides backlog. On error,
// or if LISTENQ is not a number of 32 bits, Listen prints a message and exits.
func Listen(fd, backlog int) {
	// can override 2nd argument with environment variable
	if ptr, ok := os.LookupEnv("LISTENQ"); ok {
		n, err := strconv.ParseInt(ptr, 10, 32)
		if err != nil {
			ErrQuit("LISTENQ is not a number: %s", ptr)
		}
		backlog = int(n)
	}

	if err := sys.Listen(fd, backlog); err != nil {
		ErrSys(err, "listen error")
	}
}

// setsockopt is the system call setsockopt. C's takes the address of any option, and its size.
func setsockopt(fd, level, optname int, optval any) error {
	switch optval := optval.(type) {
	case *int:
		if optval == nil {
			return unix.EFAULT
		}
		return sys.SetsockoptInt(fd, level, optname, *optval)
	case *unix.Linger:
		return sys.SetsockoptLinger(fd, level, optname, optval)
	case *unix.Timeval:
		return sys.SetsockoptTimeval(fd, level, optname, optval)
	}
	return unix.EINVAL
}

// Setsockopt sets an option of the socket (section 7.2). The option's value, to which optval
// points, is an int, a unix.Linger, whose time is in seconds, or a unix.Timeval. On error, or
// for a value of any other type, it prints "setsockopt error" and the error's text, and exits.
func Setsockopt(fd, level, optname int, optval any) {
	if err := setsockopt(fd, level, optname, optval); err != nil {
		ErrSys(err, "setsockopt error")
	}
}

// Socket makes a socket and returns its descriptor (section 4.2). On error it prints "socket
// error" and the error's text, and exits.
func Socket(family, typ, protocol int) int {
	n, err := sys.Socket(family, typ, protocol)
	if err != nil {
		ErrSys(err, "socket error")
	}
	return n
}
