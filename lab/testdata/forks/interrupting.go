package main

import (
	"bytes"
	"fmt"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp"
	"tcpcliserv/unp/sys"
)

// What interrupts main, and what does not.

var _ = register("caught while it echoes", prints{Stdout: "caught\nStrEcho returns\n"}, func() {
	p, _ := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	unp.Signal(unix.SIGUSR1, func(unix.Signal) {
		unix.Close(p[0]) // so that StrEcho reads 0
		unix.Nanosleep(&unix.Timespec{Nsec: 50e6}, nil)
		fmt.Println("caught")
	})
	go func() {
		unix.Nanosleep(&unix.Timespec{Nsec: 50e6}, nil)
		unix.Tgkill(unix.Getpid(), unix.Getpid(), unix.SIGUSR1)
	}()
	unp.StrEcho(p[1])
	fmt.Println("StrEcho returns")
})

var _ = register("caught while it reads", prints{Stdout: "caught\nReadline returns line\n"}, func() { // a line that the handler writes
	var line []byte
	p, _ := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	unp.SignalIntr(unix.SIGUSR1, func(unix.Signal) {
		unix.Write(p[0], []byte("line\n"))
		unix.Nanosleep(&unix.Timespec{Nsec: 50e6}, nil)
		fmt.Println("caught")
	})
	go func() {
		time.Sleep(50 * time.Millisecond)
		unix.Tgkill(unix.Getpid(), unix.Getpid(), unix.SIGUSR1)
	}()
	unp.Readline(p[1], &line, unp.MAXLINE)
	fmt.Printf("Readline returns %s", line)
})

var _ = register("interrupted in the child", prints{Test: "TestInterruptedServer", Stdout: "interrupted system call\n"}, func() { // by a signal whose disposition the runtime has not touched
	var p [2]int
	unix.Pipe(p[:])
	unp.SignalIntr(unix.SIGTSTP, func(unix.Signal) {})
	if unp.Fork() == 0 {
		_, err := unix.Read(p[0], make([]byte, 1))
		fmt.Println(err)
		os.Exit(0)
	}
	wait()
})

var _ = register("ignored while a handler runs", prints{Stdout: "1 <nil>\n1 <nil>\n"}, func() { // whose sa_mask has every signal
	var p [2]int
	sys.Pipe(p[:])
	act := sys.Sigaction_t{Flags: sys.SA_RESTART, Handler: func(unix.Signal) {
		mainIn(unix.SYS_READ)
		unix.Tgkill(unix.Getpid(), unix.Getpid(), unix.SIGWINCH)
		pause50ms()
		unix.Write(p[1], []byte("x"))
	}}
	sys.Sigfillset(&act.Mask)
	sys.Sigaction(unix.SIGUSR1, &act, nil)
	for _, disposition := range []unp.Sigfunc{sys.SIG_DFL, sys.SIG_IGN} {
		sys.Sigaction(unix.SIGWINCH, &sys.Sigaction_t{Handler: disposition}, nil) // without SA_RESTART, which unp.Signal would set
		go func() {
			mainIn(unix.SYS_READ)
			unix.Kill(unix.Getpid(), unix.SIGUSR1)
		}()
		fmt.Println(sys.Read(p[0], make([]byte, 1)))
	}
})

var _ = register("sleep", prints{Test: "TestSleep"}, func() {
	unp.Signal(unix.SIGUSR1, func(unix.Signal) {})
	fmt.Println("left:", sys.Sleep(100))
})

var _ = register("sleep for years", prints{Test: "TestSleep", Stdout: "true\n"}, func() {
	unp.Signal(unix.SIGUSR1, func(unix.Signal) {})
	fmt.Println(sys.Sleep(^uint(0)) > 1<<31)
})

var _ = register("sleep a second", prints{Stdout: "left: 0\n"}, func() {
	fmt.Println("left:", sys.Sleep(1))
})

var _ = register("connect", prints{Test: "TestInterruptedConnect", Stderr: "caught\nconnect error: Interrupted system call\n", Status: 1}, func() { // to a host that does not answer
	var servaddr sys.SockaddrIn
	unp.SignalIntr(unix.SIGUSR1, func(unix.Signal) { unp.Writen(2, []byte("caught\n")) })
	fd := unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	servaddr.Family = unix.AF_INET
	servaddr.Port = sys.Htons(unp.SERV_PORT)
	unp.InetPton(unix.AF_INET, "192.0.2.2", &servaddr.Addr)
	unp.Connect(fd, &servaddr, sys.Sizeof(servaddr))
})

var _ = register("interrupted echo", prints{Test: "TestInterruptedServer", Stdout: "caught\n"}, func() { // the child catches a signal that does not restart
	listenfd := listen(unp.SERV_PORT)
	connfd := accept(listenfd)
	if unp.Fork() == 0 {
		unp.SignalIntr(unix.SIGUSR1, func(unix.Signal) { fmt.Println("caught") })
		unp.StrEcho(connfd)
		os.Exit(0)
	}
	wait()
})

var _ = register("failed accept", prints{Test: "TestInterruptedServer", Stdout: "-1 true\n"}, func() { // and no second one
	unp.SignalIntr(unix.SIGUSR1, func(unix.Signal) {})
	listenfd := listen(unp.SERV_PORT)
	var cliaddr sys.SockaddrIn
	clilen := sys.Sizeof(cliaddr)
	connfd, err := sys.Accept(listenfd, &cliaddr, &clilen)
	if unp.Fork() == 0 {
		fmt.Println(connfd, err == unix.EINTR)
		os.Exit(0)
	}
	wait()
})

var _ = register("interrupted accept", prints{Test: "TestInterruptedServer", Stdout: "caught\nEINTR\nthe child runs\n"}, func() { // a Fork in the branch of EINTR
	unp.SignalIntr(unix.SIGUSR1, func(unix.Signal) {
		unix.Nanosleep(&unix.Timespec{Nsec: 50e6}, nil)
		fmt.Println("caught")
	})
	listenfd := listen(unp.SERV_PORT)
	var cliaddr sys.SockaddrIn
	clilen := sys.Sizeof(cliaddr)
	for {
		if connfd, err := sys.Accept(listenfd, &cliaddr, &clilen); connfd >= 0 {
			break
		} else if err == unix.EINTR {
			fmt.Println("EINTR")
		}
	}
	if unp.Fork() == 0 {
		fmt.Println("the child runs")
		os.Exit(0)
	}
	wait()
})

var _ = register("alarm", prints{Stdout: "1\n0\ntrue 0\nalarm\ninterrupted system call\n"}, func() {
	sys.Alarm(1)
	fmt.Println(sys.Alarm(60))
	inChild(func() {
		sys.Sleep(0)
		fmt.Println(sys.Alarm(0))
	})
	left := sys.Alarm(0)
	fmt.Println(50 < left && left <= 60, sys.Alarm(0))
	unp.Signal(unix.SIGALRM, func(unix.Signal) { fmt.Println("alarm") })
	sys.Alarm(1)
	var p [2]int
	sys.Pipe(p[:])
	_, err := sys.Read(p[0], make([]byte, 1))
	fmt.Println(err)
})

var _ = register("pause", prints{Stdout: "5\n"}, func() { // until five children have ended
	ended := 0
	unp.Signal(unix.SIGCHLD, func(unix.Signal) {
		for pid, _ := sys.Waitpid(-1, nil, unix.WNOHANG); pid > 0; pid, _ = sys.Waitpid(-1, nil, unix.WNOHANG) {
			ended++
		}
	})
	for range 5 {
		if unp.Fork() == 0 {
			os.Exit(0)
		}
	}
	for ended < 5 {
		sys.Pause()
	}
	fmt.Println(ended)
})

var _ = register("pause a second", prints{Stdout: "true\n"}, func() { // a Signal before it does not end it
	unp.Signal(unix.SIGALRM, func(unix.Signal) {})
	sys.Alarm(1)
	start := time.Now()
	sys.Pause()
	fmt.Println(time.Since(start) > 900*time.Millisecond)
})

var _ = register("pause after a handler", prints{Stdout: "paused\n"}, func() {
	var done atomic.Bool
	unp.Signal(unix.SIGUSR1, func(unix.Signal) { done.Store(true) })
	unix.Kill(unix.Getpid(), unix.SIGUSR1)
	for !done.Load() {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond) // the handler has returned, outside unp
	sys.Pause()
	fmt.Println("paused")
})

var _ = register("interrupted accepts", prints{Test: "TestInterruptedOnPurpose"}, func() { // without an address, by a signal that the kernel must give to another thread
	unix.PthreadSigmask(unix.SIG_BLOCK, &unix.Sigset_t{Val: [16]uint64{1 << (unix.SIGUSR1 - 1)}}, nil)
	unp.SignalIntr(unix.SIGUSR1, func(unix.Signal) {})
	listenfd := listen(unp.SERV_PORT)
	for i := 0; ; i++ {
		if _, err := sys.Accept(listenfd, nil, nil); err != unix.EINTR {
			fmt.Println(err)
		}
		fmt.Println(i)
		if sys.Once(func() bool { return i == 29 }) {
			inChild(func() {
				environ, _ := os.ReadFile("/proc/self/environ")
				path := environ[bytes.Index(environ, []byte("UNP_FORK=")):]
				fmt.Println(bytes.IndexByte(path, 0) < 1000)
			})
			os.Exit(0)
		}
	}
})

var _ = register("collecting", prints{Test: "TestInterruptedOnPurpose"}, func() { // the runtime collects garbage, and nothing interrupts main but what should
	collect()
	unp.SignalIntr(unix.SIGUSR1, func(unix.Signal) {})
	listenfd := listen(unp.SERV_PORT)
	for i := 1; ; i++ {
		if _, err := sys.Accept(listenfd, nil, nil); err != unix.EINTR {
			fmt.Println(err)
		}
		fmt.Println(i)
	}
})

var _ = register("polling", prints{Long: "it polls 4000 times", Args: []string{"4000"}, Stdout: "0\n"}, func() {
	var p [2]int
	unix.Pipe(p[:])
	collect()
	interrupted, rounds := 0, 0
	fmt.Sscan(os.Args[2], &rounds)
	for range rounds {
		if _, err := unix.Poll([]unix.PollFd{{Fd: int32(p[0]), Events: unix.POLLIN}}, 1); err != nil {
			interrupted++
		}
	}
	fmt.Println(interrupted)
})

var _ = register("paused", prints{Stderr: "true\n"}, func() { // SIGPIPE that is ignored calls no handler
	var p [2]int
	var caught atomic.Bool
	unix.Pipe(p[:])
	unix.Close(p[0])
	unix.Dup2(p[1], 1)
	unp.Signal(unix.SIGPIPE, sys.SIG_IGN)
	unp.Signal(unix.SIGALRM, func(unix.Signal) { caught.Store(true) })
	sys.Alarm(1)
	go func() {
		mainIn(unix.SYS_RT_SIGSUSPEND)
		fmt.Println("to nobody")
	}()
	sys.Pause()
	fmt.Fprintln(os.Stderr, caught.Load())
})

var _ = register("pause beside a goroutine", prints{Stdout: "paused\n"}, func() { // a handler that has returned before Pause ends it
	var caught atomic.Int32
	unp.Signal(unix.SIGUSR1, func(unix.Signal) { caught.Add(1) })
	go func() {
		for {
			sys.Close(-1)
		}
	}()
	for n := int32(1); n <= 20; n++ {
		unix.Kill(unix.Getpid(), unix.SIGUSR1)
		for caught.Load() < n {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(5 * time.Millisecond) // it has returned
		sys.Pause()
	}
	fmt.Println("paused")
})

var _ = register("interrupted", prints{Stdout: "interrupted system call\ninterrupted system call\n"}, func() { // by a signal that the kernel must give to another thread
	var p [2]int
	unix.PthreadSigmask(unix.SIG_BLOCK, &unix.Sigset_t{Val: [16]uint64{1 << (unix.SIGUSR1 - 1)}}, nil)
	unp.SignalIntr(unix.SIGUSR1, func(unix.Signal) {})
	unix.Pipe(p[:])
	pid := unp.Fork()
	if pid == 0 {
		sys.Sleep(100)
	}
	strike := func(call int) {
		mainIn(call)
		unix.Kill(unix.Getpid(), unix.SIGUSR1)
	}
	go strike(unix.SYS_READ)
	_, err := sys.Read(p[0], make([]byte, 1))
	fmt.Println(err)
	go strike(unix.SYS_WAIT4)
	_, err = sys.Wait(nil)
	fmt.Println(err)
	unix.Kill(pid, unix.SIGKILL)
})

var _ = register("nobody handles signal 33", prints{Stdout: "interrupted system call\n"}, func() { // as in a program with musl
	var p [2]int
	unix.RawSyscall6(unix.SYS_RT_SIGACTION, 33, uintptr(unsafe.Pointer(&[4]uint64{})), 0, 8, 0, 0)
	unix.PthreadSigmask(unix.SIG_BLOCK, &unix.Sigset_t{Val: [16]uint64{1 << (unix.SIGUSR1 - 1)}}, nil)
	unp.SignalIntr(unix.SIGUSR1, func(unix.Signal) {})
	sys.Pipe(p[:])
	go func() {
		mainIn(unix.SYS_READ)
		unix.Kill(unix.Getpid(), unix.SIGUSR1)
	}()
	_, err := sys.Read(p[0], make([]byte, 1))
	fmt.Println(err)
})
