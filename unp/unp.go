//go:build linux && (amd64 || arm64)

// Package unp is a Go port of the library files that chapter 5 of UNIX Network Programming,
// volume 1, third edition, uses. Most of its files are named after C files in the book's
// lib directory. A function whose C name begins with a capital letter checks the result of
// its system call. If the call fails, the function prints C's message and the error's text
// on standard error and exits with status 1. SysSocket, SysAccept and so on are what C
// writes with a small letter: the system calls themselves, which return the error.
//
// Three files stand for the kernel: sys.go has the system calls, fork.go has fork(2), and
// sigaction.go has sigaction(2).
//
// # Fork
//
// The child of [Fork] is the same program, executed again. It runs main from the top and
// retraces the path that its parent took. Until it has reached its Fork:
//
//   - Socket, Bind, Connect, Accept, Fork, SysWait, SysWaitpid, Sleep, Pause, Alarm,
//     Sigprocmask, Sigsuspend and [Once] return what they returned in the parent.
//   - Listen, Close, Writen, Fputs and the like do nothing.
//   - Signal and SignalIntr do their work again. A child has only the handlers that main
//     sets on the way to Fork.
//   - What main prints through os.Stdout and os.Stderr is thrown away, unless the
//     environment variable UNP_PRINT is set.
//   - Readline, Readn, SysRead and, on Stdin, Fgets end the child with a message. What
//     Readline or Fgets has read ahead inside Once stays with the parent.
//   - Everything else happens again: packages are initialized, and main opens files, sleeps
//     in time.Sleep and prints with println. What must happen only once goes into Once.
//   - Variables hold what main computes on its way. A server's child usually makes only the
//     last round of the loop around Accept, so a counter starts over. Give it to [Keep].
//
// If main reaches a different place in the child than it did in the parent, the child
// prints both line numbers and exits. If main ends on its way, the child says nothing. Only
// main can fork, because a child cannot retrace a goroutine or a handler. A goroutine that
// makes one of the calls of the first item before main has reached Fork ends the child with
// a message. If main waits outside this package for what a handler sets, for example in a
// loop around time.Sleep, the child waits forever.
//
// # Signals
//
// Every signal starts at its default, as in C, except SIGSEGV, SIGBUS, SIGFPE and signal
// 33, which Go's runtime needs; if SIGSEGV comes, for example, the program prints a stack
// trace and exits with status 2. A signal that was ignored when the program started stays
// ignored if it is SIGHUP, SIGINT, SIGCONT, SIGTSTP, SIGTTIN or SIGTTOU; the runtime has
// already caught the others. To change a disposition, use [Signal] or [SignalIntr], not
// os/signal.
//
// A handler runs on a thread of its own, where even what is unsafe in C, such as printf,
// is safe. It may call anything except Fork, Keep, Pause and Sigsuspend, and its Sleep is
// not interrupted. main waits for it before and after each system call that main makes
// through this package, so a handler that hangs holds up main, as in C. Outside this package
// main does not wait, and os.Exit does not wait either: call Sleep(0) first. Two handlers may
// run at the same time.
//
// A handler set by SignalIntr, or by Signal for SIGALRM, makes the system call in which
// main sleeps fail with EINTR; Fgets, Fputs, Readline, Readn, Writen and StrEcho then make
// it again. Any handler ends Sleep, Pause and Sigsuspend. If the kernel gives the signal to
// a thread other than main's, this happens some 20 ms later.
//
// # Limits
//
//   - A loop that does not call Accept, or that never closes its connections, keeps its
//     rounds on the path, which takes memory. Each Fork then takes longer, in proportion to
//     their number.
//   - In a child, a SIGCHLD handler that was set on the way to Fork is not called before
//     the child's own first Fork. A handler for SIGPROF is never called, because the
//     runtime keeps that signal for its profiler. A handler for SIGURG is also called when
//     the runtime interrupts a thread.
//   - A new child blocks signals until its main has reached Fork. The runtime unblocks
//     some, among them SIGHUP, SIGINT, SIGQUIT, SIGABRT and SIGTERM. If one of these
//     arrives before then, it ends the child, even if the parent catches it. If the parent
//     ignores it, it ends the child only if it arrives before the child has repeated the
//     call to Signal that ignores it. SIGCONT, SIGURG, SIGWINCH, SIGTSTP, SIGTTIN and
//     SIGTTOU have their default effect then, and call no handler.
//   - unix.PthreadSigmask blocks a signal for main's thread only; use [Sigprocmask].
//   - A goroutine, or main, that loops without calling a function cannot be interrupted by
//     the runtime, because SIGURG is at its default. With one processor, no handler runs
//     meanwhile.
//   - This package does not queue real-time signals.
//   - Memory that main has mapped is not shared with the child, even if it is MAP_SHARED.
//   - A descriptor that is closed on exec is not the child's. [Socket] drops SOCK_CLOEXEC,
//     but a descriptor with FD_CLOEXEC does not reach the child, nor does one that os.Open
//     or os.Pipe has made inside Once. If main calls unix.Dup before Fork, the child does
//     so again. In a child, descriptor 63 is usually in use.
//   - If the parent calls setpgid for the child, that fails with EACCES, since the child
//     has executed a program.
//   - A child that repeats Setsid or Setpgid has a process group of its own, so its
//     parent's waitpid(0) and kill(0) miss it. Put these calls inside Once.
//   - Close standard descriptors with [Close]. After both os.Stdin.Close and
//     os.Stdout.Close, Fork does not return before the child has ended.
//   - Fork needs /proc, even after chroot, and two free descriptors, or three if the path
//     is long.
package unp

import "golang.org/x/sys/unix"

// The constants of the book's header, unp.h (Figure D.1).
const (
	MAXLINE    = 4096 // max text line length, bytes
	SERV_PORT  = 9877 // TCP and UDP port of the servers
	LISTENQ    = 1024 // 2nd argument to Listen: the backlog
	INADDR_ANY = 0    // every interface, in host byte order
)

// SockaddrIn is struct sockaddr_in (Figure 3.1): Family is sin_family; Port is sin_port and
// Addr is sin_addr, both in network byte order.
type SockaddrIn = unix.RawSockaddrInet4

// SizeofSockaddrIn is sizeof(struct sockaddr_in), in bytes (Figure 3.1).
const SizeofSockaddrIn = unix.SizeofSockaddrInet4

// Socklen is socklen_t, the size of a socket address in bytes (Figure 3.2).
type Socklen = uint32

// Sigfunc is a disposition: either a signal handler, or SIG_DFL or SIG_IGN (Figure 5.6).
type Sigfunc func(signo unix.Signal)
