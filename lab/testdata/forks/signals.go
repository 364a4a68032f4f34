package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp"
	"tcpcliserv/unp/sys"
)

// Signals and their handlers.

var _ = register("handler waits for another while main forks", prints{Stdout: "100\n"}, func() { waitsForAnother(100, forkAndWait) })

var _ = register("handler waits for another while main blocks", prints{Stdout: "2000\n"}, func() { waitsForAnother(2000, blockAndUnblock) })

// waitsForAnother has main do something as often as that, while a handler waits for what
// another handler does, which in C interrupts it.
func waitsForAnother(times int, do func()) {
	var flag atomic.Bool
	var handled atomic.Int32
	parent := sys.Getpid()
	unp.Signal(unix.SIGUSR1, func(unix.Signal) { flag.Store(true) })
	unp.Signal(unix.SIGUSR2, func(unix.Signal) {
		flag.Store(false)
		unix.Kill(unix.Getpid(), unix.SIGUSR1)
		for !flag.Load() {
			unix.Nanosleep(&unix.Timespec{Nsec: 10_000}, nil)
		}
		handled.Add(1)
	})
	if parent == unix.Getpid() {
		go func() {
			for sent := int32(1); ; sent++ {
				unix.Kill(parent, unix.SIGUSR2)
				for handled.Load() < sent { // main gets on only between two handlers
					time.Sleep(100 * time.Microsecond)
				}
			}
		}()
	}
	for range times {
		do()
	}
	fmt.Println(times)
}

func forkAndWait() {
	pid := unp.Fork()
	if pid == 0 {
		os.Exit(0)
	}
	for got, _ := sys.Waitpid(pid, nil, 0); got < 0; got, _ = sys.Waitpid(pid, nil, 0) {
	}
}

func blockAndUnblock() {
	var set, old unix.Sigset_t
	sys.Sigaddset(&set, unix.SIGUSR1)
	sys.Sigaddset(&set, unix.SIGUSR2)
	unp.Sigprocmask(unix.SIG_BLOCK, &set, &old)
	unp.Sigprocmask(unix.SIG_SETMASK, &old, nil)
}

// unheld are the signals that the Go runtime keeps no new process from getting.
var unheld = []unix.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGILL, unix.SIGTRAP, unix.SIGABRT, unix.SIGTERM,
	unix.SIGSTKFLT, unix.SIGSYS, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, unix.SIGCONT}

var _ = register("caught at once", prints{Stdout: "caught\n"}, func() { // by a new child
	handler := func(unix.Signal) { os.Exit(3) }
	for _, signo := range append(unheld, unix.SIGSEGV, unix.SIGBUS, unix.SIGFPE) {
		unp.Signal(signo, handler)
		sentAtOnce(signo, func() { sys.Sleep(100) })
		unp.Signal(signo, sys.SIG_DFL)
	}
	fmt.Println("caught")
})

var _ = register("ignored at once", prints{Stdout: "ignored\n"}, func() { // likewise
	for _, signo := range unheld {
		unp.Signal(signo, sys.SIG_IGN)
		sentAtOnce(signo, func() {})
		unp.Signal(signo, sys.SIG_DFL)
	}
	fmt.Println("ignored")
})

var _ = register("blocked at once", prints{Stdout: "blocked\n"}, func() { // likewise
	status := 4 // too early
	for _, signo := range unheld {
		var set, old unix.Sigset_t
		sys.Sigaddset(&set, signo)
		unp.Signal(signo, func(unix.Signal) { os.Exit(status) })
		unp.Sigprocmask(unix.SIG_BLOCK, &set, &old)
		sentAtOnce(signo, func() {
			status = 3
			unp.Sigprocmask(unix.SIG_SETMASK, &old, nil)
			os.Exit(5)
		})
		unp.Sigprocmask(unix.SIG_SETMASK, &old, nil)
		unp.Signal(signo, sys.SIG_DFL)
	}
	fmt.Println("blocked")
})

// sentAtOnce sends a signal to a new child, which calls do when the signal has been sent. It says
// so if the child does not end with status 3.
func sentAtOnce(signo unix.Signal, do func()) {
	p := make([]int, 2)
	sys.Pipe(p)
	pid := unp.Fork()
	if pid == 0 {
		unp.Close(p[1])
		sys.Read(p[0], make([]byte, 1))
		do()
		os.Exit(3)
	}
	unp.Close(p[0])
	sys.Kill(pid, signo)
	unp.Close(p[1])
	var stat unix.WaitStatus
	sys.Waitpid(pid, &stat, unix.WUNTRACED)
	if stat.ExitStatus() != 3 {
		fmt.Printf("a child that gets %v: %#x\n", signo, uint32(stat))
		sys.Kill(pid, unix.SIGKILL)
	}
}

var _ = register("no faults", prints{Stdout: "caught 11\ncaught 7\ncaught 8\n"}, func() { // the signals of faults, sent by a process
	for _, signo := range []unix.Signal{unix.SIGSEGV, unix.SIGBUS, unix.SIGFPE} {
		unp.Signal(signo, func(signo unix.Signal) { fmt.Println("caught", int(signo)) })
		sys.Kill(sys.Getpid(), signo)
	}
})

var _ = register("profiled", prints{Stdout: "<nil> profiled\n<nil> profiled\n"}, func() { // by SIGPROF
	profile := func() {
		err := pprof.StartCPUProfile(io.Discard)
		for begin := time.Now(); time.Since(begin) < 50*time.Millisecond; {
		}
		pprof.StopCPUProfile()
		fmt.Println(err, "profiled")
	}
	if unp.Fork() == 0 {
		profile()
		os.Exit(0)
	}
	sys.Wait(nil)
	profile()
})

var _ = register("profiled on the way", prints{Stdout: "child\nparent\n"}, func() { // through Fork
	pprof.StartCPUProfile(io.Discard)
	for begin := time.Now(); time.Since(begin) < 50*time.Millisecond; {
	}
	if unp.Fork() == 0 {
		fmt.Println("child")
		os.Exit(0)
	}
	sys.Wait(nil)
	pprof.StopCPUProfile()
	fmt.Println("parent")
})

var _ = register("executed by a goroutine", prints{Stdout: blocksMost + blocksNothing}, func() { // of the child, and of its parent; right: blocksNothing twice
	var set unix.Sigset_t
	execute := func() {
		done := make(chan bool)
		for range 2 {
			go func() {
				runtime.LockOSThread()
				out, _ := exec.Command("grep", "SigBlk", "/proc/self/status").Output()
				fmt.Print(string(out))
				done <- true
			}()
		}
		<-done
		<-done
	}
	unp.Signal(unix.SIGUSR1, sys.SIG_IGN)
	unp.Signal(unix.SIGUSR2, func(unix.Signal) {})
	unp.Signal(sigrtmin, func(unix.Signal) {})
	sys.Sigaddset(&set, unix.SIGALRM)
	unp.Sigprocmask(unix.SIG_BLOCK, &set, nil)
	unp.Sigprocmask(unix.SIG_UNBLOCK, &set, nil)
	if unp.Fork() == 0 {
		execute()
		os.Exit(0)
	}
	sys.Wait(nil)
	execute()
})

const (
	blocksNothing = "SigBlk:\t0000000000000000\nSigBlk:\t0000000000000000\n"
	blocksMost    = "SigBlk:\tfffffffc32802a00\nSigBlk:\tfffffffc32802a00\n" // see earlySignals
)

var _ = register("closed by a goroutine", prints{Stdout: "0\n"}, func() { // its own descriptor, not the one for which main waits
	var p [2]int
	sys.Pipe(p[:])
	unp.Signal(unix.SIGUSR1, func(unix.Signal) {})
	var stop atomic.Bool
	go func() {
		for !stop.Load() {
			fd, _ := unix.Dup(p[1])
			sys.Close(fd)
		}
	}()
	interrupted := 0
	for range 200 {
		if _, err := sys.Poll([]unix.PollFd{{Fd: int32(p[0]), Events: unix.POLLIN}}, 1); err != nil {
			interrupted++
		}
	}
	stop.Store(true)
	fmt.Println(interrupted)
})

var _ = register("Setuid of a goroutine", prints{Stdout: "interrupted system call\n1 <nil>\n"}, func() {
	// for which the runtime sends signal 33: it interrupts nothing, even after main has been woken by it
	var p [2]int
	unix.PthreadSigmask(unix.SIG_BLOCK, &unix.Sigset_t{Val: [16]uint64{1 << (unix.SIGUSR1 - 1)}}, nil)
	unp.SignalIntr(unix.SIGUSR1, func(unix.Signal) {})
	sys.Pipe(p[:])
	go func() {
		mainIn(unix.SYS_READ)
		unix.Kill(unix.Getpid(), unix.SIGUSR1)
	}()
	_, err := sys.Read(p[0], make([]byte, 1))
	fmt.Println(err)
	go func() {
		mainIn(unix.SYS_READ)
		for range 20 {
			unix.Setuid(os.Getuid())
		}
		unix.Write(p[1], []byte("x"))
	}()
	n, err := sys.Read(p[0], make([]byte, 1))
	fmt.Println(n, err)
})

var _ = register("Setuid of a handler", prints{Stdout: "Pause\nSigsuspend\nPselect\nSleep\n"}, func() { // while main waits for it
	var none unix.Sigset_t
	handled := false
	unp.Signal(unix.SIGUSR1, func(unix.Signal) {
		unix.Setuid(unix.Getuid())
		handled = true
	})
	for _, wait := range []struct {
		name   string
		number int
		call   func()
	}{
		{"Pause", unix.SYS_RT_SIGSUSPEND, func() { sys.Pause() }},
		{"Sigsuspend", unix.SYS_RT_SIGSUSPEND, func() { sys.Sigsuspend(&none) }},
		{"Pselect", unix.SYS_PSELECT6, func() { sys.Pselect(0, nil, nil, nil, nil, &none) }},
		{"Sleep", unix.SYS_CLOCK_NANOSLEEP, func() { sys.Sleep(100) }},
	} {
		handled = false
		go func() {
			mainIn(wait.number)
			unix.Kill(unix.Getpid(), unix.SIGUSR1)
		}()
		for !handled {
			wait.call()
		}
		fmt.Println(wait.name)
	}
})

var _ = register("lost SIGCHLD", prints{Stdout: "-1 interrupted system call, caught 0\n"}, func() { // by a child; C: caught 1
	caught := 0
	unp.SignalIntr(unix.SIGCHLD, func(unix.Signal) { caught++ })
	inChild(func() {
		var p [2]int
		sys.Pipe(p[:])
		go func() {
			mainIn(unix.SYS_READ)
			unix.Kill(unix.Getpid(), unix.SIGCHLD)
		}()
		n, err := sys.Read(p[0], make([]byte, 1))
		fmt.Printf("%d %v, caught %d\n", n, err, caught)
	})
})

var _ = register("SIGCHLD of a program in a child", prints{Stdout: "caught\n"}, func() { // whose handler the child has set again
	caught := false
	handler := func(unix.Signal) { caught = true }
	unp.Signal(unix.SIGCHLD, handler)
	inChild(func() {
		unp.Signal(unix.SIGCHLD, handler)
		exec.Command("true").Start()
		for !caught {
			sys.Pause()
		}
		fmt.Println("caught")
	})
})

var _ = register("handler that signals its group", prints{Stdout: "20 20\n"}, func() { // and another handler, which is slow, interrupts it
	sys.Setpgid(0, 0)
	slow, interrupted := 0, 0
	group := 0
	unp.Signal(unix.SIGUSR2, func(unix.Signal) {
		sys.Nanosleep(&unix.Timespec{Nsec: 2e6}, nil)
		slow++
	})
	unp.Signal(unix.SIGUSR1, func(unix.Signal) {
		before := slow
		sys.Kill(group, unix.SIGUSR2)
		interrupted += slow - before
	})
	for range 10 {
		sys.Kill(sys.Getpid(), unix.SIGUSR1)
	}
	group = -unix.Getpgrp()
	for range 10 {
		sys.Kill(sys.Getpid(), unix.SIGUSR1)
	}
	fmt.Println(slow, interrupted)
})

var _ = register("handler that is interrupted", prints{Stdout: "write: 10 0\nunblock: 10 0\n"}, func() { // by the slow handler of a signal that it has raised, or unblocks
	var p [2]int
	sys.Pipe(p[:])
	unp.Close(p[0])
	var usr2 unix.Sigset_t
	sys.Sigaddset(&usr2, unix.SIGUSR2)
	interrupted := func(name string, signo unix.Signal, do func()) {
		called, late := 0, 0
		unp.Signal(signo, func(unix.Signal) {
			sys.Nanosleep(&unix.Timespec{Nsec: 2e6}, nil)
			called++
		})
		sys.Sigaction(unix.SIGUSR1, &sys.Sigaction_t{Mask: usr2, Handler: func(unix.Signal) {
			before := called
			do()
			if called == before {
				late++
			}
		}}, nil)
		for range 10 {
			sys.Kill(sys.Getpid(), unix.SIGUSR1)
		}
		fmt.Printf("%s: %d %d\n", name, called, late)
	}
	interrupted("write", unix.SIGPIPE, func() { sys.Write(p[1], []byte("x")) })
	interrupted("unblock", unix.SIGUSR2, func() {
		sys.Kill(sys.Getpid(), unix.SIGUSR2)
		sys.Sigprocmask(unix.SIG_UNBLOCK, &usr2, nil)
	})
})

var _ = register("handler that reads", prints{Stdout: "x <nil>\n"}, func() { // is not interrupted by its own signal
	var p [2]int
	sys.Pipe(p[:])
	reads := make(chan int)
	unp.SignalIntr(unix.SIGUSR1, func(unix.Signal) {
		buf := make([]byte, 1)
		reads <- unix.Gettid()
		_, err := unix.Read(p[0], buf)
		fmt.Println(string(buf), err)
		os.Exit(0)
	})
	go func() {
		thread := <-reads
		for range 20 {
			awaitThread(thread, unix.SYS_READ)
			unix.Tgkill(unix.Getpid(), thread, unix.SIGUSR1)
			time.Sleep(time.Millisecond)
		}
		unix.Write(p[1], []byte("x"))
	}()
	sys.Kill(sys.Getpid(), unix.SIGUSR1)
	sys.Sleep(10)
})

var _ = register("handler that exits", prints{Stdout: "begins\nbegins\nchild\nmain has gone on\n"}, func() { // by runtime.Goexit, twice
	unp.Signal(unix.SIGUSR1, func(unix.Signal) {
		fmt.Println("begins")
		runtime.Goexit()
	})
	for range 2 {
		sys.Kill(sys.Getpid(), unix.SIGUSR1)
		sys.Sleep(0)
	}
	if unp.Fork() == 0 {
		fmt.Println("child")
		os.Exit(0)
	}
	sys.Wait(nil)
	fmt.Println("main has gone on")
})

var _ = register("handler that panics", prints{Test: "TestCrash"}, func() {
	unp.Signal(unix.SIGUSR1, func(unix.Signal) { panic("the handler's") })
	sys.Kill(sys.Getpid(), unix.SIGUSR1)
	sys.Sleep(10)
})

var _ = register("SIG_IGN called", prints{Test: "TestCrash"}, func() { sys.SIG_IGN(unix.SIGUSR1) })

var _ = register("all blocked at the start", prints{
	Under:  []string{"env", "--block-signal"},
	Stdout: "SIGUSR1 blocked: true, pending: 0 of 1\n1 of 1\n",
}, func() { // what main's thread inherits, it blocks
	var now unix.Sigset_t
	var caught atomic.Int32
	unp.Signal(sigrtmin, func(unix.Signal) { caught.Add(1) })
	unp.Sigprocmask(unix.SIG_BLOCK, nil, &now)
	sys.Kill(sys.Getpid(), sigrtmin)
	sys.Sleep(0)
	fmt.Printf("SIGUSR1 blocked: %v, pending: %d of 1\n", sys.Sigismember(&now, unix.SIGUSR1), caught.Load())
	sys.Sigemptyset(&now)
	unp.Sigprocmask(unix.SIG_SETMASK, &now, nil)
	for caught.Load() == 0 {
		sys.Sleep(0)
	}
	fmt.Println(caught.Load(), "of 1")
})

const sigrtmin = unix.Signal(35)

var _ = register("handler", prints{Stdout: "its status is 7\nits status is 6\n"}, func() { // the child's handler is its parent's
	caught := make(chan bool, 1) // main may still be in Fork, which waits for the handler
	unp.Signal(unix.SIGCHLD, func(unix.Signal) {
		wait()
		caught <- true
	})
	if unp.Fork() == 0 {
		if unp.Fork() == 0 {
			os.Exit(7)
		}
		<-caught
		os.Exit(6)
	}
	<-caught
})

var _ = register("default", prints{Stdout: defaults()}, func() { // but for the signals that stop, and those that Go's runtime or threads need
	unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	for signo := unix.Signal(1); signo <= 64; signo++ {
		switch signo {
		case unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, unix.SIGSEGV, unix.SIGBUS, unix.SIGFPE, 32, 33, 34:
			continue
		}
		if unp.Fork() == 0 {
			unix.Kill(unix.Getpid(), signo)
			os.Exit(0)
		}
		var stat unix.WaitStatus
		unix.Wait4(-1, &stat, 0, nil)
		if stat.Signaled() && stat.Signal() == signo {
			fmt.Print(128+int(signo), " ")
		} else {
			fmt.Print(stat.ExitStatus(), " ")
		}
	}
})

var _ = register("caught", prints{Stdout: fmt.Sprintf("SigCgt:\t%016x\n", 1<<(7-1)|1<<(8-1)|1<<(11-1)|1<<(27-1)|1<<(33-1))}, func() { // from the start: SIGBUS, SIGFPE, SIGSEGV, SIGPROF and 33
	printStatus("SigCgt")
})

var _ = register("dispositions", prints{Stdout: strings.Repeat("SIG_DFL SIG_IGN f\n", 6) + "SIG_DFL\n"}, func() {
	f := func(unix.Signal) {}
	for _, signo := range []unix.Signal{unix.SIGUSR1, unix.SIGCHLD, unix.SIGINT, unix.SIGPIPE, unix.SIGTSTP, 40} {
		one := name(unp.Signal(signo, sys.SIG_IGN))
		two := name(unp.Signal(signo, f))
		fmt.Println(one, two, name(unp.Signal(signo, sys.SIG_DFL)))
	}
	fmt.Println(name(unp.Signal(unix.SIGHUP, f)))
})

var _ = register("the handler before", prints{Stdout: "1000\n"}, func() { // that was installed when the signal came
	count := 0
	for range 1000 {
		by := ""
		unp.Signal(unix.SIGUSR1, func(unix.Signal) { by = "f" })
		unix.Tgkill(unix.Getpid(), unix.Gettid(), unix.SIGUSR1) // with kill, another thread may take it, later
		unp.Signal(unix.SIGUSR1, func(unix.Signal) { by = "g" })
		if by == "f" {
			count++
		}
	}
	fmt.Println(count)
})

var _ = register("continued", prints{Stdout: "100\n"}, func() { // after a stop, the handler runs before Kill returns
	pid := unp.Fork()
	if pid == 0 {
		handled, count := 0, 0
		unp.Signal(unix.SIGCONT, func(unix.Signal) { handled++ })
		for n := 1; n <= 100; n++ {
			sys.Kill(sys.Getpid(), unix.SIGSTOP)
			if handled == n {
				count++
			}
		}
		fmt.Println(count)
		os.Exit(0)
	}
	var stat unix.WaitStatus
	for sys.Waitpid(pid, &stat, unix.WUNTRACED); stat.Stopped(); sys.Waitpid(pid, &stat, unix.WUNTRACED) {
		unix.Kill(pid, unix.SIGCONT)
	}
})

var _ = register("default again", prints{Status: 128 + 10}, func() { // set by the handler, while the signal comes a second time
	unp.Signal(unix.SIGUSR1, func(signo unix.Signal) {
		unp.Signal(signo, func(unix.Signal) {})
		unix.Kill(unix.Getpid(), signo)
		unix.Nanosleep(&unix.Timespec{Nsec: 10e6}, nil)
		unp.Signal(signo, sys.SIG_DFL)
	})
	unix.Kill(unix.Getpid(), unix.SIGUSR1)
	sys.Sleep(0)
	sys.Sleep(0)
	fmt.Println("survived")
})

var _ = register("struck at once", prints{Stdout: strings.Repeat("its status is 11\n", 100)}, func() { // a child that is sent signals before it is there
	var caught atomic.Int32 // two handlers may run at the same time
	unp.Signal(unix.SIGUSR1, sys.SIG_IGN)
	unp.Signal(unix.SIGUSR2, func(unix.Signal) { caught.Add(1) })
	unp.Signal(unix.SIGALRM, func(unix.Signal) { caught.Add(10) })
	for range 100 {
		pid := unp.Fork()
		if pid == 0 {
			for caught.Load() < 11 {
				sys.Sleep(1)
			}
			os.Exit(int(caught.Load()))
		}
		unix.Kill(pid, unix.SIGUSR1)
		unix.Kill(pid, unix.SIGUSR2)
		unix.Kill(pid, unix.SIGALRM)
		wait()
	}
})

var _ = register("signalled by a handler", prints{Stdout: "2\n"}, func() {
	said := make(chan string, 2) // the handlers' order is the threads'
	unp.Signal(unix.SIGUSR2, func(unix.Signal) { said <- "second handler" })
	unp.Signal(unix.SIGUSR1, func(unix.Signal) {
		unix.Kill(unix.Getpid(), unix.SIGUSR2)
		said <- "first handler"
	})
	unix.Kill(unix.Getpid(), unix.SIGUSR1)
	sys.Sleep(0)
	fmt.Println(len(said))
})

var _ = register("struck before Close", prints{Stdout: "caught\n"}, func() { // and handled after it
	p, _ := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	var line []byte
	unp.Signal(unix.SIGUSR1, func(unix.Signal) { unp.Writen(p[0], []byte("caught\n")) })
	unix.Kill(unix.Getpid(), unix.SIGUSR1)
	unp.Close(p[0])
	unp.Readline(p[1], &line, unp.MAXLINE)
	fmt.Printf("%s", line)
})

var _ = register("again while it runs", prints{Stdout: strings.Repeat("2 ", 20)}, func() { // the handler is called twice before main goes on
	var calls atomic.Int32
	begins := make(chan bool)
	unp.Signal(unix.SIGUSR1, func(signo unix.Signal) {
		if calls.Load() == 0 {
			begins <- true
			unix.Kill(unix.Getpid(), signo)
		}
		unix.Nanosleep(&unix.Timespec{Nsec: 30e6}, nil)
		calls.Add(1)
	})
	for range 20 {
		calls.Store(0)
		unix.Kill(unix.Getpid(), unix.SIGUSR1)
		<-begins
		time.Sleep(10 * time.Millisecond)
		sys.Sleep(0)
		fmt.Print(calls.Load(), " ")
	}
})

var _ = register("stands still", prints{Stdout: "line\n"}, func() { // at whatever main calls of unp while a handler runs
	var ended atomic.Bool
	begins := make(chan bool)
	unp.Signal(unix.SIGUSR1, func(unix.Signal) {
		begins <- true
		unix.Nanosleep(&unix.Timespec{Nsec: 50e6}, nil)
		ended.Store(true)
	})
	var line []byte
	var ling unix.Linger
	var other sys.SockaddrIn
	listenfd, fd := listen(unp.SERV_PORT), unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	servaddr := sys.SockaddrIn{Family: unix.AF_INET, Port: sys.Htons(unp.SERV_PORT), Addr: sys.Htonl(0x7f000001)}
	pair, _ := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	unix.Dup2(pair[1], 0)
	for _, c := range []struct {
		name string
		call func()
	}{
		{"Socket", func() { unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0) }},
		{"Bind", func() { other.Family = unix.AF_INET; unp.Bind(fd, &other, sys.Sizeof(other)) }},
		{"Listen", func() { unp.Listen(listenfd, 5) }},
		{"Connect", func() { unp.Connect(fd, &servaddr, sys.Sizeof(servaddr)) }},
		{"Accept", func() { accept(listenfd) }},
		{"Setsockopt", func() { unp.Setsockopt(fd, unix.SOL_SOCKET, unix.SO_LINGER, &ling) }},
		{"Close", func() { unp.Close(fd) }},
		{"Writen", func() { unp.Writen(pair[0], []byte("line\nline\n")) }},
		{"Readline", func() { unp.Readline(pair[1], &line, unp.MAXLINE) }},
		{"Fgets", func() { unp.Writen(pair[0], []byte("line\n")); unp.Fgets(&line, unp.MAXLINE, unp.Stdin) }},
		{"Fputs", func() { unp.Fputs(nil, os.Stdout); unp.Fputs([]byte("line\n"), os.Stdout) }},
		{"Sleep", func() { sys.Sleep(0) }},
		{"Signal", func() { unp.Signal(unix.SIGUSR2, sys.SIG_IGN) }},
	} {
		ended.Store(false)
		unix.Kill(unix.Getpid(), unix.SIGUSR1)
		<-begins
		time.Sleep(10 * time.Millisecond)
		if c.call(); !ended.Load() {
			fmt.Println(c.name, "goes on")
		}
		for !ended.Load() {
			time.Sleep(time.Millisecond)
		}
	}
})

var _ = register("stands still at Fork", prints{Test: "TestStandsStillAtFork", Stdout: "ready\ntrue\n"}, func() {
	var ended atomic.Bool
	unp.Signal(unix.SIGUSR1, func(unix.Signal) {
		unix.Nanosleep(&unix.Timespec{Nsec: 600e6}, nil)
		ended.Store(true)
	})
	fmt.Println("ready")
	time.Sleep(300 * time.Millisecond)
	if unp.Fork() == 0 {
		os.Exit(0)
	}
	fmt.Println(ended.Load())
})

var _ = register("closed by a handler", prints{Test: "TestClosedByHandler", Stderr: "accept error: Bad file descriptor\n", Status: 1}, func() { // while main accepts on it
	listenfd := listen(unp.SERV_PORT)
	unp.Signal(unix.SIGUSR1, func(unix.Signal) { unp.Close(listenfd) })
	accept(listenfd)
})

var _ = register("caught before the end", prints{Stderr: "caught\nthe end\n", Status: 1}, func() { // at the hands of ErrQuit
	unp.Signal(unix.SIGUSR1, func(unix.Signal) {
		unix.Nanosleep(&unix.Timespec{Nsec: 50e6}, nil)
		unix.Write(2, []byte("caught\n"))
	})
	unix.Kill(unix.Getpid(), unix.SIGUSR1)
	unp.ErrQuit("the end")
})

var _ = register("handler in the child", prints{Stdout: "caught\n"}, func() {
	if unp.Fork() == 0 {
		unp.Signal(unix.SIGUSR1, func(unix.Signal) { fmt.Println("caught") })
		unix.Kill(unix.Getpid(), unix.SIGUSR1)
		sys.Sleep(0)
		os.Exit(0)
	}
	wait()
})

var _ = register("ignored", prints{Under: []string{"bash", "-c", `trap "" TSTP TTIN TTOU; exec "$@"`, "bash"}, Stdout: fmt.Sprintf("SigIgn:\t%016x\n", 1<<(20-1)|1<<(21-1)|1<<(22-1))}, func() { // from the start
	printStatus("SigIgn")
})

var _ = register("ready", prints{Stdout: "ready\n"}, func() { // the child sends its parent a signal
	ready := false
	unp.Signal(unix.SIGUSR1, func(unix.Signal) { ready = true })
	parent := sys.Getpid()
	if unp.Fork() == 0 {
		unix.Kill(parent, unix.SIGUSR1)
		os.Exit(0)
	}
	for !ready {
		sys.Pause()
	}
	fmt.Println("ready")
})

var _ = register("executes", prints{Stdout: strings.Repeat(executed+strings.Replace(executed, "SigBlk:\t0000000000000000", "SigBlk:\t0000000000000200", 1), 2) + "SigBlk:\t0000000000000000\n"}, func() { // what main, its child, and their handlers execute blocks nothing
	status := func() {
		out, _ := exec.Command("grep", "-e", "SigBlk", "-e", "SigIgn", "/proc/self/status").Output() // a shell unblocks signals
		fmt.Print(string(out))
		out, _ = exec.Command("sh", "-c", "yes | head -n 1").CombinedOutput()
		fmt.Print(string(out))
	}
	unp.Signal(unix.SIGUSR1, func(unix.Signal) { status() })
	status()
	sys.OnceFunc(func() { unix.Kill(unix.Getpid(), unix.SIGUSR1) })
	inChild(func() {
		status()
		unix.Kill(unix.Getpid(), unix.SIGUSR1)
		sys.Sleep(0)
		unix.Exec("/bin/grep", []string{"grep", "SigBlk", "/proc/self/status"}, nil)
	})
})

var _ = register("ignored and inherited", prints{Under: []string{"bash", "-c", `trap "" HUP TSTP CONT; exec "$@"`, "bash"}, Stdout: "SIG_IGN SIG_IGN SIG_DFL SIG_IGN SIG_IGN\nSIG_IGN SIG_IGN\n"}, func() {
	hup, tstp := name(unp.Signal(unix.SIGHUP, sys.SIG_DFL)), name(unp.Signal(unix.SIGTSTP, sys.SIG_IGN))
	inChild(func() {
		fmt.Println(hup, tstp, name(unp.Signal(unix.SIGHUP, sys.SIG_IGN)), name(unp.Signal(unix.SIGTSTP, sys.SIG_DFL)), name(unp.Signal(unix.SIGCONT, sys.SIG_DFL)))
	})
	fmt.Println(hup, tstp)
})

var _ = register("installed as it strikes", prints{}, func() { // a handler of the child calls Signal while the child starts its catchers
	for range 15 {
		done := make(chan bool, 10)
		unp.Signal(unix.SIGUSR1, func(unix.Signal) { unp.Signal(unix.SIGUSR2, func(unix.Signal) { done <- true }) })
		unp.Signal(unix.SIGUSR2, func(unix.Signal) { done <- true })
		unp.Signal(unix.SIGALRM, func(unix.Signal) { done <- true })
		pid := unp.Fork()
		if pid == 0 {
			sys.Sleep(0)
			sys.OnceFunc(func() { unix.Kill(unix.Getpid(), unix.SIGUSR2) })
			sys.Sleep(0)
			<-done
			os.Exit(len(done)) // each signal is handled once
		}
		unix.Kill(pid, unix.SIGUSR1)
		wait()
	}
})

var _ = register("a slow handler", prints{Stdout: "2 true\n"}, func() { // main sleeps while it runs, even if the signal comes again
	var before, after unix.Rusage
	runs := 0
	unp.Signal(unix.SIGUSR1, func(unix.Signal) {
		if runs++; runs == 1 {
			unix.Kill(unix.Getpid(), unix.SIGUSR1)
			time.Sleep(500 * time.Millisecond)
		}
	})
	unix.Kill(unix.Getpid(), unix.SIGUSR1)
	time.Sleep(100 * time.Millisecond)
	unix.Getrusage(unix.RUSAGE_THREAD, &before)
	sys.Sleep(0)
	unix.Getrusage(unix.RUSAGE_THREAD, &after)
	used := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
	fmt.Println(runs, used < 100*time.Millisecond)
})

const executed = "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\ny\n"

// defaults is how a child ends that is sent each signal, if none is caught.
func defaults() (statuses string) {
	for signo := 1; signo <= 64; signo++ {
		switch signo {
		case 17, 18, 23, 27, 28: // CHLD, CONT, URG, PROF, WINCH
			statuses += "0 "
		case 7, 8, 11, 19, 20, 21, 22, 32, 33, 34: // not asked for
		default:
			statuses += fmt.Sprint(128+signo, " ")
		}
	}
	return statuses
}
