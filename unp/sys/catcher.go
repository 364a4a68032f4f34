//go:build linux && (amd64 || arm64)

package sys

import (
	"math/bits"
	"os"
	ossignal "os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// sigaction(2) and its relatives, on top of the Go runtime.
//
// The kernel gets the disposition asked for, and those of the flags that it needs, but the
// handler that it calls is the runtime's, because a Go function cannot run at the point where a
// signal interrupts a thread. The runtime hands the signal to package os/signal, which passes it
// to a goroutine, the signal's catcher. The catcher calls the handler, on a thread of its own,
// where even what is unsafe in C, such as printf, is safe. Before and after each system call
// that main makes through this package, main waits for the handlers of the signals that have
// arrived. So none of these calls begins or returns while a handler runs, as in C, where the
// handler interrupts main. Between its calls main does not wait.

// A catcher calls the handler of one signal. A signal that has no handler may be caught too,
// while it is held back; all such signals have one goroutine, see catchOthers.
type catcher struct {
	act     Sigaction_t    // what Sigaction has set
	kernel  ksigaction     // what the kernel has been given for it
	pending chan os.Signal // room for one, because signals are not queued; nil until the signal is caught
	started bool           // the catcher has a goroutine of its own
	thread  int            // where the handler runs, see gettid(2)
	mask    uint64         // what that thread blocks
}

// signals is what a kernel keeps about the signals of a process. Its mutex and the condition
// variable named changed, below, make it a monitor. Functions that use it without locking it,
// such as heldBack, are called while it is locked.
var signals struct {
	sync.Mutex
	catchers      [1 + 64]catcher // by signal number
	installed     uint64          // the signals of which install has been called
	running       uint64          // the signals whose handlers run
	blocked       uint64          // those that main blocks: their handlers wait
	held          bool            // main forks: all handlers wait
	suspended     bool            // main is in sigsuspend or pselect, and no handler has returned yet
	afterward     uint64          // what main blocks again once a handler has returned
	off           bool            // main retraces: nothing is caught
	runtimeAction ksigaction      // how the runtime catches any signal
}

// changed is broadcast when running, blocked or held have changed, or a pending signal has been
// dropped.
var changed = sync.NewCond(&signals)

var (
	caught           atomic.Uint64 // the signals that are caught
	handlersReturned atomic.Uint32 // how many have returned
	seen             uint32        // what handlersReturned was when main last waited for handlers
	mainDoes         atomic.Int32  // an activity
	mainOn           atomic.Int32  // the descriptor on which main may sleep, or -1
	waking           sync.Mutex    // held by whoever wakes main
)

// An activity is what a handler finds main doing.
type activity = int32

const (
	idle  activity = iota // nothing that concerns this package
	brief                 // a call that no handler interrupts
	slow                  // a call that a handler without SA_RESTART interrupts
	sleep                 // a call that any handler interrupts
)

// begin notes what main does. The function that it returns undoes that.
func begin(does activity, on int) (end func()) {
	before, beforeOn := mainDoes.Swap(does), mainOn.Swap(int32(on))
	return func() {
		mainOn.Store(beforeOn)
		mainDoes.Store(before)
	}
}

// forKernel returns the disposition that the kernel is to have for a signal. One that is held
// back is caught, whatever its disposition, because otherwise the kernel would let it act
// through another thread.
func (c *catcher) forKernel(signo unix.Signal) ksigaction {
	flags := uint64(c.act.Flags & (SA_NOCLDSTOP | SA_NOCLDWAIT))
	kernel := signals.runtimeAction
	kernel.flags &^= SA_RESTART
	switch {
	case c.act.Handler != nil && !c.act.ignores():
		kernel.flags |= flags | uint64(c.act.Flags&SA_RESTART)
		return kernel
	case heldBack()&^needed&bit(signo) != 0:
		kernel.flags |= flags | SA_RESTART // no handler interrupts main's call
		if c.act.ignores() && signo == unix.SIGCHLD {
			kernel.flags |= SA_NOCLDWAIT // children leave no zombies, whether SIGCHLD is blocked or not
		}
		return kernel
	case c.act.ignores():
		return ksigaction{handler: kernelIGN, flags: flags}
	}
	return ksigaction{handler: kernelDFL, flags: flags}
}

// heldBack returns the signals that wait: those that main blocks, and those that the threads of
// running handlers block.
func heldBack() uint64 {
	set := signals.blocked
	for signo := range signalsIn(signals.running) {
		set |= signals.catchers[signo].mask
	}
	return set
}

// install gives the kernel the disposition of a signal.
func (c *catcher) install(signo unix.Signal) {
	signals.installed |= bit(signo)
	c.kernel = c.forKernel(signo)
	if signals.off { // the kernel would drop a signal that is pending and ignored on the way
		return
	}
	if c.pending == nil && signals.blocked&bit(signo) != 0 { // it may be pending, and Notify unblocks it
		rtSigaction(signo, &c.kernel, nil)
	}
	c.start(signo)                               // first, because Notify may set a disposition of its own
	rtSigaction(signo, &c.kernel, &ksigaction{}) // so that strace shows the previous one
}

// reinstall gives the kernel the dispositions of the signals in set that are no longer, or not
// yet, held back.
func reinstall(set uint64) {
	defer wakeUpOthers()
	for signo := range signalsIn(set &^ (needed | reserved)) {
		c := &signals.catchers[signo]
		if c.forKernel(signo) != c.kernel {
			c.install(signo)
		}
	}
}

// start begins to catch a signal, unless the kernel has it at its default or ignored. SIGPIPE
// is caught even if it is ignored: after EPIPE, os.File asks the runtime, not the kernel,
// whether the process is to die.
func (c *catcher) start(signo unix.Signal) {
	caughtIfIgnored := signo == unix.SIGPIPE && c.kernel.handler == kernelIGN
	if signals.off || c.started || c.kernel.handler <= kernelIGN && !caughtIfIgnored {
		return
	}
	hasHandler := c.act.Handler != nil && !c.act.ignores()
	isNew := c.pending == nil
	if isNew {
		c.pending = make(chan os.Signal, 1)
		ossignal.Notify(c.pending, signo)
		caught.Or(bit(signo))
	}
	switch {
	case hasHandler:
		c.started = true
		wake := make(chan os.Signal, 1)
		wake <- signo // the signal may have arrived already
		ossignal.Notify(wake, signo)
		go c.catch(signo, wake)
	case isNew:
		startOthers.Do(func() { go catchOthers() })
		ossignal.Notify(wakeOthers, signo)
		wakeUpOthers()
	}
}

// For catchOthers.
var (
	startOthers sync.Once
	wakeOthers  = make(chan os.Signal, 1)
)

// wakeUpOthers has catchOthers look again.
func wakeUpOthers() {
	select {
	case wakeOthers <- nil:
	default: // it is about to look
	}
}

// catchOthers handles the signals that are caught although they have no handler, when nothing
// holds them back anymore. It needs no thread of its own.
func catchOthers() {
	for range wakeOthers {
		flush()
		signals.Lock()
		for signo := range signalsIn(caught.Load()) {
			c := &signals.catchers[signo]
			if !c.started && c.isPending() && canRun(signo) {
				<-c.pending
				c.handle(signo)
			}
		}
		signals.Unlock()
	}
}

// catch calls the handler whenever the signal has arrived. The thread of catch blocks what
// main blocks, and the signal itself, as the thread of a handler does in C. It sleeps until
// wake has the signal, and leaves pending as it is until the handler may run, because busy
// looks there.
func (c *catcher) catch(signo unix.Signal, wake chan os.Signal) {
	runtime.LockOSThread()
	signals.Lock() // waits until startCatchers has started all: before sigmask, this thread may take any of their signals
	c.thread = unix.Gettid()
	c.mask = signals.blocked | bit(signo)
	sigmask(unix.SIG_SETMASK, c.mask)
	signals.Unlock()
	defer c.catchOn(signo, wake)
	for range wake {
		ossignal.Notify(wake, signo) // waits for the lock under which os/signal serves both channels
		signals.Lock()
		for c.isPending() {
			if canRun(signo) {
				<-c.pending
				c.handle(signo)
			} else {
				changed.Wait()
			}
		}
		signals.Unlock()
	}
}

// catchOn starts a new goroutine to replace one in which the handler has called
// runtime.Goexit.
func (c *catcher) catchOn(signo unix.Signal, wake chan os.Signal) {
	signals.Unlock()
	select {
	case wake <- signo:
	default: // there is one
	}
	go c.catch(signo, wake)
}

// canRun tells whether the handler of a signal may run now.
func canRun(signo unix.Signal) bool { return !signals.held && heldBack()&bit(signo) == 0 }

// handle handles a signal according to its disposition; as a rule, it calls the handler. Its
// caller has locked signals; handle leaves signals locked even if the handler panics or calls
// runtime.Goexit.
func (c *catcher) handle(signo unix.Signal) {
	act := c.act
	switch {
	case act.ignores():
		changed.Broadcast()
		return
	case act.Handler == nil: // main has unblocked it, or the handler has just set its default
		changed.Broadcast()
		unix.Kill(unix.Getpid(), signo)
		return
	}
	if act.Flags&SA_RESETHAND != 0 {
		c.act.Handler = nil
	}
	held := heldBack()
	c.setMask(held | act.Mask.Val[0] | bit(signo))
	signals.running |= bit(signo)
	reinstall(heldBack() &^ held)
	signals.Unlock()
	defer func() { // even if the handler calls runtime.Goexit
		value := recover()
		if value != nil {
			signals.Lock() // catchOn unlocks it
			panic(value)
		}
		handlersReturned.Add(1)
		interruptMain(act.Flags)
		signals.Lock()
		held := heldBack()
		signals.running &^= bit(signo)
		endSuspension(c.mask)
		reinstall(held ^ heldBack())
		changed.Broadcast()
	}()
	act.Handler(signo)
}

// endSuspension, called when a handler has returned, gives main back the mask that it had before
// sigsuspend or pselect. The parameter has the signals that the handler's thread blocks. If
// another handler runs, the one that has returned had interrupted that in C. If other signals
// are pending, they have interrupted the one that has returned, so their handlers are called
// first.
func endSuspension(handlerBlocked uint64) {
	if !signals.suspended || signals.running != 0 {
		return
	}
	signals.blocked |= handlerBlocked
	for signo := range signalsIn(caught.Load()) {
		if canRun(signo) && signals.catchers[signo].isPending() {
			return
		}
	}
	signals.suspended = false
	signals.blocked = signals.afterward
}

// setMask makes the catcher's thread, which calls setMask, block these signals and no others.
func (c *catcher) setMask(mask uint64) {
	if mask != c.mask {
		c.mask = mask
		sigmask(unix.SIG_SETMASK, mask)
	}
}

// noteMask notes that a handler has changed what its thread blocks.
func noteMask() {
	signals.Lock()
	defer signals.Unlock()
	for signo := range signalsIn(signals.running) {
		c := &signals.catchers[signo]
		if c.thread == unix.Gettid() {
			held := heldBack()
			c.mask = currentMask()
			reinstall(held ^ heldBack())
			changed.Broadcast()
			if c.act.Handler == nil && c.isPending() && canRun(signo) { // only the handler's own thread can do it
				<-c.pending
				unix.Tgkill(unix.Getpid(), c.thread, signo)
			}
		}
	}
}

// interruptMain interrupts main's call if a handler with these flags does so in C, and returns
// when main has left the call.
func interruptMain(flags int) {
	interrupts := func() bool {
		does := mainDoes.Load()
		return does == sleep || does == slow && flags&SA_RESTART == 0
	}
	const pause, tries = 200 * time.Microsecond, 100
	for range tries { // main may be on its way out of the call
		if !interrupts() {
			return
		}
		unix.Nanosleep(&unix.Timespec{Nsec: int64(pause)}, nil)
	}
	// The kernel has given the signal to another thread.
	waking.Lock()
	defer waking.Unlock()
	restartAfterSigThread(false, signals.runtimeAction)
	defer restartAfterSigThread(true, signals.runtimeAction)
	for n := 0; interrupts(); n++ {
		if n%tries == 0 && mainSleeps() {
			wakeMain()
		}
		unix.Nanosleep(&unix.Timespec{Nsec: int64(pause)}, nil)
	}
}

// wakeFrom wakes main if main sleeps in a call on this descriptor, which another goroutine has
// closed. The kernel restarts the call, which then fails.
func wakeFrom(fd int) {
	if fd < 0 || mainOn.Load() != int32(fd) {
		return
	}
	waking.Lock()
	defer waking.Unlock()
	restartAfterSigThread(true, signals.runtimeAction)
	wakeMain()
}

// waitHandlers makes main wait for the handlers of all signals that have arrived, except
// those that main blocks. Only main calls it: a handler, on its own thread, does not wait.
func waitHandlers() {
	if caught.Load() == 0 {
		return
	}
	for {
		flush()
		signals.Lock()
		if signals.held || !busy() {
			seen = handlersReturned.Load()
			signals.Unlock()
			return
		}
		end := begin(brief, -1) // the handler does not interrupt main's call, it holds main up
		for busy() {
			changed.Wait()
		}
		end()
		signals.Unlock() // and look again for what has arrived in the meantime
	}
}

// waitNested is called before the process sends itself a signal. If the caller is a handler,
// waitNested returns a function that waits for that signal's handler, which in C interrupts the
// first.
func waitNested(signo unix.Signal) (wait func()) {
	signals.Lock()
	defer signals.Unlock()
	inHandler := false
	for running := range signalsIn(signals.running) {
		inHandler = inHandler || signals.catchers[running].thread == unix.Gettid()
	}
	if !inHandler || signals.running&bit(signo) != 0 {
		return func() {}
	}
	return func() {
		flush()
		signals.Lock()
		defer signals.Unlock()
		c := &signals.catchers[signo]
		for canRun(signo) && c.isPending() || signals.running&bit(signo) != 0 {
			changed.Wait()
		}
	}
}

// flush returns when package os/signal has passed on every signal that has arrived: Stop waits
// until the runtime has no more of them.
func flush() {
	passed := make(chan os.Signal, 1)
	ossignal.Notify(passed, unix.Signal(bits.Len64(caught.Load()))) // one that is caught already
	ossignal.Stop(passed)
}

// busy tells whether the handler of a signal that main does not block runs or is about to run.
func busy() bool {
	if signals.running&^signals.blocked != 0 {
		return true
	}
	for signo := range signalsIn(caught.Load() &^ signals.blocked) {
		if signals.catchers[signo].isPending() {
			return true
		}
	}
	return false
}

// hold keeps all handlers from running, until release.
func hold() {
	signals.Lock()
	defer signals.Unlock()
	for signals.running&^signals.blocked != 0 {
		changed.Wait()
	}
	signals.held = true
}

// withoutHandlers calls do while no handler runs.
func withoutHandlers(do func()) {
	signals.Lock()
	held := signals.held
	signals.Unlock()
	if !held {
		hold()
		defer release()
	}
	do()
}

func release() {
	signals.Lock()
	defer signals.Unlock()
	signals.held = false
	changed.Broadcast()
	wakeUpOthers()
}

// block makes the catchers hold back the signals of this set, and no others. It returns
// those that they held back before.
func block(set uint64) (old uint64) {
	defer begin(brief, -1)()
	signals.Lock()
	defer signals.Unlock()
	signals.suspended = false
	return holdBack(set)
}

// suspend is block until the first handler has returned, or until block is called.
func suspend(set uint64) (old uint64) {
	defer begin(brief, -1)()
	signals.Lock()
	defer signals.Unlock()
	old = holdBack(set)
	signals.suspended = true
	signals.afterward = old
	return old
}

func holdBack(set uint64) (old uint64) {
	set &^= bit(unix.SIGURG) | reserved // becomeFirst may have blocked SIGURG
	old = signals.blocked
	for signals.running&set&^old != 0 {
		changed.Wait()
	}
	signals.blocked = set
	reinstall(old ^ set)
	changed.Broadcast()
	return old
}

// atDefault sets the signals that the runtime catches back to their default, except those that
// it needs. SIGURG, with which the runtime interrupts its threads, is not among the exceptions:
// at its default it interrupts nothing. The set ignored holds the signals that are ignored from
// then on. The set named later holds those that stay caught until the child has arrived, because
// the kernel would drop a pending SIGCONT, for example.
func atDefault(ignored, later uint64) {
	rtSigaction(unix.SIGURG, nil, &signals.runtimeAction) // the runtime catches SIGURG always, and all signals alike
	for signo := unix.Signal(1); signo <= 64; signo++ {
		if (needed|later)&bit(signo) == 0 {
			rtSigaction(signo, &ksigaction{}, nil)
		}
		if ignored&bit(signo) != 0 {
			signals.catchers[signo].act.Handler = SIG_IGN
			signals.catchers[signo].install(signo)
		}
	}
}

// ignoredSignals returns the signals that are ignored, except those that the runtime needs.
func ignoredSignals() (set uint64) {
	for signo := unix.Signal(1); signo <= 64; signo++ {
		var act ksigaction
		rtSigaction(signo, nil, &act)
		if act.handler == kernelIGN && needed&bit(signo) == 0 {
			set |= bit(signo)
		}
	}
	return set
}

// startCatchers gives the kernel the dispositions that it has not been given while main retraced,
// and starts the catchers. Signals in the set caughtSoFar are still caught. The catcher of
// SIGCHLD, unless main blocks it, starts only at this process's own first fork: a catcher takes
// threads, and before that fork there are no children.
func startCatchers(caughtSoFar uint64) {
	signals.Lock()
	defer signals.Unlock()
	signals.off = false
	for signo := range signalsIn(signals.installed | caughtSoFar) {
		c := &signals.catchers[signo]
		switch {
		case c.kernel == (ksigaction{}) && caughtSoFar&bit(signo) == 0: // the default, without flags
		case c.kernel.handler == kernelDFL || signo == unix.SIGCHLD && signals.blocked&bit(signo) == 0:
			rtSigaction(signo, &c.kernel, nil)
		default:
			c.install(signo)
		}
	}
}

func startCatcher(signo unix.Signal) {
	signals.Lock()
	defer signals.Unlock()
	signals.catchers[signo].start(signo)
}

// isPending tells whether the signal has arrived and its handler has not been called.
func (c *catcher) isPending() bool { return len(c.pending) > 0 }

// discard drops the signal if it is pending.
func (c *catcher) discard() {
	select {
	case <-c.pending:
	default:
	}
}

// ignoreForExec is called before an exec. A signal that is ignored and blocked is caught (see
// forKernel), and exec would set it to its default, so the kernel is told to ignore it.
func ignoreForExec() {
	forIgnoredButCaught(func(signo unix.Signal, _ *ksigaction) {
		rtSigaction(signo, &ksigaction{handler: kernelIGN}, nil)
	})
}

// catchAgain undoes what ignoreForExec has done.
func catchAgain() {
	forIgnoredButCaught(func(signo unix.Signal, kernel *ksigaction) { rtSigaction(signo, kernel, nil) })
}

func forIgnoredButCaught(do func(signo unix.Signal, kernel *ksigaction)) {
	signals.Lock()
	defer signals.Unlock()
	for signo := unix.Signal(1); signo <= 64; signo++ {
		c := &signals.catchers[signo]
		if c.act.ignores() && c.kernel.handler != kernelIGN {
			do(signo, &c.kernel)
		}
	}
}

// settle returns when every signal of this set that was sent before has been passed on. Main's
// thread blocks them, so the kernel gives them to one of the runtime's threads.
func settle(set uint64) {
	set &= caught.Load()
	if set == 0 {
		return
	}
	const pause, tries = 50 * time.Microsecond, 40_000 // two seconds, in case a thread blocks everything for good
	settled := make(chan bool)
	go func() { // not main, whose trace is that of a C program
		for range tries {
			if !threadTakes(set) {
				break
			}
			unix.Nanosleep(&unix.Timespec{Nsec: int64(pause)}, nil)
		}
		settled <- true
	}()
	<-settled
	flush()
}
