//go:build linux && (amd64 || arm64)

package unp

import (
	"math/bits"
	"os"
	ossignal "os/signal"
	"reflect"
	"runtime"
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
// what is unsafe in C, such as printf, is safe. Before and after each system call that main
// makes through unp, main waits for the handlers of the signals that have come, as in C,
// where main is what a handler interrupts.

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

// sigThread is a signal with which the runtime has its threads make a system call. A thread
// that gets it for another reason, such as main's from wakeMain, does nothing.
const sigThread unix.Signal = 33

// A catcher calls the handler of one signal.
type catcher struct {
	act     sigactiont     // what sigaction has set
	kernel  ksigaction     // what the kernel has been given for it
	pending chan os.Signal // nil until the catcher has started; room for one, as signals are not queued
	running sync.Mutex     // held while the handler runs, and by main while it blocks the signal
}

var (
	goAction ksigaction      // how the runtime catches any signal
	catchers [1 + 64]catcher // by signal number
	mu       sync.Mutex      // a handler, on its own thread, may call what main calls
	caught   atomic.Uint64   // the signals whose catchers have started
	blocked  atomic.Uint64   // the signals that main blocks
	returned atomic.Uint32   // how many handlers have returned
	seen     atomic.Uint32   // what returned was when main last waited for handlers
	taking   atomic.Int32    // the kind of the step that main is taking, or slow in a call that is none

	// The signals that the runtime needs.
	needed = bit(unix.SIGSEGV) | bit(unix.SIGBUS) | bit(unix.SIGFPE) | bit(sigThread)
)

func bit(signo unix.Signal) uint64 { return 1 << (signo - 1) }

// asInC sets the signals that the runtime catches back to their default, except those
// that it needs. SIGURG, with which it interrupts its threads, is not among those: at
// its default it interrupts nothing. Signals that are ignored stay so.
func asInC() {
	rtSigaction(unix.SIGURG, nil, &goAction)
	for signo := unix.Signal(1); signo <= 64; signo++ {
		var old ksigaction
		if needed&bit(signo) != 0 {
			continue
		} else if rtSigaction(signo, &ksigaction{}, &old); old.handler == 1 && !retracing.Load() {
			ignored |= bit(signo)
		}
		if ignored&bit(signo) != 0 {
			catchers[signo].act.handler = SIG_IGN
			catchers[signo].install(signo)
		}
	}
}

func sigaction(signo unix.Signal, act, oact *sigactiont) error {
	if signo < 1 || signo > 64 || signo == unix.SIGKILL || signo == unix.SIGSTOP || 32 <= signo && signo <= 34 { // the last are for threads
		return unix.EINVAL
	} else if onMain() {
		if taking.Load() != none {
			ErrQuit("signal error: main cannot call Signal inside Once, because a child would not call it")
		}
		waitHandlers() // a signal that has already come is for the previous handler
	}
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
	c.start(signo)
	rtSigaction(signo, &c.kernel, &ksigaction{}) // so that strace shows what it was
}

func rtSigaction(signo unix.Signal, act, oact *ksigaction) {
	unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(signo), uintptr(unsafe.Pointer(act)), uintptr(unsafe.Pointer(oact)), 8, 0, 0)
}

// sigmask changes the signals that the calling thread blocks, and returns those that it
// blocked before.
func sigmask(how int, set uint64) uint64 {
	var old unix.Sigset_t
	unix.PthreadSigmask(how, &unix.Sigset_t{Val: [16]uint64{set}}, &old)
	return old.Val[0]
}

// start begins to catch a signal, unless it is at its default or ignored. (SIGPIPE is
// caught even if it is ignored: os.File asks the runtime, not the kernel, whether to die of
// EPIPE.) While main retraces, nothing is caught. Notify may set a disposition of its own,
// so install calls start first.
func (c *catcher) start(signo unix.Signal) {
	if c.pending == nil && !retracing.Load() && (c.kernel.handler > 1 || c.kernel.handler == 1 && signo == unix.SIGPIPE) {
		wake := make(chan os.Signal, 1)
		wake <- signo // it may come between the two
		c.pending = make(chan os.Signal, 1)
		ossignal.Notify(c.pending, signo)
		ossignal.Notify(wake, signo)
		go c.catch(signo, wake)
		caught.Or(bit(signo))
	}
}

// catch calls the handler, on a thread that blocks what main does.
func (c *catcher) catch(signo unix.Signal, wake chan os.Signal) {
	runtime.LockOSThread()
	mu.Lock() // until all catchers of a new child have started: this thread may take the signal of any
	sigmask(unix.SIG_SETMASK, blocked.Load())
	mu.Unlock()
	for range wake {
		ossignal.Notify(wake, signo) // returns when pending has it too
		c.running.Lock()
		for len(c.pending) > 0 {
			<-c.pending
			mu.Lock()
			act, ignored := c.act, c.kernel.handler == 1
			mu.Unlock()
			if ignored {
				continue // SIGPIPE
			} else if act.handler == nil { // main has unblocked it, or the handler has just set its default
				unix.Kill(unix.Getpid(), signo)
				continue
			}
			act.handler(signo)
			returned.Add(1)
			interrupted := func(how int32) bool { return how == sleep || how >= accept && act.flags&_SA_RESTART == 0 }
			for tries := 1; interrupted(taking.Load()); tries++ {
				if tries%100 == 0 { // the kernel has given the signal to another thread
					wakeMain(0)
				}
				unix.Nanosleep(&unix.Timespec{Nsec: 200_000}, nil) // main may be on its way out of the call
			}
		}
		c.running.Unlock()
	}
}

// waitHandlers makes main wait while a handler runs, unless main blocks that handler's
// signal. Only main calls it: a handler, on its own thread, does not wait.
func waitHandlers() {
	signals := caught.Load()
	if signals == 0 || taking.Load() == fork {
		return
	}
	passed := make(chan os.Signal, 1)
	ossignal.Notify(passed, unix.Signal(bits.Len64(signals)))
	ossignal.Stop(passed) // returns when os/signal has passed on every signal that has come

	// One after another leaves the set, the lowest first.
	for signals &^= blocked.Load(); signals != 0; {
		c := &catchers[1+bits.TrailingZeros64(signals)]
		if !c.running.TryLock() {
			how := taking.Swap(plain) // the handler does not interrupt main's call, it holds main up
			c.running.Lock()          // when the handler has returned
			taking.Store(how)
			defer waitHandlers() // for what has come meanwhile
		}
		pending := len(c.pending) > 0
		if c.running.Unlock(); pending {
			runtime.Gosched() // the catcher is about to take it
		} else {
			signals &= signals - 1
		}
	}
	seen.Store(returned.Load())
}

// wakeMain interrupts main's system call. If flags is SA_RESTART, the kernel makes the call
// again; if it is 0, the call fails with EINTR. wakeMain does not use tgkill, since in a
// program built with cgo the C library takes sigThread from tgkill for its own.
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
	defer taking.Store(taking.Swap(plain)) // no handler waits for main meanwhile
	set &^= bit(unix.SIGURG)               // init may have blocked it
	changed := (blocked.Swap(set) ^ set) &^ needed
	for signo := unix.Signal(1); signo <= 64; signo++ {
		if c := &catchers[signo]; changed&bit(signo) != 0 {
			if set&bit(signo) != 0 {
				c.running.Lock()
			} else {
				defer c.running.Unlock()
			}
			mu.Lock()
			c.install(signo)
			mu.Unlock()
		}
	}
}

// sigprocmask blocks signals for the process: main's thread does not take them, and the
// catchers hold back what other threads take. In a handler it is for that thread alone.
func sigprocmask(how int, set, oldset *unix.Sigset_t) error {
	if oldset == nil {
		oldset = new(unix.Sigset_t)
	}
	if set != nil { // sigThread is not for programs
		set = &unix.Sigset_t{Val: [16]uint64{set.Val[0] &^ bit(sigThread)}}
	}
	_, err := new(step).take(plain, func() (int, error) {
		err := unix.PthreadSigmask(how, set, oldset)
		if onMain() {
			block(sigmask(unix.SIG_BLOCK, 0))
		}
		return 0, err
	}, &oldset.Val[0])
	return err
}

// Sigsuspend is the system call sigsuspend: it waits until the handler of a signal that
// is not in mask has returned. Meanwhile mask replaces what [Sigprocmask] has set. A
// signal that was blocked until then is not lost.
func Sigsuspend(mask *unix.Sigset_t) {
	waitHandlers() // those of the signals that have come before do not end it
	suspend(mask.Val[0], returned.Load())
}

// suspend waits until more handlers than before have returned. Meanwhile main blocks the
// signals of this set.
func suspend(set uint64, before uint32) {
	if !onMain() {
		ErrQuit("pause error: only main can call Pause and Sigsuspend, not a signal handler or another goroutine")
	}
	new(step).take(sleep, func() (int, error) {
		thread, process := sigmask(unix.SIG_BLOCK, bit(sigThread)), blocked.Load() // sigThread until main sleeps
		block(set)
		set &^= bit(sigThread)
		for waitHandlers(); returned.Load() == before; waitHandlers() {
			unix.Syscall(unix.SYS_RT_SIGSUSPEND, uintptr(unsafe.Pointer(&set)), unsafe.Sizeof(set), 0)
		}
		block(process)
		sigmask(unix.SIG_SETMASK, thread)
		return 0, nil
	})
}
