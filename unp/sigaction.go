//go:build linux && (amd64 || arm64)

package unp

import (
	"os"
	ossignal "os/signal"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sigaction(2), sigprocmask(2) and sigsuspend(2) on top of the Go runtime.
//
// The kernel gets the disposition and the flags asked for, but the handler that it
// calls is the runtime's, because a Go function cannot run where a signal strikes. The
// runtime hands the signal to package os/signal, which passes it on to a goroutine, the
// signal's catcher. The catcher calls the handler, on a thread of its own, where even
// what is unsafe in C, such as printf, is safe. Before and after each system call that
// main makes through unp it waits for the handlers of the signals that have come, as in
// C, where main is what a handler interrupts.

// sigactiont is struct sigaction without sa_mask, which the listings leave empty. No
// handler interrupts itself.
type sigactiont struct {
	handler Sigfunc
	flags   uint64
}

// ksigaction is what rt_sigaction(2) takes, on amd64 as on arm64. Its handler may also
// be 0 for SIG_DFL or 1 for SIG_IGN.
type ksigaction struct{ handler, flags, restorer, mask uint64 }

const _SA_RESTART = 0x10000000

// sigThread is a signal with which the runtime has its threads make a system call. A
// thread that gets it for another reason does nothing, and neither does main.
const sigThread unix.Signal = 33

// How main sleeps. A handler with SA_RESTART interrupts Sleep, and does not interrupt
// accept.
const (
	awake = iota
	restarts
	interrupted
)

// A catcher calls the handler of one signal.
type catcher struct {
	act     sigactiont     // what sigaction has set
	kernel  ksigaction     // what the kernel has been given for it
	pending chan os.Signal // nil until the catcher has started; room for one, as signals are not queued
	running sync.Mutex     // held while the handler runs, and by main while it blocks the signal
}

var (
	needed   = []unix.Signal{unix.SIGSEGV, unix.SIGBUS, unix.SIGFPE, sigThread} // by the runtime
	goAction ksigaction                                                         // how the runtime catches any signal
	catchers [1 + 64]catcher                                                    // by signal number
	caught   []unix.Signal                                                      // those whose catchers have started
	mu       sync.Mutex                                                         // a handler, on its own thread, may call what main calls
	blocked  atomic.Uint64                                                      // what main blocks
	returned atomic.Uint32                                                      // how many handlers have
	seen     atomic.Uint32                                                      // how many had when main last waited for them
	asleep   atomic.Int32                                                       // how main sleeps in a system call, if it does
)

func bit(signo unix.Signal) uint64 { return 1 << (signo - 1) }

// asInC sets the signals that the runtime catches back to their default, except those
// that it needs. SIGURG, with which it interrupts its threads, is not among those: at
// its default it interrupts nothing. Signals that are ignored stay so.
func asInC() {
	rtSigaction(unix.SIGURG, nil, &goAction)
	for signo := unix.Signal(1); signo <= 64; signo++ {
		var old ksigaction
		if slices.Contains(needed, signo) {
			continue
		} else if rtSigaction(signo, &ksigaction{}, &old); old.handler == 1 && !retracing.Load() {
			inherited.Ignored |= bit(signo)
		}
		if inherited.Ignored&bit(signo) != 0 {
			catchers[signo].act.handler = SIG_IGN
			catchers[signo].install(signo)
		}
	}
}

// traced tells whether strace or a debugger traces this process.
func traced() bool {
	status := make([]byte, 4096)
	fd, _ := unix.Open("/proc/self/status", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	n, _ := unix.Read(fd, status)
	unix.Close(fd)
	return !strings.Contains(string(status[:max(n, 0)]), "TracerPid:\t0\n")
}

func sigaction(signo unix.Signal, act, oact *sigactiont) error {
	if signo < 1 || signo > 64 || signo == unix.SIGKILL || signo == unix.SIGSTOP || 32 <= signo && signo <= 34 { // the last are for threads
		return unix.EINVAL
	} else if onMain() && once {
		ErrQuit("signal error: main cannot call Signal inside Once, because a child would not call it")
	}
	waitHandlers() // a signal that has come by now is for the handler before
	mu.Lock()
	defer mu.Unlock()
	*oact, catchers[signo].act = catchers[signo].act, *act
	catchers[signo].install(signo)
	return nil
}

// install gives the kernel the disposition of a signal. A signal that main blocks is
// caught even at SIG_DFL, since another thread would take it.
func (c *catcher) install(signo unix.Signal) {
	c.kernel = ksigaction{} // SIG_DFL
	if reflect.ValueOf(c.act.handler).Pointer() == reflect.ValueOf(SIG_IGN).Pointer() {
		c.kernel.handler = 1
	} else if c.act.handler != nil || blocked.Load()&bit(signo) != 0 {
		c.kernel = goAction
		c.kernel.flags = goAction.flags&^_SA_RESTART | c.act.flags
	}
	if !retracing.Load() && c.kernel.handler != 0 { // else when main has reached its fork
		c.start(signo, threadMask())
	}
	rtSigaction(signo, &c.kernel, &ksigaction{}) // so that strace shows what it was
}

func rtSigaction(signo unix.Signal, act, oact *ksigaction) {
	unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(signo), uintptr(unsafe.Pointer(act)), uintptr(unsafe.Pointer(oact)), 8, 0, 0)
}

// threadMask returns the signals that the calling thread blocks.
func threadMask() (mask unix.Sigset_t) {
	unix.PthreadSigmask(unix.SIG_BLOCK, nil, &mask)
	return mask
}

// start begins to catch a signal, unless it is at its default or ignored. (SIGPIPE is
// caught even so: os.File asks the runtime, not the kernel, whether to die of EPIPE.)
// The catcher's thread blocks what main's does. Notify may set a disposition of its own.
func (c *catcher) start(signo unix.Signal, mask unix.Sigset_t) {
	if c.pending == nil && (c.kernel.handler > 1 || c.kernel.handler == 1 && signo == unix.SIGPIPE) {
		wake := make(chan os.Signal, 1)
		wake <- signo // it may come between the two
		c.pending = make(chan os.Signal, 1)
		ossignal.Notify(c.pending, signo)
		ossignal.Notify(wake, signo)
		go c.catch(signo, mask, wake)
		caught = append(caught, signo)
	}
}

func (c *catcher) catch(signo unix.Signal, mask unix.Sigset_t, wake chan os.Signal) {
	runtime.LockOSThread()
	mu.Lock() // until all catchers of a new child have started: this thread may take the signal of any
	unix.PthreadSigmask(unix.SIG_SETMASK, &mask, nil)
	mu.Unlock()
	for range wake {
		ossignal.Notify(wake, signo) // returns when pending has it too
		c.running.Lock()
		for len(c.pending) > 0 {
			<-c.pending
			mu.Lock()
			handler, flags := c.act.handler, c.act.flags
			mu.Unlock()
			if handler != nil {
				handler(signo)
			} else { // it is at its default, since main has unblocked it or the handler has just set that
				unix.Kill(unix.Getpid(), signo)
			}
			returned.Add(1)
			if interrupts(flags) {
				unix.Nanosleep(&unix.Timespec{Nsec: 20e6}, nil) // main may be on its way out of the call
			}
			if interrupts(flags) { // no, the kernel has given the signal to another thread
				wakeMain(0)
			}
		}
		c.running.Unlock()
	}
}

// interrupts tells whether main sleeps in a call that a handler with these flags interrupts.
func interrupts(flags uint64) bool {
	how := asleep.Load()
	return how == interrupted || how == restarts && flags&_SA_RESTART == 0
}

// waitHandlers lets main stand still while a handler runs, except that of a signal that
// main blocks. A handler, on its own thread, does not wait.
func waitHandlers() {
	mu.Lock()
	signals := caught
	mu.Unlock()
	if len(signals) == 0 {
		return
	}
	passed := make(chan os.Signal, 1)
	ossignal.Notify(passed, signals[0])
	ossignal.Stop(passed) // returns when os/signal has passed on every signal that has come
	for _, signo := range signals {
		c := &catchers[signo]
		if blocked.Load()&bit(signo) != 0 {
			continue
		} else if len(c.pending) == 0 && c.running.TryLock() {
			c.running.Unlock()
			continue
		} else if !onMain() {
			return
		}
		for len(c.pending) > 0 {
			runtime.Gosched() // the catcher is about to take it
		}
		c.running.Lock() // when the handler has returned
		seen.Store(returned.Load())
		c.running.Unlock()
		waitHandlers() // for what has come meanwhile
	}
	seen.Store(returned.Load())
}

// wakeMain interrupts main's system call. With SA_RESTART the kernel makes the call again,
// with 0 it fails with EINTR. wakeMain does not use tgkill, since in a program built with
// cgo the C library takes sigThread from tgkill for its own.
func wakeMain(flags uint64) {
	var act ksigaction
	rtSigaction(sigThread, nil, &act)
	act.flags = act.flags&^_SA_RESTART | flags
	rtSigaction(sigThread, &act, nil)
	info := [32]int32{int32(sigThread), 0, -1} // SI_QUEUE
	unix.RawSyscall6(unix.SYS_RT_TGSIGQUEUEINFO, uintptr(unix.Getpid()), uintptr(unix.Getpid()), uintptr(sigThread), uintptr(unsafe.Pointer(&info)), 0, 0)
}

// block makes the catchers hold back the signals of this set, and no others.
func block(set uint64) {
	set &^= bit(unix.SIGURG) // init may have blocked it
	changed := blocked.Swap(set) ^ set
	for signo := unix.Signal(1); signo <= 64; signo++ {
		if c := &catchers[signo]; changed&bit(signo) != 0 && !slices.Contains(needed, signo) {
			if set&bit(signo) != 0 {
				c.running.Lock()
			} else {
				defer c.running.Unlock()
			}
			if mu.Lock(); c.act.handler == nil {
				c.install(signo)
			}
			mu.Unlock()
		}
	}
}

// sigprocmask blocks signals for the process: main's thread does not take them, and the
// catchers hold back what other threads take. In a handler it is for that thread alone.
func sigprocmask(how int, set, oldset *unix.Sigset_t) error {
	var s step
	var old unix.Sigset_t
	_, err := s.take(func() (int, error) {
		err := unix.PthreadSigmask(how, set, &old)
		if onMain() {
			block(threadMask().Val[0])
		}
		return 0, err
	}, &old.Val[0])
	if oldset != nil {
		*oldset = old
	}
	return err
}

// Sigsuspend is the system call sigsuspend: it waits until the handler of a signal that
// is not in mask has returned. Meanwhile mask stands for what [Sigprocmask] has set. A
// signal that was blocked until then is not lost.
func Sigsuspend(mask *unix.Sigset_t) {
	var s step
	s.take(func() (int, error) {
		before, old, set := returned.Load(), threadMask(), *mask
		set.Val[0] &^= bit(sigThread)
		unix.PthreadSigmask(unix.SIG_BLOCK, &unix.Sigset_t{Val: [16]uint64{bit(sigThread)}}, nil) // until main sleeps
		block(set.Val[0])
		for waitHandlers(); returned.Load() == before; waitHandlers() {
			s.sleep(interrupted)
			unix.Syscall(unix.SYS_RT_SIGSUSPEND, uintptr(unsafe.Pointer(&set)), unsafe.Sizeof(set.Val[0]), 0)
			s.sleep(awake)
		}
		block(old.Val[0])
		unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil)
		return 0, nil
	})
}
