// Command signals plays a random script of signals, which its argument, a number, determines, and
// prints each thing that C's programs would not see. A line that begins with a plus asks whoever
// reads it to do something while main sleeps in a system call:
//
//   - CALL SIGNALS DATA
//
// means: when main sleeps in the system call with this number, send these signals, and, when
// their handlers have run, write the data to its standard input.
package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync/atomic"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp"
	"tcpcliserv/unp/sys"
)

var all = []unix.Signal{unix.SIGUSR1, unix.SIGUSR2, unix.SIGHUP, unix.SIGTERM, unix.SIGWINCH, unix.SIGALRM, 40}

// signals is what the script expects of each signal, and what its handler has seen.
var signals [65]struct {
	handler, ignored bool // otherwise it is at its default
	flags            int
	mask             unix.Sigset_t
	blocked          bool
	pending          int // how often it was sent while it was blocked

	begun, done atomic.Int32
	running     atomic.Int32
}

var script string

func main() {
	seed, err := strconv.ParseUint(os.Args[1], 10, 64)
	if err != nil {
		unp.ErrQuit("signals: no seed")
	}
	random := rand.New(rand.NewPCG(seed, 0))
	for _, signo := range all {
		setHandler(random, signo)
	}
	steps(random, 12+random.IntN(12), 0)
	os.Exit(0)
}

// complain prints what is wrong, and what has happened before.
func complain(format string, a ...any) {
	unix.Write(1, fmt.Appendf(nil, "%s%s\n", script, fmt.Sprintf(format, a...)))
}

func did(format string, a ...any) { script += fmt.Sprintf(format, a...) + "\n" }

// handle is the handler of every signal.
func handle(signo unix.Signal) {
	s := &signals[signo]
	s.begun.Add(1)
	if n := s.running.Add(1); n > 1 {
		complain("%d handlers of signal %d run", n, signo)
	}
	for _, other := range all {
		if o := &signals[other]; other != signo && sys.Sigismember(&o.mask, signo) && sys.Sigismember(&s.mask, other) && o.running.Load() > 0 {
			complain("the handlers of %d and %d run, and each masks the other", signo, other)
		}
	}
	switch s.begun.Load() % 4 { // it calls sys, too
	case 0:
		sys.Getpid()
	case 1:
		sys.Nanosleep(&unix.Timespec{Nsec: 200_000}, nil)
	case 2:
		sys.Close(-1)
	}
	s.running.Add(-1)
	s.done.Add(1)
}

func setHandler(random *rand.Rand, signo unix.Signal) {
	s := &signals[signo]
	s.handler, s.ignored, s.flags, s.mask = true, false, 0, unix.Sigset_t{}
	if random.IntN(2) == 0 {
		s.flags |= sys.SA_RESTART
	}
	for _, other := range all {
		if random.IntN(2) == 0 {
			sys.Sigaddset(&s.mask, other)
		}
	}
	did("sigaction(%d, flags %#x, mask %#x)", signo, s.flags, s.mask.Val[0])
	sys.Sigaction(signo, &sys.Sigaction_t{Handler: handle, Mask: s.mask, Flags: s.flags}, nil)
}

func some(random *rand.Rand) unix.Signal { return all[random.IntN(len(all))] }

// seen returns how often each handler has begun and has returned.
func seen() (begun, done [65]int32) {
	for _, signo := range all {
		begun[signo], done[signo] = signals[signo].begun.Load(), signals[signo].done.Load()
	}
	return begun, done
}

// expect checks how often each handler has run since before: as C's would, if these signals
// arrive in the meantime.
func expect(before [65]int32, arrived map[unix.Signal]int) {
	least, most := map[unix.Signal]int32{}, map[unix.Signal]int32{}
	for signo, n := range arrived {
		switch s := &signals[signo]; {
		case s.blocked:
			s.pending += n
		case s.handler && n > 0:
			least[signo], most[signo] = 1, int32(n)
		}
	}
	if sys.Getpid() != unix.Getpid() {
		return // this is a child on its way to Fork, in which no signals arrive
	}
	begun, done := seen()
	for _, signo := range all {
		n := begun[signo] - before[signo]
		if n < least[signo] || n > most[signo] {
			complain("the handler of signal %d has run %d times, and %d signals have arrived", signo, n, most[signo])
		}
		if begun[signo] != done[signo] {
			complain("main continues while the handler of signal %d runs", signo)
		}
	}
}

func steps(random *rand.Rand, n, depth int) {
	for range n {
		before, _ := seen()
		signo := some(random)
		s := &signals[signo]
		switch random.IntN(9) {
		case 0:
			did("kill(%d)", signo)
			if s.handler || s.ignored || s.blocked {
				sys.Kill(unix.Getpid(), signo)
				expect(before, map[unix.Signal]int{signo: 1})
			}
		case 1:
			setHandler(random, signo)
			if s.pending > 0 && s.blocked {
				expect(before, nil)
			}
		case 2:
			did("sigaction(%d, SIG_IGN)", signo)
			sys.Sigaction(signo, &sys.Sigaction_t{Handler: sys.SIG_IGN}, nil)
			s.handler, s.ignored, s.pending, s.flags, s.mask = false, true, 0, 0, unix.Sigset_t{}
			expect(before, nil)
		case 3:
			masks(random, before)
		case 4:
			suspends(random, before)
		case 5, 6, 7:
			interrupted(random, before)
		case 8:
			if depth < 2 {
				forks(random, depth)
			}
		}
	}
}

// masks changes what main blocks. What was pending is handled then.
func masks(random *rand.Rand, before [65]int32) {
	var set, old unix.Sigset_t
	for _, signo := range all {
		if random.IntN(3) == 0 {
			sys.Sigaddset(&set, signo)
		}
	}
	how := random.IntN(3)
	did("sigprocmask(%d, %#x)", how, set.Val[0])
	unp.Sigprocmask(how, &set, &old)
	arrived := map[unix.Signal]int{}
	for _, signo := range all {
		s := &signals[signo]
		if s.blocked != sys.Sigismember(&old, signo) {
			complain("sigprocmask's old set is %#x", old.Val[0])
		}
		in := sys.Sigismember(&set, signo)
		switch {
		case how == unix.SIG_BLOCK && in:
			s.blocked = true
		case how == unix.SIG_UNBLOCK && in:
			s.blocked = false
		case how == unix.SIG_SETMASK:
			s.blocked = in
		}
		if s.pending > 0 && !s.blocked {
			arrived[signo] = s.pending
			s.pending = 0
		}
	}
	expect(before, arrived)
}

// suspends has a signal that is pending end sigsuspend.
func suspends(random *rand.Rand, before [65]int32) {
	signo := some(random)
	s := &signals[signo]
	if !s.handler {
		return
	}
	did("sigsuspend(all but %d)", signo)
	if s.pending == 0 {
		ask(unix.SYS_RT_SIGSUSPEND, []unix.Signal{signo}, "")
	}
	var mask unix.Sigset_t
	sys.Sigfillset(&mask)
	sys.Sigdelset(&mask, signo)
	if err := sys.Sigsuspend(&mask); err != unix.EINTR {
		complain("sigsuspend: %v", err)
	}
	was := s.blocked
	arrived := map[unix.Signal]int{signo: max(s.pending, 1)}
	s.blocked, s.pending = false, 0
	expect(before, arrived)
	s.blocked = was
}

// ask asks for signals and data while main sleeps in a call.
func ask(call int, signos []unix.Signal, data string) {
	line := fmt.Appendf(nil, "+ %d ", call)
	for i, signo := range signos {
		if i > 0 {
			line = append(line, ',')
		}
		line = fmt.Append(line, int(signo))
	}
	unix.Write(1, fmt.Appendf(line, " %s\n", data))
}

// interrupted makes a slow call, in which signals arrive. If a handler without SA_RESTART is
// called, or if the call is one that the kernel never restarts, it fails with EINTR; otherwise it
// returns what there is.
func interrupted(random *rand.Rand, before [65]int32) {
	arrived, handled, restarts := map[unix.Signal]int{}, false, true
	var signos []unix.Signal
	for range 1 + random.IntN(5) {
		signo := some(random)
		s := &signals[signo]
		if !s.handler && !s.ignored && !s.blocked {
			continue
		}
		signos = append(signos, signo)
		arrived[signo]++
		if s.handler && !s.blocked {
			handled = true
			restarts = restarts && s.flags&sys.SA_RESTART != 0
		}
	}
	var call int
	var err error
	data := ""
	switch kind := random.IntN(5); {
	case kind < 2:
		call = unix.SYS_READ
		if restarts || !handled {
			data = "x"
		}
		ask(call, signos, data)
		_, err = sys.Read(0, make([]byte, 1))
	case !handled:
		return // nothing would end the call
	case kind == 2:
		call, restarts = unix.SYS_CLOCK_NANOSLEEP, false
		ask(call, signos, "")
		if sys.Sleep(1000) > 0 {
			err = unix.EINTR
		}
	case kind == 3:
		call, restarts = unix.SYS_RT_SIGSUSPEND, false
		ask(call, signos, "")
		err = sys.Pause()
	case kind == 4:
		call, restarts = unix.SYS_PSELECT6, false
		ask(call, signos, "")
		_, err = sys.Pselect(0, nil, nil, nil, nil, nil)
	}
	did("call %d, signals %d", call, signos)
	if data != "" && err != nil || data == "" && err != unix.EINTR {
		complain("call %d, in which signals %d arrive: %v", call, signos, err)
	}
	settle(arrived)
	expect(before, arrived)
}

// settle waits until what was sent has arrived: a call that a first signal has ended has not waited
// for the others.
func settle(arrived map[unix.Signal]int) {
	ask(unix.SYS_READ, nil, "s")
	for {
		if n, _ := sys.Read(0, make([]byte, 1)); n == 1 {
			return
		}
	}
}

// forks has a child play on. It has its parent's dispositions and mask, and no pending signals.
func forks(random *rand.Rand, depth int) {
	did("fork")
	n := random.IntN(6)
	pid := unp.Fork()
	if pid > 0 {
		for {
			var status unix.WaitStatus
			w, err := sys.Waitpid(pid, &status, 0)
			if err == unix.EINTR {
				continue
			}
			if w != pid || status != 0 {
				complain("waitpid: %d, %v, %#x", w, err, status)
			}
			return
		}
	}
	for _, signo := range all {
		s := &signals[signo]
		s.pending = 0
		s.begun.Store(0)
		s.done.Store(0)
		var oact sys.Sigaction_t
		sys.Sigaction(signo, nil, &oact)
		if s.handler != (oact.Handler != nil && oact.Flags == s.flags && oact.Mask == s.mask && !s.ignored) && !s.ignored {
			complain("in the child, signal %d has flags %#x and mask %#x", signo, oact.Flags, oact.Mask.Val[0])
		}
	}
	var old unix.Sigset_t
	sys.Sigprocmask(unix.SIG_BLOCK, nil, &old)
	for _, signo := range all {
		if signals[signo].blocked != sys.Sigismember(&old, signo) {
			complain("the child blocks %#x", old.Val[0])
		}
	}
	playAlone(random, n)
	os.Exit(0)
}

// playAlone is steps for a child, whose signals are its own.
func playAlone(random *rand.Rand, n int) {
	for range n {
		before, _ := seen()
		signo := some(random)
		s := &signals[signo]
		switch random.IntN(4) {
		case 0, 1:
			if s.handler || s.ignored || s.blocked {
				did("in the child: kill(%d)", signo)
				sys.Kill(unix.Getpid(), signo)
				expect(before, map[unix.Signal]int{signo: 1})
			}
		case 2:
			masks(random, before)
		case 3:
			setHandler(random, signo)
		}
	}
}
