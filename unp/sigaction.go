//go:build linux && (amd64 || arm64)

package unp

import (
	"os"
	ossignal "os/signal"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sigaction(2) on top of the Go runtime.
//
// The kernel gets the disposition and the flags asked for, but the handler that
// it calls is the runtime's: a Go function cannot run where a signal strikes. The
// runtime passes the signal on, and a goroutine calls the handler on a thread of
// its own, where it may do anything, even what is unsafe in C, such as printf.
// main waits for it at its next call of unp, as in C, where main is what the
// handler interrupts.

// sigactiont is struct sigaction without sa_mask, which the listings leave empty. No
// handler interrupts itself.
type sigactiont struct {
	handler Sigfunc
	flags   uint64
}

// ksigaction is what rt_sigaction(2) takes, on amd64 as on arm64: the handler (0 is
// SIG_DFL, 1 is SIG_IGN), flags, restorer and mask.
type ksigaction [4]uint64

const _SA_RESTART = 0x10000000

// A catcher holds one signal's disposition and calls its handler.
type catcher struct {
	handler Sigfunc
	kernel  ksigaction
	sigs    chan os.Signal // room for one: no signal is queued here
	idle    chan struct{}  // can be received from while no handler runs
}

var (
	fixed = []unix.Signal{unix.SIGKILL, unix.SIGSTOP, 32, 33, 34}              // the last three are for threads
	left  = []unix.Signal{unix.SIGSEGV, unix.SIGBUS, unix.SIGFPE, unix.SIGURG, // the runtime needs these,
		unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, unix.SIGCONT} // and has not touched these
	goAction ksigaction                // how the runtime catches any signal
	mu       sync.Mutex                // a handler, on its own thread, may call what main calls
	catchers [1 + 64]catcher           // by signal number
	catching atomic.Int32              // one of the signals that have a catcher, or 0
	arrived  = make(chan os.Signal, 1) // room for one: some signal came since main last waited
)

// asInC sets the signals that the runtime catches back to their default. It leaves
// those that the runtime needs, and those that are ignored and that it has left so.
func asInC() {
	for signo := unix.Signal(1); signo <= 64; signo++ {
		if ossignal.Ignored(signo) {
			catchers[signo] = catcher{handler: SIG_IGN, kernel: ksigaction{1}}
		} else if !slices.Contains(fixed, signo) && !slices.Contains(left, signo) {
			rtSigaction(signo, &ksigaction{}, &goAction)
		}
	}
}

func sigaction(signo unix.Signal, act, oact *sigactiont) error {
	if signo < 1 || signo > 64 || slices.Contains(fixed, signo) {
		return unix.EINVAL
	}
	await(true) // a signal that has come by now is for the handler before
	mu.Lock()
	defer mu.Unlock()

	c := &catchers[signo]
	oact.handler, c.handler = c.handler, act.handler
	c.kernel = ksigaction{} // SIG_DFL
	if reflect.ValueOf(act.handler).Pointer() == reflect.ValueOf(SIG_IGN).Pointer() {
		c.kernel[0] = 1
	} else if act.handler != nil {
		c.kernel = ksigaction{goAction[0], goAction[1]&^_SA_RESTART | act.flags, goAction[2], goAction[3]}
	}
	c.start(signo)
	rtSigaction(signo, &c.kernel, &ksigaction{}) // so that strace shows what it was
	return nil
}

func rtSigaction(signo unix.Signal, act, oact *ksigaction) {
	unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(signo), uintptr(unsafe.Pointer(act)), uintptr(unsafe.Pointer(oact)), 8, 0, 0)
}

// start has the runtime pass the signal on, if there is a handler for it. SIGPIPE
// is passed on even if it is ignored: os.File asks the runtime, not the kernel,
// whether to die of EPIPE.
func (c *catcher) start(signo unix.Signal) bool {
	if c.sigs != nil || len(ahead) > 0 || c.kernel[0] == 0 || c.kernel[0] == 1 && signo != unix.SIGPIPE {
		return false
	}
	c.sigs, c.idle = make(chan os.Signal, 1), make(chan struct{})
	go c.loop(signo)
	ossignal.Notify(c.sigs, signo)
	ossignal.Notify(arrived, signo)
	catching.Store(int32(signo))
	return true
}

func (c *catcher) loop(signo unix.Signal) {
	for {
		select {
		case <-c.sigs:
			mu.Lock()
			handler := c.handler
			mu.Unlock()
			if handler == nil { // the handler has set SIG_DFL, and the signal came again meanwhile
				unix.Kill(unix.Getpid(), signo)
			} else {
				handler(signo)
			}
		case c.idle <- struct{}{}:
		}
	}
}

// await lets main wait while a handler runs, and tells whether one has. If struck,
// await first lets the runtime pass on a signal that came just before: too costly for
// what a server does for each client. A handler, on its own thread, does not wait.
func await(struck bool) (handled bool) {
	for signo := unix.Signal(catching.Load()); signo != 0; handled = true {
		if struck {
			passed := make(chan os.Signal, 1)
			ossignal.Notify(passed, signo)
			ossignal.Stop(passed) // returns when the runtime has passed on all it holds
		}
		ossignal.Notify(arrived, signo) // returns when arrived has what the catcher has
		if len(arrived) == 0 || unix.Gettid() != unix.Getpid() {
			break
		}
		<-arrived
		mu.Lock()
		started := catchers
		mu.Unlock()
		for _, c := range started {
			for busy := c.sigs != nil; busy; <-c.idle {
				busy = len(c.sigs) > 0
			}
		}
	}
	return handled
}
