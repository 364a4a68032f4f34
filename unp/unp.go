// Package unp is a Go version of the library files that chapter 5 of UNIX Network Programming
// (volume 1, third edition) uses. Each file has the name of its C file in the book's lib
// directory, and each function follows its C function.
//
// A function whose C name begins with a capital letter is a wrapper: Bind, for example, calls
// bind. If that call fails, the wrapper prints the message of the C wrapper, a colon and the
// error's text on standard error, and exits with status 1. Accept and Fgets try again after
// some errors, as their comments say; Readline, Readn and Writen continue after EINTR, as in
// C. Fputs does too, whereas C's fputs fails. InetPton's message has no colon and no error text,
// and Listen's message about LISTENQ has no error text.
//
// What C gets from the system's own headers is in package sys, such as accept and struct
// sockaddr_in, or in golang.org/x/sys/unix, such as AF_INET and EINTR.
package unp

import "golang.org/x/sys/unix"

// The constants of the book's header, unp.h (Figure D.1).
const (
	MAXLINE   = 4096 // max text line length, bytes
	SERV_PORT = 9877 // TCP and UDP port of the servers
	LISTENQ   = 1024 // 2nd argument to Listen: the backlog
)

// Sigfunc is a disposition: a signal handler, sys.SIG_DFL or sys.SIG_IGN (Figure 5.6).
type Sigfunc = func(signo unix.Signal)
