//go:build linux && (amd64 || arm64)

// Package sys has much of what a C program gets from the system's headers: system calls, among
// them fork and sigaction, which Go does not have, and struct sockaddr_in and its relatives.
// Most calls have the names and the signatures of golang.org/x/sys/unix; addresses are passed
// as in C.
//
//	func main() {
//		fd, _ := sys.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0) // made once
//		number := sys.Once(rand.Int)                          // drawn once
//		if pid, _ := sys.Fork(); pid == 0 {
//			fmt.Println("child", sys.Getpid(), "has", fd, number)
//			os.Exit(0)
//		}
//		sys.Wait(nil)
//	}
//
// # One rule
//
// A system call that main makes through this package is made once. A child on its way to its
// Fork does not make it again, and gets the same result. The only exceptions are [Sigaction]
// and [Chdir].
//
// # Fork
//
// The child of [Fork] is the same program, executed again. It runs main from the top and
// retraces its parent's path: the list of the calls that main has made through this package,
// without those that a child can do without (see below). Each call returns what it returned in
// the parent and stores what it stored there. The last call on the path is the Fork that made
// the child: it returns 0, and from there on the child is on its own. Until then
//
//   - descriptors 1 and 2 are /dev/null, unless the environment variable UNP_PRINT is set and
//     not empty. What main writes there without this package is thrown away, and main cannot
//     find out whether they are a terminal. Only the messages of [Fatal] and of a panic appear,
//     and whatever is printed by packages that are initialized before this one;
//   - [Sigaction] and [Chdir] do their work again, and return what they returned in the parent:
//     exec has reset the handlers, and the child starts with the arguments and the environment
//     of the first process, and in the directory in which this package found that process, so
//     that it finds the same files. It may not find them if main has called chroot, or has left
//     that directory and it has since been renamed, replaced or removed. At its Fork the child
//     gets the dispositions, the environment and the directory that its parent has there;
//   - everything that the program does without this package happens again: packages are
//     initialized, files are opened with os.Open, and goroutines are started. [Once] is for what
//     must happen only once, and for what would have a different result the second time, such as
//     drawing a random number;
//   - variables hold what main computes on its way. As a rule, a server's child runs only the
//     last round of the loop around [Accept] (see Limits), so a counter in that loop starts
//     over. [Keep] is for variables that the loop carries from round to round, and for those
//     that signal handlers write to, because no handler is called on the way.
//
// The path is in the child's environment, as text, one call to a line; see
// /proc/PID/environ. Calls whose success is all that main needs to know, such as Listen and
// Write, have a line, as a rule, only if they have failed; Bind and Connect always have one.
// Sigaction has one if it has returned a disposition other than the one with which the program
// started.
// If main makes a different call from the one in the next line, the child prints a message
// that names both, and exits; calls without a line are not compared. If main returns or calls
// os.Exit on its way, the child says nothing about it.
//
// # Signals
//
// A signal starts at its default, as in C, except SIGSEGV, SIGBUS, SIGFPE, SIGPROF and signal
// 33, which Go's runtime needs. A handler for one of the first three is called when a process
// sends the signal, but not after a fault; one for SIGPROF is never called. In C, a signal that
// was ignored when the program started stays ignored; here only SIGHUP, SIGINT, SIGCONT,
// SIGTSTP, SIGTTIN and SIGTTOU do, because the runtime catches all others before this package
// can look. To change a disposition, use [Sigaction], not os/signal.
//
// A handler runs on a thread of its own, where printf and malloc, which are unsafe in C, are
// safe. If main holds a lock during a call to this package, a handler that asks for that lock
// waits forever. A handler may call anything except [Fork], [Keep], [Pause], [Sigsuspend] and
// [Pselect] with a mask. Before and after each call to this package, main waits for the handlers
// of the signals that have arrived, so a handler that hangs holds up main, as in C. Outside this
// package main does not wait. Nor does os.Exit wait for handlers: call Sleep(0) first. Handlers
// of different signals may run at the same time, unless sa_mask forbids it.
//
// When a handler without SA_RESTART has returned, the call in which main sleeps fails with
// EINTR; any handler, with SA_RESTART or without, ends [Sleep], [Nanosleep], [Pause],
// [Sigsuspend], [Select], [Pselect] and [Poll]. If the kernel has given the signal to a thread
// other than main's, the call ends some 20 to 30 ms later.
//
// # Limits
//
//   - Only main can fork, because a child cannot retrace a handler or another goroutine
//     (iter.Pull starts one). Until a child's main has reached Fork, the child's goroutines must
//     not make a call that always has a line on main's path, such as Socket, Bind or Nanosleep:
//     the child exits with a message. A call that has a line only if it fails, such as Listen or
//     Write, does nothing there and reports success.
//   - The path must fit, with the environment, into what execve(2) accepts, as a rule 2 MB,
//     which is room for some 25,000 calls; a Select takes up as much as 10 to 80 others, and so
//     may a Poll of many descriptors. An environment that main has changed counts twice. While
//     the path is longer, Fork fails; once it has had more than 150,000 calls, or 64 MB before
//     any Accept, Fork fails for good. Until then the path takes up memory, whether main forks
//     or not. A server's finished rounds do not count: a round of the loop around Accept, or
//     around Recvfrom with an address (not inside Once), is forgotten when four things hold: all
//     its descriptors are closed; no Chdir in it has changed main's directory, unless a later
//     one has an absolute name; what Readline and Fgets have read ahead, for main or another
//     goroutine, is the same as before it (as a rule, nothing); and either later rounds have
//     made the same calls, or the round has read more than a child can be given. A round that
//     gets no client is forgotten together with the next one that does or, if it begins with
//     Keep, by itself, but not before that one is finished. From one Accept or such Recvfrom to
//     the next, and before the first, main may read at most 64 KB, and in at most 1,000 calls;
//     Select, Pselect, Poll, Time and Gettimeofday count as calls that read. Beyond these
//     bounds, any loop's rounds that found no input, because Select, Pselect or Poll timed out
//     or because reading failed, for example with EAGAIN, are forgotten too; rounds that also
//     read something, or reached the end of a file, are not. If that is not enough, Fork fails
//     until the round that has read so much is forgotten. It is not forgotten as long as one of
//     its descriptors is open, or something that it has read ahead is left. Otherwise it takes
//     one more round at most, or two if it does not begin with Keep. It takes longer if a call
//     such as Write has failed in it: until the next round can be forgotten, too. And if rounds
//     before it got no client, or left something ahead that it has used, it takes until later
//     rounds have made their calls again, which never happens if main makes these calls only
//     after a Fork that has succeeded. What main has read before its loop is never forgotten: if
//     that alone is beyond a bound, Fork fails for good, as a rule.
//   - In the child, variables that a forgotten round has set, and that were not given to Keep,
//     have the values that the rounds on the path give them. This applies to a server's endless
//     loop and to any other loop, even one within it, that calls Accept, or Recvfrom with an
//     address, before Fork. When main has read more than 64 KB, or in more than 1,000 calls, or
//     the path has no room left, it also applies to any loop's rounds that found no input.
//   - A round is known by its calls that have lines. In three cases call Keep first in the body,
//     without variables if there are none to keep: if a call without a line, such as a
//     successful Unlink or Write, decides which calls follow it there; if a loop within the body
//     calls Accept; or if main calls Keep elsewhere, before the loop or in a loop within the
//     body. A round that begins with Keep is forgotten as a whole, as long as it gets at most
//     100 clients, or datagrams from Recvfrom with an address, in at most 1,000 calls to Accept
//     and such Recvfrom; an inner round is forgotten sooner only if it also begins with Keep, or
//     found no input. All that follows the last call to Keep belongs to its round, even the
//     rounds of a server's loop. If the end of a round sets a variable for the next one, as in
//     for c := accept(); c >= 0; c = accept(), give that variable to Keep.
//   - A slice that was given to Keep may have memory and a capacity of its own in the child: a
//     pointer to one of its elements, or another slice of the same array, then leads to the
//     child's own values. For an array this is not so. The hidden counter of a range loop cannot
//     be given to Keep: write a for loop with three clauses.
//   - A handler that uses variables of the function around it can be handed to a child only if
//     the child's main sets it again on its way, and main has not since set another for the same
//     signal from the same line. Otherwise the child exits with a message.
//   - A process has some five threads, some eight if it catches a signal, and one or two more
//     for each further signal, and each counts against the limit on the user's processes; and
//     the runtime reserves memory. Where it can start no more threads, or the limits on memory
//     (RLIMIT_AS, RLIMIT_DATA) leave it too little, the program or a new child ends with a stack
//     trace.
//   - Anonymous memory that main has mapped is not shared with the child, even if it is
//     MAP_SHARED. A file that main has mapped is mapped again on the way, and what main has
//     written there is written again. Of what main has set with prctl(2), the child has only
//     what exec keeps; its name is the one with which the first process was started. It has no
//     file that main has given to debug.SetCrashOutput.
//   - If the parent calls [Setpgid] for the child, the call fails with EACCES.
//   - The child does not have its parent's close-on-exec descriptors, except 0, 1 and 2, which
//     are no longer close-on-exec there. Calls of this package drop SOCK_CLOEXEC and O_CLOEXEC,
//     so a program that is executed otherwise has those descriptors too, unless FcntlInt has set
//     FD_CLOEXEC after Fork; but os.Open sets O_CLOEXEC, even inside Once. A file that main
//     opens again on its way may have another number in the child. A descriptor that main closes
//     without this package, with the method Close of os.File for example, is closed again on the
//     way, even if its number belongs to another file by then.
//   - The runtime opens /dev/null in the place of a standard descriptor that is closed when the
//     first process starts, opens two descriptors of its own if a standard descriptor has
//     O_NONBLOCK or, sometimes, after a garbage collection, and raises the soft limit on
//     descriptors to the hard one. Each child raises it again.
//   - Fork executes the program again: the child's user must be allowed to execute it, and exec
//     may give back capabilities that the parent has dropped, takes away those that an ordinary
//     user's process has kept, unless they are ambient, and copies the effective user ID to the
//     saved one. Fork fails in a program that was started with the privileges of another user
//     (set-user-ID, for example) or has them when it calls Fork, because its child could not
//     trust its environment.
//   - The variables UNP_FORK, UNP_FORK1 and so on belong to this package, which removes them
//     from the environment of a child: do not set them. A package that is initialized before
//     this one finds them in a child, and a program that uses this package and is executed with
//     them takes itself for that child. If main has changed the environment, a child loses
//     entries that have no name or no =.
//   - Do not close all descriptors in a loop, as daemons do: if the runtime's own are among them,
//     the program ends with a fatal error. Close only those that the program has opened.
//   - In a module of your own, the runtime may use descriptor 3, or 3 and 4, for itself, unless
//     your go.mod has the two godebug lines that this module's has, or package main has
//     //go:debug containermaxprocs=0 and //go:debug updatemaxprocs=0.
//
// # Limits of signals
//
//   - A call that the kernel restarts may continue before the handler has run; in C it continues
//     afterward. Where this matters, use a handler without SA_RESTART, and a loop. Such a
//     handler interrupts main's call even if another handler, with SA_RESTART, is running then.
//     A call that a handler makes is interrupted only if the kernel gives the signal to the
//     handler's thread, and Sleep and Nanosleep never are.
//   - After another process has stopped this one, main may continue before the handlers of the
//     signals that came in the meantime have run. If the limit on pending signals
//     (RLIMIT_SIGPENDING) is used up, a handler may fail to interrupt main's call.
//   - The runtime cannot interrupt a loop that calls nothing, because SIGURG is at its
//     default. Such a loop, for example one that only looks at a variable until a handler has
//     set it, may hold up the handler, other goroutines and the garbage collector. Call
//     [Pause] in a loop that waits for a handler, and Sleep(0) in one that computes.
//   - Signals that [Sigprocmask] blocks are held by this package, not by the kernel:
//     sigtimedwait and signalfd do not see them, SIGCONT does not cancel a pending SIGTSTP, and
//     exec drops them. If kill sends SIGCHLD while main both ignores and blocks it, the signal
//     is dropped when main sets a handler. Sigprocmask does not hold signal 34 or SIGPROF; nor,
//     as long as main has no handler for them, does it hold SIGSEGV, SIGBUS or SIGFPE.
//     [Sigsuspend] and [Pselect] work as in C, except for SIGURG (see below).
//     unix.PthreadSigmask blocks a signal for main's thread only.
//   - In a program that package os/exec starts, most signals that main ignores are at their
//     defaults; SIGCONT, SIGTSTP, SIGTTIN and SIGTTOU stay ignored, and so do SIGHUP and SIGINT
//     if they were already ignored when this program, the parent, started. A program that [Exec]
//     starts ignores them all, as in C.
//   - A child's threads other than main's block most signals, so a program that a goroutine of the
//     child executes starts with most signals blocked.
//   - The runtime unblocks many of the signals that were blocked when the program started,
//     SIGINT, SIGTERM and SIGCHLD among them; and of those that were also pending, SIGTSTP,
//     SIGTTIN, SIGTTOU, SIGCONT and SIGWINCH are lost. In a program that strace or a debugger
//     has started, main's thread blocks SIGURG.
//   - Signals that arrive or are unblocked together are handled in any order, as POSIX allows;
//     Linux has a fixed one. Calling a handler takes tens of microseconds, far more than in C;
//     signals that keep arriving faster than that hold main up.
//   - A handler for SIGURG is also called when the runtime interrupts a thread, and even while
//     SIGURG is blocked, so [Sigsuspend] and [Pselect] may miss one. A handler for SIGPIPE may
//     be called twice after a write through os.Stdout. A SIGPIPE or SIGXFSZ that a handler's own
//     write raises is lost if the handler, or main, blocks it. Real-time signals are not queued.
//
// # Signals sent to a new child
//
// As a rule, a signal that is sent to a new child waits until the child has reached its Fork,
// where it has its parent's dispositions: so the signal does what it does in C. But
//
//   - SIGHUP, SIGINT, SIGQUIT, SIGABRT, SIGTERM, SIGTRAP, SIGSTKFLT, SIGSYS and the signals of
//     faults, such as SIGSEGV, do not wait, because the runtime unblocks them: they end the child,
//     some with a stack trace. SIGTSTP, SIGTTIN, SIGTTOU and SIGCONT do not wait either;
//   - if main catches, ignores or blocks any of these signals, Fork waits instead: it returns in
//     the parent when the child has reached the Fork that made it, or after five seconds. By
//     then, a quick child may have ended, and its SIGCHLD may have been handled. So, unless it
//     has waited those five seconds, the parent does not signal the child too early; but the
//     terminal or another process may, and then the signal ends or stops the child, or is lost;
//   - SIGURG may be lost, and so may SIGPIPE and SIGXFSZ if main leaves them at their defaults;
//   - a SIGCHLD is lost even after the child has reached its Fork, until the child has called
//     Fork itself or has set a handler for SIGCHLD again. It may still interrupt main's call,
//     but no handler is called, even when a program that the child has started with os/exec
//     ends. It is not lost if the parent's main blocked SIGCHLD when it called Fork.
package sys
