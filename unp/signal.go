//go:build linux && (amd64 || arm64)

package unp

import (
	"os"
	ossignal "os/signal"
	"reflect"
	"slices"
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
	err := sigaction(signo, &act, &oact)
	return oact.handler, err
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
// flags asked for, but the handler it calls is the Go runtime's: a Go function
// cannot run where a signal strikes. The runtime passes the signal on, and a
// goroutine calls the handler on a thread of its own, where it may do anything,
// even what is unsafe in C, such as printf.

// sigactiont is struct sigaction, but for sa_mask, which is always empty here: a
// handler does not interrupt itself.
type sigactiont struct {
	handler Sigfunc
	flags   uint64
}

// ksigaction is what rt_sigaction(2) takes, on amd64 as on arm64.
type ksigaction struct {
	handler  uintptr // 0 is SIG_DFL, 1 is SIG_IGN
	flags    uint64
	restorer uintptr
	mask     uint64
}

const _SA_RESTART = 0x10000000

var (
	goAction ksigaction // how the runtime catches any signal; init notes it
	sigMu    sync.Mutex
	catchers [1 + 64]catcher // by signal number
)

// A catcher calls the handler of one signal.
type catcher struct {
	handler Sigfunc
	sigs    chan os.Signal // room for one: signals are not queued
	idle    chan struct{}  // can be received from while no handler runs
}

func sigaction(signo unix.Signal, act, oact *sigactiont) error {
	// threads use the last three
	if signo < 1 || signo > 64 || slices.Contains([]unix.Signal{unix.SIGKILL, unix.SIGSTOP, 32, 33, 34}, signo) {
		return unix.EINVAL
	}
	sigMu.Lock()
	defer sigMu.Unlock()

	var kact, okact ksigaction
	c := &catchers[signo]
	oact.handler = c.handler
	switch {
	case act.handler == nil:
	case reflect.ValueOf(act.handler).Pointer() == reflect.ValueOf(SIG_IGN).Pointer():
		kact.handler = 1
	default:
		kact = goAction
		kact.flags = kact.flags&^_SA_RESTART | act.flags
		c.handler = act.handler
		c.start(signo)
	}
	rtSigaction(signo, &kact, &okact)
	if okact.handler <= 1 {
		oact.handler = []Sigfunc{SIG_DFL, SIG_IGN}[okact.handler]
	}
	return nil
}

func rtSigaction(signo unix.Signal, act, oact *ksigaction) {
	unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(signo), uintptr(unsafe.Pointer(act)), uintptr(unsafe.Pointer(oact)), unsafe.Sizeof(act.mask), 0, 0)
}

// start has the runtime pass the signal on. That takes threads, and a child
// whose handler is for SIGCHLD only may never need them: it has no children yet.
// So there Fork calls start, when it has.
func (c *catcher) start(signo unix.Signal) {
	if c.handler != nil && c.sigs == nil && (signo != unix.SIGCHLD || !resuming.Load()) {
		c.sigs, c.idle = make(chan os.Signal, 1), make(chan struct{})
		go c.loop(signo)
		ossignal.Notify(c.sigs, signo)
	}
}

func (c *catcher) loop(signo unix.Signal) {
	for {
		select {
		case <-c.sigs:
			sigMu.Lock()
			handler := c.handler
			sigMu.Unlock()
			handler(signo)
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
		if c.sigs == nil {
			continue
		}
		// Stop returns when the runtime has passed on every signal it holds.
		passed := make(chan os.Signal, 1)
		ossignal.Notify(passed, unix.Signal(signo))
		ossignal.Stop(passed)
		for len(c.sigs) > 0 {
			<-c.idle
		}
		<-c.idle
	}
}
