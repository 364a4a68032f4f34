//go:build linux && (amd64 || arm64)

package unp

import (
	"os"
	ossignal "os/signal"
	"reflect"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The dispositions that are no function (Figure 5.6).
var (
	SIG_DFL Sigfunc                        // the signal's default action
	SIG_IGN Sigfunc = func(unix.Signal) {} // ignore the signal
)

// signal is Figure 5.6.
func signal(signo unix.Signal, fn Sigfunc) (Sigfunc, error) {
	var act, oact sigactiont

	act.handler = fn
	act.flags = 0
	if signo == unix.SIGALRM {
		// SA_INTERRUPT, of SunOS 4.x: Linux has no such flag
	} else {
		act.flags |= _SA_RESTART // SVR4, 4.4BSD
	}
	if err := sigaction(signo, &act, &oact); err != nil {
		return nil, err
	}
	return oact.handler, nil
}

// Signal sets what the process does when signo arrives: calls fn, or SIG_DFL,
// or SIG_IGN. It returns what it did before. A system call that the handler
// interrupts is restarted by the kernel, but not after SIGALRM (Figure 5.6).
func Signal(signo unix.Signal, fn Sigfunc) Sigfunc { // for our signal() function
	sigfunc, err := signal(signo, fn)
	if err != nil {
		ErrSys(err, "signal error")
	}
	return sigfunc
}

// What follows is sigaction(2) for Go. The kernel gets the disposition and the
// flags asked for, but its handler stays the Go runtime's: a Go function cannot
// run where a signal strikes. The runtime passes the signal on, and a goroutine
// calls fn, on a thread of its own. So fn may do anything, printf included.

// sigactiont is struct sigaction, without the mask: fn never interrupts itself.
type sigactiont struct {
	handler Sigfunc
	flags   uint64
}

const (
	_SA_RESTART = 0x10000000
	_NSIG       = 64
)

// ksigaction is the struct that rt_sigaction(2) takes on amd64 and on arm64.
type ksigaction struct {
	handler  uintptr // 0 is SIG_DFL, 1 is SIG_IGN
	flags    uint64
	restorer uintptr
	mask     uint64
}

// goAction is how the runtime itself catches signals, filled in by init.
var goAction ksigaction

// A catcher calls the handler of one signal.
type catcher struct {
	fn   Sigfunc
	sigs chan os.Signal // room for one: signals are not queued (section 5.8)
	idle chan struct{}  // receives when no handler runs
}

var (
	sigMu    sync.Mutex
	catchers [_NSIG + 1]*catcher
)

func rtSigaction(signo unix.Signal, act, oact *ksigaction) error {
	if _, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(signo), uintptr(unsafe.Pointer(act)), uintptr(unsafe.Pointer(oact)), unsafe.Sizeof(act.mask), 0, 0); errno != 0 {
		return errno
	}
	return nil
}

func sigaction(signo unix.Signal, act, oact *sigactiont) error {
	// Nobody may catch the first two. The last three threads use: the C library
	// 32 and 33, the runtime 34 too.
	switch signo {
	case unix.SIGKILL, unix.SIGSTOP, 32, 33, 34:
		return unix.EINVAL
	}
	if signo < 1 || signo > _NSIG {
		return unix.EINVAL
	}
	sigMu.Lock()
	defer sigMu.Unlock()

	var kact, okact ksigaction
	was := SIG_DFL
	c := catchers[signo]
	if c != nil {
		was = c.fn
	}
	switch {
	case act.handler == nil:
	case isIgn(act.handler):
		kact.handler = 1
	default:
		kact = goAction
		kact.flags = kact.flags&^_SA_RESTART | act.flags
		if c == nil {
			c = &catcher{sigs: make(chan os.Signal, 1), idle: make(chan struct{})}
			catchers[signo] = c
			go c.loop(signo)
			ossignal.Notify(c.sigs, signo)
		}
		c.fn = act.handler
	}
	if err := rtSigaction(signo, &kact, &okact); err != nil {
		return err
	}

	switch okact.handler {
	case 0:
		oact.handler = SIG_DFL
	case 1:
		oact.handler = SIG_IGN
	default:
		oact.handler = was
	}
	return nil
}

func isIgn(fn Sigfunc) bool {
	return reflect.ValueOf(fn).Pointer() == reflect.ValueOf(SIG_IGN).Pointer()
}

func (c *catcher) loop(signo unix.Signal) {
	for {
		select {
		case <-c.sigs:
			sigMu.Lock()
			fn := c.fn
			sigMu.Unlock()
			fn(signo)
		case c.idle <- struct{}{}:
		}
	}
}

// awaitHandlers makes an error that came with a signal (EINTR, or EPIPE after
// SIGPIPE) look as it does in C, where the handler has returned by the time the
// system call does. A handler's own calls, on another thread, do not wait.
func awaitHandlers(err error) {
	if err != unix.EINTR && err != unix.EPIPE || unix.Gettid() != unix.Getpid() {
		return
	}
	sigMu.Lock()
	caught := catchers
	sigMu.Unlock()
	for signo, c := range caught {
		if c == nil {
			continue
		}
		// Stop waits until the runtime has passed on all it holds.
		passed := make(chan os.Signal, 1)
		ossignal.Notify(passed, unix.Signal(signo))
		ossignal.Stop(passed)
		for len(c.sigs) > 0 {
			<-c.idle
		}
		<-c.idle
	}
}
