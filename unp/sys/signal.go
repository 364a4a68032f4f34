//go:build linux && (amd64 || arm64)

package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// <signal.h>

// Sigaction is the system call sigaction, see sigaction(2). It sets the disposition of a
// signal unless act is nil, stores the previous one in *oact unless oact is nil, and returns
// the error: EINVAL for setting SIGKILL or SIGSTOP, and for any number that is no signal or is
// 32, 33 or 34 (C can catch 34, which is its SIGRTMIN). A child on its way to Fork sets the
// disposition again.
func Sigaction(signo unix.Signal, act, oact *Sigaction_t) error {
	onlyLooks := act == nil && (signo == unix.SIGKILL || signo == unix.SIGSTOP)
	if !isSignal(signo) || reserved&bit(signo) != 0 && !onlyLooks {
		return unix.EINVAL
	}
	at := here()
	if at != nowhere && insideOnce() {
		Fatal("signal error: main cannot call Sigaction inside Once, because a child would not call it")
	}
	var was Sigaction_t
	if at == nowhere {
		was = exchange(signo, act, at)
	} else {
		was = exchangeOnMain(signo, act, at)
	}
	if oact != nil {
		*oact = was
	}
	return nil
}

// exchangeOnMain is exchange for main. A child on its way makes the exchange too, and returns what
// its parent's call returned: if the path has no line for it, the disposition with which the
// program was started.
func exchangeOnMain(signo unix.Signal, act *Sigaction_t, at place) (was Sigaction_t) {
	atStart := actionAtStart(signo)
	recorded := atStart // what the path has, or would have, for this call
	retracing := path.retracing.Load()
	if retracing {
		exchange(signo, act, at)
	}
	c := briefly("rt_sigaction", int(signo))
	c.skipped(0, func() (int, error) {
		was = exchange(signo, act, at)
		recorded = actionFrom(signo, &was)
		c.stores = recorded != atStart
		return 0, nil
	}, &recorded.handler, &recorded.closures, &recorded.mask, &recorded.flags)
	if retracing {
		return recorded.previous()
	}
	return was
}

// exchange gives a signal another disposition, unless act is nil, and returns the one it had.
func exchange(signo unix.Signal, act *Sigaction_t, at place) Sigaction_t {
	if act != nil && currentMask()&bit(signo) != 0 {
		settle(bit(signo)) // so that discard finds it, if it has been sent
	}
	signals.Lock()
	defer signals.Unlock()
	c := &signals.catchers[signo]
	was := c.act
	if act == nil {
		return was
	}
	c.act = *act
	c.act.Mask.Val[0] &^= unblockable
	rememberClosure(at, signo, act.Handler)
	c.install(signo)
	sentByNoChild := signo == unix.SIGCHLD && was.ignores() // in C; see forKernel
	if act.drops(signo) || sentByNoChild {
		c.discard()
		changed.Broadcast() // main may wait for it
	}
	return was
}

// drops tells whether setting this disposition drops the signal if it is pending.
func (act *Sigaction_t) drops(signo unix.Signal) bool {
	return act.ignores() || act.Handler == nil && ignoredByDefault&bit(signo) != 0
}

// When main calls Sigprocmask, it is the system call sigprocmask for the whole process, see
// sigprocmask(2); no goroutine but main and a handler should call it. The argument how is
// unix.SIG_BLOCK, unix.SIG_UNBLOCK or unix.SIG_SETMASK. It stores the previous set in *oldset
// and returns the error; set and oldset may be nil. A blocked signal stays pending; when it is
// unblocked, its handler is called once, however often the signal was sent. Rarely, the handler
// is called a moment after Sigprocmask has returned, or twice. In a handler, Sigprocmask decides
// which signals wait until the handler returns. Those that main blocks wait in any case, and so
// do those that are blocked by a handler that this one has interrupted. While a signal's handler
// is running, that signal waits in any case, unless its disposition has been set back to
// SIG_DFL.
func Sigprocmask(how int, set, oldset *unix.Sigset_t) error {
	var old unix.Sigset_t
	if set != nil { // as the C library does
		set = &unix.Sigset_t{Val: [16]uint64{set.Val[0] &^ libraries}}
	}
	_, err := briefly("rt_sigprocmask", how).replayed(func() (int, error) {
		if onMain() {
			settle(currentMask())
			err := unix.PthreadSigmask(how, set, &old)
			block(currentMask())
			return 0, err
		}
		for signo := range signalsIn(caught.Load()) {
			defer waitNested(signo)()
		}
		err := unix.PthreadSigmask(how, set, &old)
		noteMask()
		return 0, err
	}, &old.Val[0])
	if oldset != nil && err == nil {
		*oldset = old
	}
	return err
}

// Sigsuspend is the system call sigsuspend, see sigsuspend(2): it waits until the handler of a
// signal that is not in mask has returned, and returns EINTR. In the meantime mask replaces
// what [Sigprocmask] has set. A signal that is pending because it was blocked is not lost: it
// ends the wait if mask lets it through. Only main can call Sigsuspend.
func Sigsuspend(mask *unix.Sigset_t) error {
	if mask == nil {
		return unix.EFAULT
	}
	if onMain() {
		waitHandlers() // those of the signals that have arrived before do not end it
	}
	return waitForHandler("sigsuspend", mask.Val[0], handlersReturned.Load())
}

// waitForHandler waits until more handlers than before have returned. In the meantime main
// blocks the signals in set.
func waitForHandler(name string, set uint64, before uint32) error {
	if !onMain() {
		Fatal("pause error: only main can call Pause and Sigsuspend, not a signal handler or another goroutine")
	}
	_, err := asleep(name).replayed(func() (int, error) {
		return whileBlocking(set, func(mask unix.Sigset_t) (int, error) {
			for waitHandlers(); handlersReturned.Load() == before; waitHandlers() {
				unix.Syscall(unix.SYS_RT_SIGSUSPEND, uintptr(unsafe.Pointer(&mask)), unsafe.Sizeof(mask.Val[0]), 0)
			}
			return -1, unix.EINTR
		})
	})
	return err
}

// whileBlocking makes a call that takes a mask, and for as long as the call takes, main blocks
// the signals in set.
func whileBlocking(set uint64, do func(mask unix.Sigset_t) (int, error)) (int, error) {
	settle(currentMask())
	heldBefore := suspend(set)
	result, err := do(unix.Sigset_t{Val: [16]uint64{set &^ bit(sigThread)}})
	waitHandlers() // before the signals are blocked again
	block(heldBefore)
	return result, err
}

// Kill is the system call kill, see kill(2). It returns the error. When main or a handler sends
// a signal to its own process or process group, the signal's handler returns before Kill does, as
// in C, unless the caller has blocked the signal. If it was sent to the process, strace shows the
// call as tgkill. A signal that is sent with unix.Kill may arrive a moment later, on another
// thread. A SIGCHLD that is sent to a child may be lost (see Signals sent to a new child).
func Kill(pid int, signo unix.Signal) error {
	return briefly("kill", pid, int(signo)).skippedErr(func() error {
		alone := pid == unix.Getpid()
		toItself := isSignal(signo) && (alone || pid == 0 || pid == -unix.Getpgrp())
		blocked := toItself && currentMask()&bit(signo) != 0
		if toItself && !blocked {
			defer waitNested(signo)()
		}
		if alone && toItself && !blocked { // or the kernel might give the signal to another thread
			err := unix.Tgkill(pid, unix.Gettid(), signo)
			if (stops|bit(unix.SIGSTOP))&bit(signo) != 0 {
				settle(caught.Load()) // what has come during the stop may be on its way to another thread
			}
			return err
		}
		err := unix.Kill(pid, signo)
		if toItself && !onMain() { // for main, waitHandlers or Sigprocmask does this
			settle(bit(signo))
		}
		return err
	})
}

// Sigemptyset empties a set, see sigsetops(3).
func Sigemptyset(set *unix.Sigset_t) { *set = unix.Sigset_t{} }

// Sigfillset puts all signals except 32 and 33 into a set, see sigsetops(3).
func Sigfillset(set *unix.Sigset_t) { *set = unix.Sigset_t{Val: [16]uint64{^uint64(libraries)}} }

// Sigaddset puts a signal into a set, see sigsetops(3). For a number that is no signal, and for
// 32 and 33, it returns EINVAL.
func Sigaddset(set *unix.Sigset_t, signo unix.Signal) error {
	if !isSignal(signo) || libraries&bit(signo) != 0 {
		return unix.EINVAL
	}
	set.Val[0] |= bit(signo)
	return nil
}

// Sigdelset takes a signal out of a set, see sigsetops(3). For a number that is no signal, and
// for 32 and 33, it returns EINVAL.
func Sigdelset(set *unix.Sigset_t, signo unix.Signal) error {
	if !isSignal(signo) || libraries&bit(signo) != 0 {
		return unix.EINVAL
	}
	set.Val[0] &^= bit(signo)
	return nil
}

// Sigismember tells whether a signal is in a set, see sigsetops(3).
func Sigismember(set *unix.Sigset_t, signo unix.Signal) bool {
	return isSignal(signo) && set.Val[0]&bit(signo) != 0
}
