//go:build linux && (amd64 || arm64)

// Package unp is a Go version of those library files of UNIX Network Programming, volume 1,
// third edition, that chapter 5 uses. Each file has the name of its C file in the book's lib
// directory, and each function the lines of its C function.
//
// A function whose C name begins with a capital letter checks the result of the function with
// a small letter. If that has failed, it prints the message of the C function, a colon and the
// error's text on standard error, and exits with status 1.
//
// What C gets from the system's own headers is in package sys: the system calls, such as
// sys.Accept, and struct sockaddr_in, for example.
package unp

import "golang.org/x/sys/unix"

// The constants of the book's header, unp.h (Figure D.1).
const (
	MAXLINE   = 4096 // max text line length, bytes
	SERV_PORT = 9877 // TCP and UDP port of the servers
	LISTENQ   = 1024 // 2nd argument to Listen: the backlog
)

// Sigfunc is a disposition: a signal handler, or sys.SIG_DFL or sys.SIG_IGN (Figure 5.6).
type Sigfunc = func(signo unix.Signal)
