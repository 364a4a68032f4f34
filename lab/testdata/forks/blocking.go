package main

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp"
	"tcpcliserv/unp/sys"
)

// Blocked signals.

var _ = register("SIGCHLD to a child that blocks it", prints{Stdout: "caught\nunblocked\n"}, func() { // and has no children
	var set, old unix.Sigset_t
	sys.Sigaddset(&set, unix.SIGCHLD)
	unp.Sigprocmask(unix.SIG_BLOCK, &set, &old)
	ready, sent := make([]int, 2), make([]int, 2)
	sys.Pipe(ready)
	sys.Pipe(sent)
	pid := unp.Fork()
	if pid == 0 {
		unp.Close(sent[1])
		unp.Close(ready[1])
		sys.Read(sent[0], make([]byte, 1))
		unp.Signal(unix.SIGCHLD, func(unix.Signal) { fmt.Println("caught") })
		unp.Sigprocmask(unix.SIG_SETMASK, &old, nil)
		fmt.Println("unblocked")
		os.Exit(0)
	}
	unp.Close(ready[1])
	sys.Read(ready[0], make([]byte, 1))
	sys.Kill(pid, unix.SIGCHLD)
	unp.Close(sent[1])
	sys.Waitpid(pid, nil, 0)
})

var _ = register("blocked", prints{Stdout: "0x200\n"}, func() { // the child blocks the signals that its parent blocks
	var set, old unix.Sigset_t
	set.Val[0] = 1 << (unix.SIGUSR1 - 1)
	unix.PthreadSigmask(unix.SIG_BLOCK, &set, nil)
	if unp.Fork() == 0 {
		unix.PthreadSigmask(unix.SIG_BLOCK, nil, &old)
		fmt.Printf("%#x\n", old.Val[0])
		os.Exit(0)
	}
	wait()
})

var _ = register("all blocked", prints{Stdout: "it returns\n"}, func() { // and a handler installed meanwhile; Setuid concerns all threads
	var all, old unix.Sigset_t
	all.Val[0] = ^uint64(0)
	unp.Sigprocmask(unix.SIG_SETMASK, &all, &old)
	unp.Signal(unix.SIGUSR1, func(unix.Signal) {})
	unp.Sigprocmask(unix.SIG_SETMASK, &old, nil)
	unix.Setuid(os.Getuid())
	fmt.Println("it returns")
})

var _ = register("sigprocmask", prints{Stdout: "0 true 0 1 1\n"}, func() {
	var set, old unix.Sigset_t
	var caught atomic.Int32
	unp.Signal(unix.SIGUSR1, func(unix.Signal) { caught.Add(1) })
	kill := func() { unix.Kill(unix.Getpid(), unix.SIGUSR1) }
	handled := func() int32 { // another thread may have taken the signal just now
		for caught.Load() == 0 {
			sys.Sleep(0)
		}
		return caught.Load()
	}
	set.Val[0] = 1 << (unix.SIGUSR1 - 1)
	unp.Sigprocmask(unix.SIG_BLOCK, &set, &old)
	for range 3 {
		sys.OnceFunc(kill)
		sys.Sleep(0)
	}
	fmt.Print(caught.Load(), " ")
	inChild(func() { // it has none pending, and blocks the same
		var now unix.Sigset_t
		unp.Sigprocmask(unix.SIG_BLOCK, nil, &now)
		kill()
		sys.Sleep(0)
		before := caught.Load()
		unp.Sigprocmask(unix.SIG_SETMASK, &old, nil)
		fmt.Print(now == set, " ", before, handled(), " ")
	})
	unp.Sigprocmask(unix.SIG_UNBLOCK, &set, nil)
	fmt.Println(handled())
})

var _ = register("suspended", prints{Stdout: "true\n"}, func() { // SIGCHLD at its default calls no handler
	var set, old unix.Sigset_t
	var caught atomic.Bool
	set.Val[0] = 1 << (unix.SIGCHLD - 1)
	unp.Signal(unix.SIGALRM, func(unix.Signal) { caught.Store(true) })
	unp.Sigprocmask(unix.SIG_BLOCK, &set, &old)
	pid := unp.Fork()
	if pid == 0 {
		os.Exit(0)
	}
	unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
	sys.Alarm(1)
	sys.Sigsuspend(&old)
	fmt.Println(caught.Load())
})

var _ = register("blocked at its default", prints{Stdout: "survived\n", Status: 128 + 15}, func() {
	var set unix.Sigset_t
	set.Val[0] = 1<<(unix.SIGTERM-1) | 1<<(unix.SIGCHLD-1)
	unp.Sigprocmask(unix.SIG_BLOCK, &set, nil)
	unix.Kill(unix.Getpid(), unix.SIGTERM)
	sys.Sleep(0)
	fmt.Println("survived")
	unp.Sigprocmask(unix.SIG_UNBLOCK, &set, nil)
	sys.Sleep(1)
	fmt.Println("and survived")
})

var (
	_ = register("list of children", prints{Stdout: "0 0\n"}, func() { listOfChildren(0) })
	_ = register("list of children, late", prints{Stdout: "0 0\n"}, func() { listOfChildren(5 * time.Millisecond) })
)

// listOfChildren blocks SIGCHLD around Fork, so that the handler finds each child in a list.
func listOfChildren(late time.Duration) {
	var set, old unix.Sigset_t
	list, unknown, ended := map[int]bool{}, 0, 0
	unp.Signal(unix.SIGCHLD, func(unix.Signal) {
		for pid, _ := sys.Waitpid(-1, nil, unix.WNOHANG); pid > 0; pid, _ = sys.Waitpid(-1, nil, unix.WNOHANG) {
			if !list[pid] {
				unknown++
			}
			delete(list, pid)
			ended++
		}
	})
	set.Val[0] = 1 << (unix.SIGCHLD - 1)
	for range 20 {
		unp.Sigprocmask(unix.SIG_BLOCK, &set, &old)
		pid := unp.Fork()
		if pid == 0 {
			os.Exit(0)
		}
		sys.Sleep(0)
		time.Sleep(late)
		list[pid] = true
		unp.Sigprocmask(unix.SIG_SETMASK, &old, nil)
	}
	unp.Sigprocmask(unix.SIG_BLOCK, &set, &old)
	for ended < 20 {
		sys.Sigsuspend(&old)
	}
	unp.Sigprocmask(unix.SIG_SETMASK, &old, nil)
	fmt.Println(unknown, len(list))
}

var _ = register("sigsuspend", prints{Stdout: "2000\n"}, func() { // loses no signal, wherever it strikes
	var set, old unix.Sigset_t
	caught := 0
	unp.Signal(unix.SIGUSR1, func(unix.Signal) { caught++ })
	set.Val[0] = 1 << (unix.SIGUSR1 - 1)
	unp.Sigprocmask(unix.SIG_BLOCK, &set, &old)
	told := make(chan bool)
	go func() {
		for range told {
			unix.Kill(unix.Getpid(), unix.SIGUSR1)
		}
	}()
	for n := 1; n <= 2000; n++ {
		told <- true
		for caught < n {
			sys.Sigsuspend(&old)
		}
	}
	fmt.Println(caught)
})

var _ = register("one for each sigsuspend", prints{Stdout: "interrupted system call 1\ninterrupted system call 2\n-1 interrupted system call 3\n-1 interrupted system call 4\n"}, func() { // the handler sends its signal again
	caught := 0
	blocked := mask(unix.SIGUSR1)
	sys.Sigprocmask(unix.SIG_BLOCK, &blocked, nil)
	unp.Signal(unix.SIGUSR1, func(unix.Signal) {
		caught++
		sys.Kill(sys.Getpid(), unix.SIGUSR1)
	})
	sys.Kill(sys.Getpid(), unix.SIGUSR1)
	var none unix.Sigset_t
	for range 2 {
		fmt.Println(sys.Sigsuspend(&none), caught)
	}
	for range 2 {
		n, err := sys.Pselect(0, nil, nil, nil, &unix.Timespec{Sec: 5}, &none)
		fmt.Println(n, err, caught)
	}
})

var _ = register("a full mask", prints{Stdout: "interrupted system call\ntrue fffffffe7ffbfeff\n"}, func() { // filled by hand; it takes two seconds if 32 is not left out
	var blocked, old unix.Sigset_t
	blocked.Val[0] = ^uint64(0)
	unp.Signal(unix.SIGUSR1, func(unix.Signal) {})
	sys.Sigprocmask(unix.SIG_SETMASK, &blocked, nil)
	sys.Kill(sys.Getpid(), unix.SIGUSR1)
	begin := time.Now()
	fmt.Println(sys.Sigsuspend(&unix.Sigset_t{}))
	took := time.Since(begin)
	sys.Sigprocmask(unix.SIG_BLOCK, nil, &old)
	fmt.Printf("%t %x\n", took < 1500*time.Millisecond, old.Val[0])
})

var _ = register("nested in sigsuspend", prints{Stdout: "interrupted system call 1 2\n"}, func() { // a handler sends itself another signal, twice
	first, second := 0, 0
	unp.Signal(unix.SIGUSR2, func(unix.Signal) { second++ })
	unp.Signal(unix.SIGUSR1, func(unix.Signal) {
		first++
		sys.Kill(sys.Getpid(), unix.SIGUSR2)
		sys.Kill(sys.Getpid(), unix.SIGUSR2)
	})
	blocked := mask(unix.SIGUSR1, unix.SIGUSR2)
	sys.Sigprocmask(unix.SIG_BLOCK, &blocked, nil)
	sys.Kill(sys.Getpid(), unix.SIGUSR1)
	err := sys.Sigsuspend(&unix.Sigset_t{})
	fmt.Println(err, first, second)
})

var _ = register("blocked in sigsuspend", prints{Stdout: "first\nback\nsecond\n"}, func() { // a handler blocks a signal, which main blocks, too, when the handler has returned
	second := mask(unix.SIGUSR2)
	unp.Signal(unix.SIGUSR2, func(unix.Signal) { fmt.Println("second") })
	unp.Signal(unix.SIGUSR1, func(unix.Signal) {
		sys.Sigprocmask(unix.SIG_BLOCK, &second, nil)
		sys.Kill(sys.Getpid(), unix.SIGUSR2)
		fmt.Println("first")
	})
	blocked := mask(unix.SIGUSR1, unix.SIGUSR2)
	sys.Sigprocmask(unix.SIG_BLOCK, &blocked, nil)
	sys.Kill(sys.Getpid(), unix.SIGUSR1)
	sys.Sigsuspend(&unix.Sigset_t{})
	fmt.Println("back")
	sys.Sigprocmask(unix.SIG_UNBLOCK, &second, nil)
})

var _ = register("two in one sigsuspend", prints{Stdout: "USR2 USR1 interrupted system call\n"}, func() { // one of which interrupts the other's handler
	blocked := mask(unix.SIGUSR1, unix.SIGUSR2)
	sys.Sigprocmask(unix.SIG_BLOCK, &blocked, nil)
	unp.Signal(unix.SIGUSR2, func(unix.Signal) { fmt.Print("USR2 ") })
	unp.Signal(unix.SIGUSR1, func(unix.Signal) {
		sys.Kill(sys.Getpid(), unix.SIGUSR2)
		fmt.Print("USR1 ")
	})
	sys.Kill(sys.Getpid(), unix.SIGUSR1)
	var none unix.Sigset_t
	fmt.Println(sys.Sigsuspend(&none))
})

var _ = register("in turn", prints{Stdout: "child 50\nparent 50\n"}, func() { // parent and child wait for each other's signal
	caught := 0
	blocked := mask(unix.SIGUSR1)
	sys.Sigprocmask(unix.SIG_BLOCK, &blocked, nil)
	peer := sys.Getpid()
	unp.Signal(unix.SIGUSR1, func(unix.Signal) {
		caught++
		sys.Kill(peer, unix.SIGUSR1)
	})
	var none unix.Sigset_t
	pid := unp.Fork()
	if pid == 0 {
		sys.Kill(peer, unix.SIGUSR1)
	} else {
		peer = pid
	}
	for range 50 {
		sys.Sigsuspend(&none)
	}
	if pid == 0 {
		fmt.Println("child", caught)
		os.Exit(0)
	}
	sys.Wait(nil)
	fmt.Println("parent", caught)
})

var _ = register("blocked by a handler", prints{Stdout: "0\ncaught\n"}, func() { // until it returns
	var old unix.Sigset_t
	set := unix.Sigset_t{Val: [16]uint64{1 << (unix.SIGUSR2 - 1)}}
	unp.Signal(unix.SIGUSR2, func(unix.Signal) { fmt.Println("caught") })
	unp.Signal(unix.SIGUSR1, func(unix.Signal) { unp.Sigprocmask(unix.SIG_BLOCK, &set, nil) })
	unix.Kill(unix.Getpid(), unix.SIGUSR1)
	sys.Sleep(0)
	unp.Sigprocmask(unix.SIG_BLOCK, nil, &old)
	fmt.Println(old.Val[0])
	unix.Kill(unix.Getpid(), unix.SIGUSR2)
	sys.Sleep(0)
})
