//go:build linux && (amd64 || arm64)

package sys

import (
	"fmt"
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// fork(2) on top of exec.
//
// A fork in C duplicates the process, and both processes return from it. Go's runtime has
// several threads, of which fork would duplicate only the one that calls it
// (golang.org/issue/227), so Fork executes the program again. The child runs main from the top
// and retraces the path that its parent took, up to the fork.
//
// The path is a list of steps. A step is a call that main has made, with its place in the
// program and what it returned. A call that main makes through skipped is a step only if it has
// failed or stored something, or if a handler may have changed a kept variable. The child's main
// makes the same calls, and each returns what its step holds: a descriptor, for example, which
// exec has kept at the same number. The other calls that main makes through skipped do nothing,
// because the parent has made them. The last step is the fork that made this process. It returns
// 0, and from there on the process is the child of the listing. If main makes a different call
// from the one in the next step, the child exits with a message that names both.

// Fork is the system call fork, see fork(2): it makes a child process, and returns 0 in the
// child and the child's process ID in the parent, or -1 and the error. Only main can call it,
// and not inside [Once].
//
// The child is this program, executed again: see the package comment. If the child's main makes
// a call other than the next one on the path, the child prints a message that names both, and
// exits. Fork costs about as much as executing a Go program. It needs /proc and two free
// descriptors besides 0, 1 and 2, or four if it waits for the child (see Signals sent to a new
// child); one must have been free when the program started. If there is no /dev/null, or if only
// two are free and main has changed its directory, what main prints on its way appears again.
func Fork() (int, error) {
	c := briefly("fork")
	at := here()
	switch {
	case at == nowhere || insideOnce():
		Fatal("fork error: only main can call Fork, not a signal handler, another goroutine, or Once")
	case path.retracing.Load():
		pid, err := c.retraced(at, nil)
		if len(path.ahead) == 0 {
			arrive()
		}
		return pid, forkError(err)
	}
	waitHandlers()
	hold() // no handler runs while main forks
	pid, err := c.made(func() (int, error) { return forkExec(at, c) })
	release()
	waitHandlers()
	noteKeptAgain() // for later children
	return pid, forkError(err)
}

// forkError returns the error to which an error on the path belongs.
func forkError(err error) error {
	switch err {
	case errTooMuchRead:
		return fmt.Errorf("main has read more than %d bytes, or more than %d times, on its way here, and a child cannot be given all that: see sys.Once", maxData, maxReads)
	case errOtherUser:
		return errPrivileged
	}
	return err
}

// forkExec adds main's fork to the path and executes the program again.
func forkExec(at place, c *call) (int, error) {
	if noFork != nil {
		return -1, noFork
	}
	startCatcher(unix.SIGCHLD)
	c.record(at, 0, nil, nil) // as the child's Fork returns 0
	if path.tooLong {
		return -1, unix.E2BIG
	}
	path.Lock()
	defer path.Unlock()
	forgetRounds()
	last := path.taken[len(path.taken)-1]
	pid, err := -1, error(nil)
	switch {
	case isPrivileged():
		err = errOtherUser
	case slices.ContainsFunc(path.taken, func(s *step) bool { return s.lost }):
		err = errTooMuchRead
	case slices.ContainsFunc(path.taken, func(s *step) bool { return s.cut }):
		err = unix.E2BIG
	default:
		pid, err = execute()
		if err == unix.E2BIG && forgetIdleRounds() {
			pid, err = execute()
		}
	}
	if err != nil {
		pid = -1
	}
	last.result, last.errno = pid, errnoOf(err) // for a later child
	return pid, err
}

// isPrivileged tells whether this process has the privileges of another user.
func isPrivileged() bool {
	user, effectiveUser, _ := unix.Getresuid()
	group, effectiveGroup, _ := unix.Getresgid()
	return user != effectiveUser || group != effectiveGroup
}

// execute makes a process that executes this program again. Of the signals that are sent to the
// child before its main has reached the fork, those in earlySignals wait, except those that the
// runtime unblocks (see Signals sent to a new child in doc.go).
func execute() (int, error) {
	err := noteArguments()
	if err != nil {
		return -1, err
	}
	spare := occupyStandard()
	defer closeAll(spare)
	h := inherited
	h.blocked = currentMask()
	h.closed = 0
	files := []uintptr{0, 1, 2}
	for _, fd := range spare {
		h.closed |= 1 << fd
		files[fd] = ^uintptr(0)
	}
	h.actions = actions()
	h.environment = changedEnvironment()
	awaitArrival, err := h.prepareArrival()
	if err != nil {
		return -1, err
	}
	directory := h.prepareDirectory()
	if h.cwd > 0 {
		defer unix.Close(h.cwd)
	}
	sigmask(unix.SIG_SETMASK, h.earlySignals())
	defer sigmask(unix.SIG_SETMASK, h.blocked)
	pendingBefore := signals.catchers[unix.SIGCHLD].isPending()
	environment := slices.Concat(environ, handOver(h, path.taken))
	pid, err := syscall.ForkExec(self, args, &syscall.ProcAttr{Dir: directory, Env: environment, Files: files})
	if err != nil && !pendingBefore {
		dropFailedChild()
	}
	awaitArrival()
	return pid, err
}

// prepareArrival gives a child that may miss a signal one end of a socket pair. The function
// that it returns waits until the child has reported its arrival at that end, until it has
// ended, or until five seconds have passed. For any other child that function does nothing.
func (h *heritage) prepareArrival() (await func(), err error) {
	h.arrival = 0
	if !h.mayMissSignal() {
		return func() {}, nil
	}
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	h.arrival = aside(ends[1])
	unix.Close(ends[1])
	if h.arrival < 0 {
		unix.Close(ends[0])
		return nil, unix.EMFILE
	}
	unix.FcntlInt(uintptr(h.arrival), unix.F_SETFD, 0)
	tooLong := unix.Timeval{Sec: 5} // main may wait on its way for something that only its parent does
	unix.SetsockoptTimeval(ends[0], unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tooLong)
	return func() {
		unix.Close(h.arrival)
		for {
			_, err := unix.Read(ends[0], make([]byte, 1))
			if err != unix.EINTR {
				break
			}
		}
		unix.Close(ends[0])
	}, nil
}

// prepareDirectory returns the directory in which a child is to start: that in which sys found the
// first process, so that main and the packages that are initialized before sys find the same
// files. If main has left it, the child is given a descriptor of main's directory. If main has not
// left it, or there can be no descriptor, prepareDirectory returns "": the child starts in main's
// directory.
func (h *heritage) prepareDirectory() string {
	const unmoved, startsThere = 0, -1
	h.cwd = unmoved
	if h.inStartDirectory() {
		return ""
	}
	h.cwd = startsThere
	if unix.Access(h.directory, unix.X_OK) != nil {
		return ""
	}
	fd := openDirectory()
	var ends [2]int
	err := unix.Pipe2(ends[:], unix.O_CLOEXEC) // ForkExec needs one
	if err != nil {
		closeAll([]int{fd})
		return ""
	}
	closeAll(ends[:])
	if fd < 0 {
		return ""
	}
	unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0)
	h.cwd = fd
	return h.directory
}

// changedEnvironment returns the environment, or nil if nobody has changed it since the program
// was executed.
func changedEnvironment() []string {
	now := os.Environ()
	if !changedEarly && slices.Equal(now, environ) {
		return nil
	}
	return now
}

// dropFailedChild drops the SIGCHLD of a process that could not execute the program, unless
// the signal may tell of another child. In C there is no such process.
func dropFailedChild() {
	settle(bit(unix.SIGCHLD))
	var info unix.Siginfo
	unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WSTOPPED|unix.WCONTINUED|unix.WNOHANG|unix.WNOWAIT, nil)
	if info.Signo == 0 { // no child has anything to tell
		signals.catchers[unix.SIGCHLD].discard()
	}
}

// occupyStandard opens a descriptor at each of the numbers 0, 1 and 2 that is free. ForkExec
// makes a pipe, and if the second descriptor of that pipe were below 4, ForkExec would move it
// to 4, which may be open.
func occupyStandard() (taken []int) {
	for standard := range 3 {
		_, err := unix.FcntlInt(uintptr(standard), unix.F_GETFD, 0)
		if err == nil { // it is open
			continue
		}
		fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC) // at the lowest free number
		switch {
		case err == nil && fd == standard:
			taken = append(taken, fd)
		case err == nil: // another goroutine has just taken that number
			unix.Close(fd)
		}
	}
	return taken
}

// mayMissSignal tells whether a signal that the parent catches, ignores or blocks may end or stop
// a new child, or do nothing there. What the runtime has found ignored it leaves alone, and so
// does exec.
func (h *heritage) mayMissSignal() bool {
	signals.Lock()
	defer signals.Unlock()
	set := h.signals() & unheld
	for signo := range signalsIn(set & h.ignored) {
		c := &signals.catchers[signo]
		if c.act.ignores() && c.pending == nil {
			set &^= bit(signo)
		}
	}
	return set != 0
}

// unheld are the signals that a new child cannot hold back until its main has arrived, because
// its runtime unblocks them, or needs them, or because they stop or resume it.
const unheld = needed | 1<<(unix.SIGHUP-1) | 1<<(unix.SIGINT-1) | 1<<(unix.SIGQUIT-1) | 1<<(unix.SIGILL-1) |
	1<<(unix.SIGTRAP-1) | 1<<(unix.SIGABRT-1) | 1<<(unix.SIGTERM-1) | 1<<(unix.SIGSTKFLT-1) | 1<<(unix.SIGSYS-1) |
	stops | 1<<(unix.SIGCONT-1)

// earlySignals are the signals that a new child holds back until its main has arrived. Those
// that its parent blocks, catches or ignores are among them, because until then the child has
// not set their dispositions; and so are those that end a process by default, because at first
// the child's runtime catches them. The other threads of the child block these signals for good,
// so those that a thread's own call raises are among them only if the parent blocks, catches or
// ignores them.
func (h *heritage) earlySignals() uint64 {
	const raised = 1<<(unix.SIGPIPE-1) | 1<<(unix.SIGXFSZ-1)
	return h.signals() | ^uint64(needed|reserved|ignoredByDefault|stops|raised)
}
