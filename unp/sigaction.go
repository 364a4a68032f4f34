//go:build linux && (amd64 || arm64)

package unp

import (
	"bytes"
	"os"
	ossignal "os/signal"
	"reflect"
	"runtime"
	"slices"
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

// A catcher calls the handler of one signal.
type catcher struct {
	act    sigactiont     // what sigaction has set
	kernel ksigaction     // what the kernel has been given for it
	sigs   chan os.Signal // nil until the catcher has started; room for one, as signals are not queued
	idle   chan struct{}  // can be received from while no handler runs
}

var (
	refused  = []unix.Signal{unix.SIGKILL, unix.SIGSTOP, 32, 33, 34} // by sigaction; the last three are for threads
	needed   = []unix.Signal{unix.SIGSEGV, unix.SIGBUS, unix.SIGFPE} // by the runtime
	goAction ksigaction                                              // how the runtime catches any signal

	mu        sync.Mutex      // a handler, on its own thread, may call what main calls
	catchers  [1 + 64]catcher // by signal number
	caught    []unix.Signal   // those whose catchers have started
	blocked   uint64          // by Sigprocmask; only main changes it
	unblocked = sync.NewCond(&mu)

	arrived   = make(chan os.Signal, 1) // full if a signal may have come since main last waited
	returned  atomic.Uint32             // how many handlers have
	seen      uint32                    // by main: how many of them
	suspended atomic.Bool               // main is in Sigsuspend
)

func bit(signo unix.Signal) uint64 { return 1 << (signo - 1) }

// asInC sets the signals that the runtime catches back to their default, except those
// that it needs. SIGURG, with which it interrupts its threads, is not among those: at
// its default it interrupts nothing. Signals that are ignored stay so.
func asInC() {
	rtSigaction(unix.SIGURG, nil, &goAction)
	for signo := unix.Signal(1); signo <= 64; signo++ {
		if slices.Contains(refused, signo) || slices.Contains(needed, signo) {
			continue
		}
		var now ksigaction
		rtSigaction(signo, &ksigaction{}, &now)
		if !retracing.Load() && now.handler == 1 {
			inherited.Ignored |= bit(signo)
		}
		if inherited.Ignored&bit(signo) != 0 {
			catchers[signo] = catcher{act: sigactiont{handler: SIG_IGN}, kernel: ksigaction{handler: 1}}
			rtSigaction(signo, &ksigaction{handler: 1}, nil)
		}
	}
	if !retracing.Load() {
		blocked = threadMask().Val[0]
	}
}

// traced tells whether strace or a debugger sees every signal, even an ignored SIGURG.
func traced() bool {
	var status [4096]byte
	fd, _ := unix.Open("/proc/self/status", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	n, _ := unix.Read(fd, status[:])
	unix.Close(fd)
	return !bytes.Contains(status[:max(n, 0)], []byte("TracerPid:\t0\n"))
}

func sigaction(signo unix.Signal, act, oact *sigactiont) error {
	if signo < 1 || signo > 64 || slices.Contains(refused, signo) {
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
	} else if c.act.handler != nil || blocked&bit(signo) != 0 {
		c.kernel = goAction
		c.kernel.flags = goAction.flags&^_SA_RESTART | c.act.flags
	}
	if !retracing.Load() { // else when main has reached its fork
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
	if c.sigs != nil || c.kernel.handler == 0 || c.kernel.handler == 1 && signo != unix.SIGPIPE {
		return
	}
	c.sigs, c.idle = make(chan os.Signal, 1), make(chan struct{})
	go c.catch(signo, mask)
	ossignal.Notify(c.sigs, signo)
	ossignal.Notify(arrived, signo)
	mayHaveArrived() // between the two
	caught = append(caught, signo)
}

func mayHaveArrived() {
	select {
	case arrived <- nil:
	default:
	}
}

func (c *catcher) catch(signo unix.Signal, mask unix.Sigset_t) {
	runtime.LockOSThread()
	mu.Lock() // when all catchers of a new child have started: this thread may take the signal of any
	unix.PthreadSigmask(unix.SIG_SETMASK, &mask, nil)
	mu.Unlock()
	for {
		select {
		case <-c.sigs:
			if handler := c.handler(signo); handler != nil {
				handler(signo)
			} else { // it is at its default: main has unblocked it, or the handler has just set that
				unix.Kill(unix.Getpid(), signo)
			}
			if returned.Add(1); suspended.Load() {
				wakeMain()
			}
		case c.idle <- struct{}{}:
		}
	}
}

// handler returns the signal's handler, once main does not block the signal. What has
// come by then is one signal.
func (c *catcher) handler(signo unix.Signal) Sigfunc {
	mu.Lock()
	defer mu.Unlock()
	for blocked&bit(signo) != 0 {
		unblocked.Wait()
	}
	select {
	case <-c.sigs:
	default:
	}
	return c.act.handler
}

// wait returns when the handler has returned, for any signal that has come by now.
func (c *catcher) wait() {
	for {
		waiting := len(c.sigs) > 0
		<-c.idle
		if !waiting { // else the catcher may have said that it is idle before it takes the signal
			return
		}
	}
}

// waitHandlers lets main stand still while a handler runs, except that of a signal that
// main blocks. A handler, on its own thread, does not wait.
func waitHandlers() {
	for {
		mu.Lock()
		signals := caught
		mu.Unlock()
		if len(signals) == 0 {
			return
		}
		passed := make(chan os.Signal, 1)
		ossignal.Notify(passed, signals[0])
		ossignal.Stop(passed) // returns when os/signal has passed on every signal that has come
		if len(arrived) == 0 || !onMain() {
			return
		}
		<-arrived
		for _, signo := range signals {
			if blocked&bit(signo) == 0 {
				catchers[signo].wait()
			}
		}
		seen = returned.Load()
	}
}

// wakeMain interrupts main's system call, which the kernel then restarts.
func wakeMain() { unix.Tgkill(unix.Getpid(), unix.Getpid(), sigThread) }

// setBlocked makes catchers hold back the signals of this set, and no others.
func setBlocked(set uint64) {
	mu.Lock()
	defer mu.Unlock()
	changed := blocked ^ set
	blocked = set
	for signo := unix.Signal(1); signo <= 64; signo++ {
		if changed&bit(signo) != 0 && catchers[signo].act.handler == nil && !slices.Contains(refused, signo) && !slices.Contains(needed, signo) {
			catchers[signo].install(signo)
		}
	}
	unblocked.Broadcast()
	mayHaveArrived() // what was held back
}

// sigprocmask blocks signals for the process: main's thread does not take them, and the
// catchers hold back what other threads take.
func sigprocmask(how int, set, oldset *unix.Sigset_t) error {
	var s step
	var old uint64
	_, err := s.take(func() (int, error) {
		old = blocked
		if set == nil {
			return 0, nil
		}
		news, ok := map[int]uint64{
			unix.SIG_BLOCK:   old | set.Val[0],
			unix.SIG_UNBLOCK: old &^ set.Val[0],
			unix.SIG_SETMASK: set.Val[0],
		}[how]
		if !ok {
			return -1, unix.EINVAL
		}
		err := unix.PthreadSigmask(how, set, nil)
		if onMain() { // else until the handler returns, and for its thread
			setBlocked(news &^ (bit(unix.SIGKILL) | bit(unix.SIGSTOP)))
		}
		return 0, err
	}, &old)
	if oldset != nil {
		*oldset = unix.Sigset_t{Val: [16]uint64{old}}
	}
	return err
}

// Sigsuspend is the system call sigsuspend: it waits until the handler of a signal that
// is not in mask has returned. Meanwhile mask stands for what [Sigprocmask] has set. A
// signal that was blocked until then is not lost.
func Sigsuspend(mask *unix.Sigset_t) {
	call(func() error {
		before, old, set := seen, blocked, *mask
		threads, thread := threadMask(), unix.Sigset_t{Val: [16]uint64{bit(sigThread)}}
		unix.PthreadSigmask(unix.SIG_BLOCK, &thread, nil) // it comes when main sleeps, not before
		set.Val[0] &^= bit(sigThread)
		suspended.Store(true)
		setBlocked(set.Val[0])
		for waitHandlers(); seen == before; waitHandlers() {
			unix.Syscall(unix.SYS_RT_SIGSUSPEND, uintptr(unsafe.Pointer(&set)), 8, 0)
		}
		suspended.Store(false)
		setBlocked(old)
		unix.PthreadSigmask(unix.SIG_SETMASK, &threads, nil)
		return nil
	})
}
