//go:build linux

package sys

import (
	"fmt"
	"os"
	ossignal "os/signal"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Signal and SignalIntr set a disposition as those of unp do.
func Signal(signo unix.Signal, fn func(unix.Signal)) func(unix.Signal) {
	act, oact := Sigaction_t{Handler: fn, Flags: SA_RESTART}, Sigaction_t{}
	if signo == unix.SIGALRM {
		act.Flags = 0
	}
	if err := Sigaction(signo, &act, &oact); err != nil {
		panic(err)
	}
	return oact.Handler
}

func SignalIntr(signo unix.Signal, fn func(unix.Signal)) func(unix.Signal) {
	var oact Sigaction_t
	if err := Sigaction(signo, &Sigaction_t{Handler: fn}, &oact); err != nil {
		panic(err)
	}
	return oact.Handler
}

// until polls until the state that a test waits for is there.
func until(t testing.TB, what string, reached func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !reached(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited 30 seconds in vain: %s", what)
		}
	}
}

// kernel is the disposition of a signal as the kernel has it.
func kernel(signo unix.Signal) ksigaction {
	var act ksigaction
	rtSigaction(signo, nil, &act)
	return act
}

// Sigaction returns the previous disposition, and the kernel has the
// new one with the flags asked for.
func TestSignalDisposition(t *testing.T) {
	caught := make(chan string, 1)
	one := func(unix.Signal) { caught <- "one" }
	two := func(unix.Signal) { caught <- "two" }
	name := func(fn func(unix.Signal)) string {
		switch fmt.Sprintf("%p", fn) {
		case fmt.Sprintf("%p", SIG_DFL):
			return "SIG_DFL"
		case fmt.Sprintf("%p", SIG_IGN):
			return "SIG_IGN"
		}
		fn(0)
		return <-caught
	}
	for signo := unix.Signal(1); signo <= 64; signo++ {
		switch signo {
		case unix.SIGKILL, unix.SIGSTOP, 32, 33, 34:
			if err := Sigaction(signo, &Sigaction_t{Handler: SIG_IGN}, nil); err != unix.EINVAL {
				t.Errorf("signal %d: %v, want EINVAL", signo, err)
			}
			continue
		case unix.SIGURG, unix.SIGSEGV, unix.SIGBUS, unix.SIGFPE, unix.SIGPROF:
			continue // the runtime of this test needs them
		}
		first := name(Signal(signo, one))
		if first == "one" || first == "two" {
			t.Errorf("signal %d begins as %s", signo, first)
		}
		restart := uint64(SA_RESTART)
		if signo == unix.SIGALRM {
			restart = 0
		}
		for _, step := range []struct {
			set     func(unix.Signal, func(unix.Signal)) func(unix.Signal)
			fn      func(unix.Signal)
			was     string
			handler uint64
			flags   uint64
		}{
			{Signal, two, "one", signals.runtimeAction.handler, restart},
			{SignalIntr, one, "two", signals.runtimeAction.handler, 0},
			{Signal, SIG_IGN, "one", 1, 0},
			{Signal, SIG_DFL, "SIG_IGN", 0, 0},
			{SignalIntr, two, "SIG_DFL", signals.runtimeAction.handler, 0},
			{Signal, SIG_DFL, "two", 0, 0},
			{SignalIntr, SIG_IGN, "SIG_DFL", 1, 0},
			{Signal, one, "SIG_IGN", signals.runtimeAction.handler, restart},
		} {
			if was := name(step.set(signo, step.fn)); was != step.was {
				t.Errorf("signal %d was %s, want %s", signo, was, step.was)
			}
			if act := kernel(signo); act.handler != step.handler || act.flags&SA_RESTART != step.flags {
				t.Errorf("signal %d, was %s: the kernel has handler %#x with flags %#x, want %#x, SA_RESTART %#x",
					signo, step.was, act.handler, act.flags, step.handler, step.flags)
			}
		}
		if unix.Kill(unix.Getpid(), signo); <-caught != "one" {
			t.Errorf("signal %d does not call its handler", signo)
		}
		Signal(signo, SIG_DFL)
	}
	for _, signo := range []unix.Signal{-1, 0, 65, 1 << 20} {
		if err := Sigaction(signo, &Sigaction_t{Handler: one}, nil); err != unix.EINVAL {
			t.Errorf("signal %d: %v, want EINVAL", signo, err)
		}
	}
}

// However many signals come while the handler runs, it is called once more.
func TestSignalsAreNotQueued(t *testing.T) {
	passed, running, release := make(chan os.Signal, 1), make(chan bool, 100), make(chan bool)
	ossignal.Notify(passed, unix.SIGUSR1)
	old := Signal(unix.SIGUSR1, func(unix.Signal) { running <- true; <-release })
	defer func() { Signal(unix.SIGUSR1, old) }()
	for range 10 {
		unix.Kill(unix.Getpid(), unix.SIGUSR1)
		<-passed // the runtime has passed it on
		if len(running) == 0 {
			until(t, "the handler runs", func() bool { return len(running) == 1 })
		}
	}
	ossignal.Stop(passed) // returns when each has arrived everywhere
	c := &signals.catchers[unix.SIGUSR1]
	release <- true
	until(t, "the handler runs again", func() bool { return len(running) == 2 })
	release <- true
	until(t, "the handler has returned", func() bool {
		signals.Lock()
		defer signals.Unlock()
		return len(c.pending) == 0 && signals.running == 0
	})
	if len(running) != 2 {
		t.Error("the handler has run a third time")
	}
}
