//go:build linux && (amd64 || arm64)

// Package unp is the part of the library of UNIX Network Programming, volume 1,
// third edition, that the programs of chapter 5 use: one Go file for each C file of
// the book's lib directory. A function whose C name begins with a capital letter
// checks the result of its system call. On error it prints C's message on standard
// error and ends the process with status 1.
//
// A program that imports unp runs main on the thread whose id is the process id,
// and starts with its signals at their default, but for a few that Go's runtime
// needs. Use [Signal] and [SignalIntr], not os/signal, to change that.
//
// Two files have no counterpart in C: resume.go, in which the child of [Fork] finds
// its place in main, and sigaction.go, which is sigaction(2) for a Go program.
package unp

import "golang.org/x/sys/unix"

// The constants of the book's header, unp.h (Figure D.1).
const (
	MAXLINE    = 4096 // max text line length, bytes
	SERV_PORT  = 9877 // TCP and UDP port of the servers
	LISTENQ    = 1024 // 2nd argument to Listen, connections
	INADDR_ANY = 0    // every interface, in host byte order
)

// SockaddrIn is struct sockaddr_in (Figure 3.1), in network byte order: Family
// is sin_family, Port is sin_port, Addr is sin_addr.
type SockaddrIn = unix.RawSockaddrInet4

// SizeofSockaddrIn is sizeof(struct sockaddr_in), in bytes (Figure 3.1).
const SizeofSockaddrIn = unix.SizeofSockaddrInet4

// Socklen is socklen_t, the size of a socket address in bytes (Figure 3.2).
type Socklen = uint32

// Sigfunc is a signal handler, or SIG_DFL or SIG_IGN (Figure 5.6). A handler runs
// on a thread of its own, where it may call anything but Fork; main waits for it
// when it next calls a function of unp.
type Sigfunc func(signo unix.Signal)
