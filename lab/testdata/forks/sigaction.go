package main

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp"
	"tcpcliserv/unp/sys"
)

// Sigaction with what unp.Signal does not ask for.

var _ = register("sa_mask", prints{Stdout: "USR1 begins\nUSR1 ends\nUSR2\n"}, func() { // the second signal waits for the first one's handler
	act := sys.Sigaction_t{Handler: func(unix.Signal) {
		fmt.Println("USR1 begins")
		unix.Kill(unix.Getpid(), unix.SIGUSR2)
		unix.Nanosleep(&unix.Timespec{Nsec: 50e6}, nil)
		fmt.Println("USR1 ends")
	}}
	sys.Sigaddset(&act.Mask, unix.SIGUSR2)
	unp.Signal(unix.SIGUSR2, func(unix.Signal) { fmt.Println("USR2") })
	sys.Sigaction(unix.SIGUSR1, &act, nil)
	sys.Kill(sys.Getpid(), unix.SIGUSR1)
	sys.Sleep(0)
	sys.Sleep(0)
})

var _ = register("sent while it waits", prints{Stdout: "100 100\n"}, func() { // several times, and handled once
	waited, again := 0, 0
	unp.Signal(unix.SIGUSR2, func(unix.Signal) { waited++ })
	sys.Sigaction(unix.SIGUSR1, &sys.Sigaction_t{Mask: mask(unix.SIGUSR2), Handler: func(unix.Signal) {
		for range 3 {
			sys.Kill(sys.Getpid(), unix.SIGUSR2)
		}
	}}, nil)
	unp.Signal(unix.SIGTERM, func(unix.Signal) { // its own signal waits too
		again++
		for range 3 * (again % 2) {
			sys.Kill(sys.Getpid(), unix.SIGTERM)
		}
	})
	for range 100 {
		sys.Kill(sys.Getpid(), unix.SIGUSR1)
	}
	for range 50 {
		sys.Kill(sys.Getpid(), unix.SIGTERM)
	}
	fmt.Println(waited, again)
})

var _ = register("sends itself another", prints{Stdout: "100 100\nlast\n", Status: 3}, func() { // a handler sends a signal, and its handler returns first
	inner, before := 0, 0
	unp.Signal(unix.SIGUSR2, func(unix.Signal) { inner++ })
	unp.Signal(unix.SIGUSR1, func(unix.Signal) {
		n := inner
		sys.Kill(sys.Getpid(), unix.SIGUSR2)
		before += inner - n
	})
	for range 100 {
		sys.Kill(sys.Getpid(), unix.SIGUSR1)
	}
	fmt.Println(inner, before)
	unp.Signal(unix.SIGUSR2, func(unix.Signal) { fmt.Println("last") })
	unp.Signal(unix.SIGUSR1, func(unix.Signal) {
		sys.Kill(sys.Getpid(), unix.SIGUSR2)
		os.Exit(3)
	})
	sys.Kill(sys.Getpid(), unix.SIGUSR1)
})

var _ = register("threads", prints{Stdout: "true\ntrue\n"}, func() { // a signal takes one only if it has a handler
	var everything unix.Sigset_t
	sys.Sigfillset(&everything)
	few := func() bool {
		tasks, _ := os.ReadDir("/proc/self/task")
		return len(tasks) < 16+runtime.NumCPU()
	}
	sys.Sigprocmask(unix.SIG_BLOCK, &everything, nil)
	fmt.Println(few())
	sys.Sigprocmask(unix.SIG_UNBLOCK, &everything, nil)
	sys.Sigaction(unix.SIGUSR1, &sys.Sigaction_t{Handler: func(unix.Signal) {}, Mask: everything}, nil)
	sys.Kill(sys.Getpid(), unix.SIGUSR1)
	fmt.Println(few())
})

var _ = register("SA_RESETHAND", prints{Stdout: "caught\nSIG_DFL\n", Status: 128 + 10}, func() { // the handler is called once
	var now sys.Sigaction_t
	act := sys.Sigaction_t{Handler: func(unix.Signal) { fmt.Println("caught") }, Flags: sys.SA_RESETHAND}
	sys.Sigaction(unix.SIGUSR1, &act, nil)
	sys.Kill(sys.Getpid(), unix.SIGUSR1)
	sys.Sleep(0)
	sys.Sigaction(unix.SIGUSR1, nil, &now)
	fmt.Println(name(now.Handler))
	sys.Kill(sys.Getpid(), unix.SIGUSR1)
	sys.Sleep(10)
	fmt.Println("survived")
})

var _ = register("SA_NOCLDWAIT", prints{Stdout: "child\n-1 no child processes\nchild\n-1 no child processes\n"}, func() { // leaves no zombies
	act := sys.Sigaction_t{Handler: sys.SIG_DFL, Flags: sys.SA_NOCLDWAIT}
	sys.Sigaction(unix.SIGCHLD, &act, nil)
	for range 2 {
		if unp.Fork() == 0 {
			fmt.Println("child")
			os.Exit(0)
		}
		fmt.Println(sys.Wait(nil)) // until the last has ended
	}
})

var _ = register("SIGCHLD ignored", prints{Stdout: "child\n-1 no child processes\n"}, func() { // likewise
	unp.Signal(unix.SIGCHLD, sys.SIG_IGN)
	if unp.Fork() == 0 {
		fmt.Println("child")
		os.Exit(0)
	}
	fmt.Println(sys.Wait(nil))
})

var _ = register("SIGCHLD ignored and blocked", prints{Stdout: "child\n-1 no child processes\n"}, func() { // likewise
	everything := unix.Sigset_t{}
	sys.Sigfillset(&everything)
	sys.Sigprocmask(unix.SIG_BLOCK, &everything, nil)
	unp.Signal(unix.SIGCHLD, sys.SIG_IGN)
	if unp.Fork() == 0 {
		fmt.Println("child")
		os.Exit(0)
	}
	fmt.Println(sys.Wait(nil))
})

var _ = register("SA_NOCLDSTOP", prints{Stdout: "0 1\n"}, func() { // a child that stops is no news; one that ends is
	caught := 0
	act := sys.Sigaction_t{Handler: func(unix.Signal) { caught++ }, Flags: sys.SA_NOCLDSTOP}
	sys.Sigaction(unix.SIGCHLD, &act, nil)
	var stat unix.WaitStatus
	pid := unp.Fork()
	if pid == 0 {
		for {
			sys.Pause()
		}
	}
	sys.Kill(pid, unix.SIGSTOP)
	for got, _ := sys.Waitpid(pid, &stat, unix.WUNTRACED); got < 0 || !stat.Stopped(); got, _ = sys.Waitpid(pid, &stat, unix.WUNTRACED) {
	}
	stopped := caught
	sys.Kill(pid, unix.SIGKILL)
	for caught == 0 {
		sys.Pause()
	}
	fmt.Println(stopped, caught)
})

var _ = register("asked with nil", prints{Stdout: "SIG_DFL 0x0\nf 0x10000000 true false\nSIG_IGN\nf 0x10000000 true false\nSIG_IGN\n"}, func() {
	var now sys.Sigaction_t
	act := sys.Sigaction_t{Handler: func(unix.Signal) {}, Flags: sys.SA_RESTART}
	sys.Sigaction(unix.SIGUSR1, nil, &now)
	fmt.Printf("%s %#x\n", name(now.Handler), now.Flags)
	sys.Sigaddset(&act.Mask, unix.SIGHUP)
	sys.Sigaction(unix.SIGUSR1, &act, nil)
	unp.Signal(unix.SIGUSR2, sys.SIG_IGN)
	show := func() {
		sys.Sigaction(unix.SIGUSR1, nil, &now)
		fmt.Printf("%s %#x %v %v\n", name(now.Handler), now.Flags, sys.Sigismember(&now.Mask, unix.SIGHUP), sys.Sigismember(&now.Mask, unix.SIGINT))
		sys.Sigaction(unix.SIGUSR2, nil, &now)
		fmt.Println(name(now.Handler))
	}
	show()
	if unp.Fork() == 0 {
		show()
		os.Exit(0)
	}
	sys.Wait(nil)
})

var _ = register("sigaction refuses", prints{Stdout: "SIGKILL: invalid argument\nSIGSTOP: invalid argument\n0: invalid argument\n65: invalid argument\nSIGKILL asked: SIG_DFL <nil>\n"}, func() {
	act := sys.Sigaction_t{Handler: func(unix.Signal) {}}
	fmt.Println("SIGKILL:", sys.Sigaction(unix.SIGKILL, &act, nil))
	fmt.Println("SIGSTOP:", sys.Sigaction(unix.SIGSTOP, &act, nil))
	fmt.Println("0:", sys.Sigaction(0, &act, nil))
	fmt.Println("65:", sys.Sigaction(65, &act, nil))
	var now sys.Sigaction_t
	err := sys.Sigaction(unix.SIGKILL, nil, &now)
	fmt.Println("SIGKILL asked:", name(now.Handler), err)
})

var _ = register("set by a handler", prints{Stdout: "SIG_IGN\nSIG_IGN\n"}, func() {
	done := false
	sys.Keep(&done)
	unp.Signal(unix.SIGUSR1, func(unix.Signal) { unp.Signal(unix.SIGUSR2, sys.SIG_IGN); done = true })
	sys.Kill(sys.Getpid(), unix.SIGUSR1)
	for !done {
		sys.Pause()
	}
	if unp.Fork() == 0 {
		fmt.Println(name(unp.Signal(unix.SIGUSR2, sys.SIG_DFL)))
		os.Exit(0)
	}
	sys.Wait(nil)
	fmt.Println(name(unp.Signal(unix.SIGUSR2, sys.SIG_DFL)))
})

var _ = register("reset by its signal", prints{Stdout: "caught\nSIG_DFL\n"}, func() { // before Fork
	sys.Sigaction(unix.SIGUSR1, &sys.Sigaction_t{Handler: func(unix.Signal) { fmt.Println("caught") }, Flags: sys.SA_RESETHAND}, nil)
	sys.Kill(sys.Getpid(), unix.SIGUSR1)
	inChild(func() { fmt.Println(name(unp.Signal(unix.SIGUSR1, sys.SIG_DFL))) })
})

var _ = register("handler set by a handler", prints{Stdout: "second, its flags and mask are its parent's: true\n"}, func() {
	act := sys.Sigaction_t{Handler: func(unix.Signal) { fmt.Print("second, ") }, Flags: sys.SA_RESTART}
	sys.Sigaddset(&act.Mask, unix.SIGHUP)
	unp.Signal(unix.SIGUSR1, func(unix.Signal) { sys.Sigaction(unix.SIGUSR2, &act, nil) })
	sys.Kill(sys.Getpid(), unix.SIGUSR1)
	inChild(func() {
		sys.Kill(sys.Getpid(), unix.SIGUSR2)
		var now sys.Sigaction_t
		sys.Sigaction(unix.SIGUSR2, nil, &now)
		fmt.Println("its flags and mask are its parent's:", now.Flags == act.Flags && now.Mask == act.Mask)
	})
})

var _ = register("closure set by a handler", prints{Stderr: "fork error: the child has not reached the call to Sigaction that set its parent's handler for signal 12\n"}, func() { // C has no closures
	n := 0
	unp.Signal(unix.SIGUSR1, func(unix.Signal) { unp.Signal(unix.SIGUSR2, func(unix.Signal) { n++ }) })
	sys.Kill(sys.Getpid(), unix.SIGUSR1)
	inChild(func() {})
	unp.Signal(unix.SIGUSR2, func(unix.Signal) { n-- }) // which the child meets
	inChild(func() { sys.Kill(sys.Getpid(), unix.SIGUSR2) })
})

var _ = register("stops itself", prints{Stdout: "stopped by signal 20\ncaught 1\n"}, func() { // from its handler of SIGTSTP
	pid := unp.Fork()
	if pid == 0 {
		sys.Setpgid(0, 0) // the kernel stops no process of an orphaned group
		caught := 0
		var set unix.Sigset_t
		sys.Sigaddset(&set, unix.SIGTSTP)
		var stop unp.Sigfunc
		stop = func(unix.Signal) {
			caught++
			sys.Sigprocmask(unix.SIG_UNBLOCK, &set, nil)
			unp.Signal(unix.SIGTSTP, sys.SIG_DFL)
			sys.Kill(sys.Getpid(), unix.SIGTSTP)
			unp.Signal(unix.SIGTSTP, stop)
		}
		unp.Signal(unix.SIGTSTP, stop)
		sys.Kill(sys.Getpid(), unix.SIGTSTP)
		fmt.Println("caught", caught)
		os.Exit(0)
	}
	var stat unix.WaitStatus
	sys.Waitpid(pid, &stat, unix.WUNTRACED)
	fmt.Println("stopped by signal", int(stat.StopSignal()))
	sys.Kill(pid, unix.SIGCONT)
	sys.Waitpid(pid, nil, 0)
})

func mask(signos ...unix.Signal) (set unix.Sigset_t) {
	for _, signo := range signos {
		sys.Sigaddset(&set, signo)
	}
	return set
}

func pause50ms() { sys.Nanosleep(&unix.Timespec{Nsec: 50e6}, nil) }

var _ = register("stops in its handler", prints{Stdout: "caught\nstopped\nresumed\n"}, func() { // where the handler unblocks SIGTSTP, which it has sent itself at its default
	pid := unp.Fork()
	if pid == 0 {
		sys.Setpgid(0, 0) // the kernel stops no process of an orphaned group
		var handler unp.Sigfunc
		handler = func(unix.Signal) {
			fmt.Println("caught")
			unp.Signal(unix.SIGTSTP, sys.SIG_DFL)
			sys.Kill(sys.Getpid(), unix.SIGTSTP)
			set := mask(unix.SIGTSTP)
			sys.Sigprocmask(unix.SIG_UNBLOCK, &set, &set)
			fmt.Println("resumed")
			sys.Sigprocmask(unix.SIG_SETMASK, &set, nil)
			unp.Signal(unix.SIGTSTP, handler)
		}
		unp.Signal(unix.SIGTSTP, handler)
		sys.Kill(sys.Getpid(), unix.SIGTSTP)
		os.Exit(0)
	}
	var stat unix.WaitStatus
	sys.Waitpid(pid, &stat, unix.WUNTRACED)
	if stat.Stopped() {
		fmt.Println("stopped")
	}
	sys.Kill(pid, unix.SIGCONT)
	sys.Waitpid(pid, nil, 0)
})

var _ = register("ignored and blocked, then caught", prints{Stdout: "0\n"}, func() { // the kernel has sent no SIGCHLD
	caught := 0
	blocked := mask(unix.SIGCHLD)
	sys.Sigprocmask(unix.SIG_BLOCK, &blocked, nil)
	unp.Signal(unix.SIGCHLD, sys.SIG_IGN)
	if unp.Fork() == 0 {
		os.Exit(0)
	}
	sys.Wait(nil)
	unp.Signal(unix.SIGCHLD, func(unix.Signal) { caught++ })
	sys.Sigprocmask(unix.SIG_UNBLOCK, &blocked, nil)
	fmt.Println(caught)
})

var _ = register("its own default", prints{Stdout: "in\nkilled\ncleaned up\n", Status: 128 + int(unix.SIGTERM)}, func() { // which waits until the handler returns
	unp.Signal(unix.SIGTERM, func(unix.Signal) {
		fmt.Println("in")
		unp.Signal(unix.SIGTERM, sys.SIG_DFL)
		sys.Kill(sys.Getpid(), unix.SIGTERM)
		fmt.Println("killed")
		pause50ms()
		fmt.Println("cleaned up")
	})
	sys.Kill(sys.Getpid(), unix.SIGTERM)
	fmt.Println("not reached")
})

var _ = register("sa_mask and a default", prints{Stdout: "in\nout\n", Status: 128 + int(unix.SIGTERM)}, func() {
	sys.Sigaction(unix.SIGUSR1, &sys.Sigaction_t{Handler: func(unix.Signal) {
		fmt.Println("in")
		sys.Kill(sys.Getpid(), unix.SIGTERM)
		pause50ms()
		fmt.Println("out")
	}, Mask: mask(unix.SIGTERM)}, nil)
	sys.Kill(sys.Getpid(), unix.SIGUSR1)
	fmt.Println("not reached")
})

var _ = register("reset while it is blocked", prints{Stdout: "alive\nhandler\ndone\n"}, func() { // two signals, of which one is handled
	sys.Sigaction(unix.SIGUSR1, &sys.Sigaction_t{Handler: func(unix.Signal) { fmt.Println("handler") }, Flags: sys.SA_RESETHAND}, nil)
	blocked := mask(unix.SIGUSR1)
	sys.Sigprocmask(unix.SIG_BLOCK, &blocked, nil)
	for range 2 {
		sys.Kill(sys.Getpid(), unix.SIGUSR1)
		pause50ms()
	}
	fmt.Println("alive")
	sys.Sigprocmask(unix.SIG_UNBLOCK, &blocked, nil)
	fmt.Println("done")
})

func printSet(set unix.Sigset_t) {
	for signo := range unix.Signal(32) {
		if sys.Sigismember(&set, signo) {
			fmt.Print(int(signo), " ")
		}
	}
	fmt.Println()
}

var _ = register("mask of a handler", prints{Stdout: "10 12 14 \n10 12 14 \n"}, func() { // its own signal, sa_mask and what main blocks, at each call
	sys.Sigaction(unix.SIGUSR1, &sys.Sigaction_t{Handler: func(unix.Signal) {
		var old unix.Sigset_t
		more := mask(unix.SIGHUP)
		sys.Sigprocmask(unix.SIG_BLOCK, &more, &old)
		printSet(old)
	}, Mask: mask(unix.SIGUSR2)}, nil)
	blocked := mask(unix.SIGALRM)
	sys.Sigprocmask(unix.SIG_BLOCK, &blocked, nil)
	sys.Kill(sys.Getpid(), unix.SIGUSR1)
	sys.Kill(sys.Getpid(), unix.SIGUSR1)
})

var _ = register("mask of a nested handler", prints{Stdout: "1 10 12 14 \n"}, func() { // which blocks what the outer one blocks, too
	sys.Sigaction(unix.SIGUSR2, &sys.Sigaction_t{Handler: func(unix.Signal) {
		var old unix.Sigset_t
		sys.Sigprocmask(unix.SIG_BLOCK, nil, &old)
		printSet(old)
	}, Mask: mask(unix.SIGALRM)}, nil)
	sys.Sigaction(unix.SIGUSR1, &sys.Sigaction_t{Handler: func(unix.Signal) {
		sys.Kill(sys.Getpid(), unix.SIGUSR2)
	}, Mask: mask(unix.SIGHUP)}, nil)
	sys.Kill(sys.Getpid(), unix.SIGUSR1)
})

var _ = register("a full sa_mask", prints{Stdout: "fffffffe7ffbfeff\n"}, func() { // but for SIGKILL, SIGSTOP, 32 and 33
	act := sys.Sigaction_t{Handler: func(unix.Signal) {}}
	sys.Sigfillset(&act.Mask)
	sys.Sigaction(unix.SIGUSR1, &act, nil)
	sys.Sigaction(unix.SIGUSR1, nil, &act)
	fmt.Printf("%x\n", act.Mask.Val[0])
})

var _ = register("mask at the call", prints{Stdout: "in\nout\nsecond\n"}, func() { // which a new disposition does not change
	unp.Signal(unix.SIGUSR2, func(unix.Signal) { fmt.Println("second") })
	sys.Sigaction(unix.SIGUSR1, &sys.Sigaction_t{Handler: func(unix.Signal) {
		fmt.Println("in")
		unp.Signal(unix.SIGUSR1, sys.SIG_IGN)
		sys.Kill(sys.Getpid(), unix.SIGUSR2)
		pause50ms()
		fmt.Println("out")
	}, Mask: mask(unix.SIGUSR2)}, nil)
	sys.Kill(sys.Getpid(), unix.SIGUSR1)
})

var _ = register("dropped by its default", prints{Stdout: "0\n"}, func() { // SIGCHLD, which is blocked and pending
	caught := 0
	handler := func(unix.Signal) { caught++ }
	unp.Signal(unix.SIGCHLD, handler)
	blocked := mask(unix.SIGCHLD)
	sys.Sigprocmask(unix.SIG_BLOCK, &blocked, nil)
	sys.Kill(sys.Getpid(), unix.SIGCHLD)
	unp.Signal(unix.SIGCHLD, sys.SIG_DFL)
	unp.Signal(unix.SIGCHLD, handler)
	sys.Sigprocmask(unix.SIG_UNBLOCK, &blocked, nil)
	fmt.Println(caught)
})

var _ = register("previous disposition", prints{Stdout: "parent SIG_DFL f SIG_IGN\nchild SIG_DFL f SIG_IGN\ncaught\n"}, func() { // which a handler, or SA_RESETHAND, has set
	sys.Sigaction(unix.SIGUSR1, &sys.Sigaction_t{Handler: func(unix.Signal) {
		unp.Signal(unix.SIGUSR2, func(unix.Signal) { fmt.Println("caught") })
		unp.Signal(unix.SIGINT, sys.SIG_IGN)
	}, Flags: sys.SA_RESETHAND}, nil)
	sys.Kill(sys.Getpid(), unix.SIGUSR1)
	usr1 := unp.Signal(unix.SIGUSR1, sys.SIG_IGN)
	usr2 := unp.Signal(unix.SIGUSR2, sys.SIG_IGN)
	interrupt := unp.Signal(unix.SIGINT, sys.SIG_DFL)
	fmt.Println("parent", name(usr1), name(usr2), name(interrupt))
	if unp.Fork() == 0 {
		fmt.Println("child", name(usr1), name(usr2), name(interrupt))
		unp.Signal(unix.SIGUSR2, usr2)
		sys.Kill(sys.Getpid(), unix.SIGUSR2)
		os.Exit(0)
	}
	sys.Wait(nil)
})

var _ = register("previous disposition of a round", prints{
	Clients: []client{{"", "SIG_DFL SIG_DFL\n"}, {"", "f f\n"}, {"", "f f\n"}},
	Status:  terminated,
}, func() { // the handlers that the round before has set, of which one has a variable of its own
	listenfd := listen(unp.SERV_PORT)
	for {
		connfd := accept(listenfd)
		usr1 := unp.Signal(unix.SIGUSR1, func(unix.Signal) {})
		usr2 := unp.Signal(unix.SIGUSR2, func(unix.Signal) { unp.Close(connfd) })
		if unp.Fork() == 0 {
			say(connfd, name(usr1), name(usr2))
		}
		unp.Close(connfd)
	}
})

var _ = register("one of two closures", prints{Stdout: "two\n"}, func() { // a handler sets one that main has set too
	says := func(word string) unp.Sigfunc { return func(unix.Signal) { fmt.Println(word) } }
	one, two := says("one"), says("two")
	unp.Signal(unix.SIGUSR1, one)
	unp.Signal(unix.SIGUSR2, two)
	unp.Signal(unix.SIGHUP, func(unix.Signal) { unp.Signal(unix.SIGUSR1, two) })
	sys.Kill(sys.Getpid(), unix.SIGHUP)
	inChild(func() { sys.Kill(sys.Getpid(), unix.SIGUSR1) })
})

var _ = register("closure of two signals", prints{
	Clients: []client{{"", "caught 10\n"}, {"", "caught 12\n"}, {"", "caught 10\n"}, {"", "caught 12\n"}, {"", "caught 10\n"}, {"", "caught 12\n"}},
	Status:  terminated,
}, func() { // which has several names, of which the later children know one
	connfd := -1
	handler := func(signo unix.Signal) { say(connfd, "caught", int(signo)) }
	unp.Signal(unix.SIGUSR1, handler)
	listenfd := listen(unp.SERV_PORT)
	for clients := 0; ; clients++ {
		sys.Keep(&clients)
		connfd = accept(listenfd)
		if clients == 0 {
			unp.Signal(unix.SIGUSR2, handler)
		}
		if unp.Fork() == 0 {
			sys.Kill(sys.Getpid(), unix.SIGUSR1+unix.Signal(clients%2*2))
		}
		unp.Close(connfd)
	}
})

var _ = register("early, ignored on the way", prints{Stdout: "20\n"}, func() { // and caught at Fork
	caught := 0
	handler := func(unix.Signal) { caught++ }
	if name(unp.Signal(unix.SIGUSR1, sys.SIG_IGN)) != "SIG_IGN" { // as in C, where the shell may have ignored it
		unp.Signal(unix.SIGUSR1, handler)
	}
	unp.Signal(unix.SIGWINCH, handler)
	unp.Signal(unix.SIGWINCH, sys.SIG_DFL)
	unp.Signal(unix.SIGWINCH, handler)
	handled := 0
	for n := range 20 {
		pid := unp.Fork()
		if pid == 0 {
			for caught == 0 {
				sys.Pause()
			}
			os.Exit(0)
		}
		sys.Kill(pid, []unix.Signal{unix.SIGUSR1, unix.SIGWINCH}[n%2])
		var stat unix.WaitStatus
		sys.Waitpid(pid, &stat, 0)
		if stat == 0 {
			handled++
		}
	}
	fmt.Println(handled)
})

var _ = register("early defaults", prints{Stdout: "40 have ended by the signal\n"}, func() { // of signals that the runtime catches at first, and drops
	ended := 0
	for n := range 40 {
		signo := []unix.Signal{unix.SIGUSR1, unix.SIGUSR2, unix.SIGALRM, unix.SIGVTALRM, unix.SIGIO}[n%5]
		pid := unp.Fork()
		if pid == 0 {
			for {
				sys.Pause()
			}
		}
		sys.Nanosleep(&unix.Timespec{Nsec: int64(n) * 50e3}, nil)
		sys.Kill(pid, signo)
		var stat unix.WaitStatus
		sys.Waitpid(pid, &stat, 0)
		if stat.Signal() == signo {
			ended++
		}
	}
	fmt.Println(ended, "have ended by the signal")
})

var _ = register("early SIGWINCH", prints{Stdout: "10\n"}, func() { // that a new child is sent, and whose default is to be ignored
	var caught atomic.Bool
	unp.Signal(unix.SIGWINCH, func(unix.Signal) { caught.Store(true) })
	handled := 0
	for range 10 {
		pid := unp.Fork()
		if pid == 0 {
			for !caught.Load() {
				sys.Pause()
			}
			os.Exit(0)
		}
		sys.Kill(pid, unix.SIGWINCH)
		var stat unix.WaitStatus
		sys.Waitpid(pid, &stat, 0)
		if stat == 0 {
			handled++
		}
	}
	fmt.Println(handled)
})

var _ = register("pending when it is ignored", prints{Stdout: "0\n1\n"}, func() {
	// SIG_IGN discards what is pending; but what comes while it is ignored and blocked stays pending
	for _, first := range []string{"kill", "ignore"} {
		var set, old unix.Sigset_t
		caught := 0
		handler := func(unix.Signal) { caught++ }
		unp.Signal(unix.SIGUSR1, handler)
		if first == "ignore" {
			unp.Signal(unix.SIGUSR1, sys.SIG_IGN)
		}
		sys.Sigaddset(&set, unix.SIGUSR1)
		unp.Sigprocmask(unix.SIG_BLOCK, &set, &old)
		sys.Kill(sys.Getpid(), unix.SIGUSR1)
		sys.Sleep(1)
		if first == "kill" {
			unp.Signal(unix.SIGUSR1, sys.SIG_IGN)
		}
		unp.Signal(unix.SIGUSR1, handler)
		unp.Sigprocmask(unix.SIG_SETMASK, &old, nil)
		sys.Sleep(0)
		fmt.Println(caught)
	}
})
