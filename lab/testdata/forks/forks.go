// Forks does what its argument names: programs that a reader may make of a listing.
package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp"
	"tcpcliserv/unp/sys"
)

func main() {
	if os.Args[1] == "-list" {
		list()
		return
	}
	if p := programs[os.Args[1]]; p != nil {
		p.run()
		return
	}
	oldprograms[os.Args[1]]()
}

var oldprograms = map[string]func(){
	"two": func() {
		if unp.Fork() == 0 {
			fmt.Println("first child")
			os.Exit(0)
		}
		wait()
		if unp.Fork() == 0 {
			fmt.Println("second child")
			os.Exit(0)
		}
		wait()
	},

	"loop": func() {
		for i := 0; i < 3; i++ {
			if unp.Fork() == 0 {
				fmt.Println("child", i)
				os.Exit(0)
			}
			wait()
		}
	},

	"tree": func() {
		for i := range 2 {
			if unp.Fork() == 0 {
				for k := range 2 {
					if unp.Fork() == 0 {
						fmt.Println("child", k, "of child", i)
						os.Exit(0)
					}
					wait()
				}
				fmt.Println("child", i)
				os.Exit(0)
			}
			wait()
		}
	},

	"sockets": func() {
		a := unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		b := unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if unp.Fork() == 0 {
			fmt.Println(a, b)
			os.Exit(0)
		}
		wait()
		unp.Close(a)
		c := unp.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
		if unp.Fork() == 0 {
			fmt.Println(a, b, c, socketType(b), socketType(c))
			os.Exit(0)
		}
		wait()
	},

	"remade in the child": func() {
		fd := unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if unp.Fork() == 0 {
			unp.Close(fd)
			other := unp.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
			if unp.Fork() == 0 {
				fmt.Println(fd, other, socketType(other))
				os.Exit(0)
			}
			wait()
			os.Exit(0)
		}
		wait()
		fmt.Println(fd, socketType(fd))
	},

	"grandchildren": func() { // with a socket from each
		one := unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if unp.Fork() == 0 {
			unp.Close(one)
			two := unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0) // at the number that is free again
			three := unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
			if unp.Fork() == 0 {
				unp.Close(two)
				if unp.Fork() == 0 {
					fmt.Println("great-grandchild:", one, two, three, socketType(two), socketType(three))
					os.Exit(3)
				}
				wait()
				os.Exit(2)
			}
			wait()
			os.Exit(1)
		}
		wait()
		fmt.Println("parent:", one)
	},

	"daemon": func() {
		if unp.Fork() != 0 {
			os.Exit(0)
		}
		if unp.Fork() != 0 {
			os.Exit(0)
		}
		for unix.Getppid() != 1 {
			unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil)
		}
		fmt.Println("the daemon's parent is", unix.Getppid())
	},

	"closed standard descriptors": func() {
		unp.Close(0)
		unp.Close(1)
		unp.Close(2)
		if unp.Fork() == 0 {
			os.Exit(7)
		}
		var stat unix.WaitStatus
		unix.Wait4(-1, &stat, 0, nil)
		os.Exit(stat.ExitStatus())
	},

	"close-on-exec": func() { // which a fork is not
		fd := unp.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if unp.Fork() == 0 {
			fmt.Println(fd, socketType(fd))
			os.Exit(0)
		}
		wait()
	},

	"collected": func() { // nothing that the child has not made itself
		if unp.Fork() == 0 {
			unix.CloseRange(3, 1023, 0)
			last := 0
			for last < 100 {
				last = unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
			}
			for range 3 {
				runtime.GC()
				sys.Sleep(1)
			}
			for fd := 3; fd <= last; fd++ {
				if socketType(fd) != "stream" {
					fmt.Println(fd, socketType(fd))
				}
			}
			os.Exit(0)
		}
		wait()
	},

	"socket 0": func() { // at the number of standard input
		unp.Close(0)
		fd := unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if unp.Fork() == 0 {
			fmt.Println(fd, socketType(fd))
			os.Exit(0)
		}
		wait()
	},

	"unix.Close": func() { // behind the back of unp
		unix.Close(unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0))
		if unp.Fork() == 0 {
			fmt.Println("the child runs")
			os.Exit(0)
		}
		wait()
	},

	"printers": func() { // made before Fork, they print after it
		out := bufio.NewWriter(os.Stdout)
		fmt.Fprintln(out, "once")
		out.Flush()
		fmt.Fprintln(os.Stderr, "once on standard error")
		unp.Fputs([]byte("once by Fputs\n"), os.Stdout)
		println("once by println")
		os.Stdout = os.Stderr
		if unp.Fork() == 0 {
			fmt.Fprintln(out, "child")
			out.Flush()
			fmt.Println("child on standard error")
			os.Exit(0)
		}
		wait()
	},

	"arguments": func() { // that main has changed
		os.Args = os.Args[:1]
		if unp.Fork() == 0 {
			fmt.Println("the child runs")
			os.Exit(0)
		}
		wait()
	},

	"environment": func() { // nothing of Fork reaches a program that the child starts
		unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if unp.Fork() == 0 {
			fmt.Printf("in the child: %q\n", os.Getenv("UNP_FORK"))
			out, _ := exec.Command("/usr/bin/env").Output()
			os.Stdout.Write(out)
			syscall.Exec("/proc/self/exe", []string{os.Args[0], "exec"}, os.Environ())
		}
		wait()
	},
	"exec": func() {
		fd := unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if unp.Fork() == 0 {
			os.Exit(0)
		}
		wait()
		fmt.Println("after exec:", fd)
	},

	"another way": func() { // depending on whether the file that its argument names exists
		_, err := os.Stat(os.Args[2])
		os.WriteFile(os.Args[2], nil, 0o600)
		unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err == nil {
			unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		}
		if unp.Fork() == 0 {
			fmt.Println("the child runs")
			os.Exit(0)
		}
		wait()
	},

	"another call": func() { // of the same line, likewise
		_, err := os.Stat(os.Args[2])
		os.WriteFile(os.Args[2], nil, 0o600)
		_ = err == nil && unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0) > 0 || unp.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0) > 0
		if unp.Fork() == 0 {
			fmt.Println("the child runs")
			os.Exit(0)
		}
		wait()
	},

	"another caller": func() { // of one function, likewise
		_, err := os.Stat(os.Args[2])
		os.WriteFile(os.Args[2], nil, 0o600)
		fork := func() {
			if unp.Fork() == 0 {
				fmt.Println("the child runs")
				os.Exit(0)
			}
		}
		if err == nil {
			fork()
		} else {
			fork()
		}
		wait()
	},

	"read before": func() {
		var line []byte
		unp.Fgets(&line, unp.MAXLINE, unp.Stdin)
		if unp.Fork() == 0 {
			fmt.Println("the child runs")
			os.Exit(0)
		}
		wait()
	},

	"in a handler": func() {
		unp.Signal(unix.SIGUSR1, func(unix.Signal) { unp.Fork() })
		unix.Kill(unix.Getpid(), unix.SIGUSR1)
		sys.Sleep(60)
	},

	"in a goroutine": func() {
		go unp.Fork()
		sys.Sleep(60)
	},

	"path": func() { // of so many calls
		calls, _ := strconv.Atoi(os.Args[2])
		for range calls {
			unp.Close(unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0))
		}
		if unp.Fork() == 0 {
			os.Exit(0)
		}
		wait()
	},

	"noexec": func() { // /proc is empty
		if err := unix.Mount("none", "/proc", "tmpfs", 0, ""); err != nil {
			panic(err)
		}
		unp.Fork()
	},

	"blocked": func() { // the child blocks the signals that its parent blocks
		var set, old unix.Sigset_t
		set.Val[0] = 1 << (unix.SIGUSR1 - 1)
		unix.PthreadSigmask(unix.SIG_BLOCK, &set, nil)
		if unp.Fork() == 0 {
			unix.PthreadSigmask(unix.SIG_BLOCK, nil, &old)
			fmt.Printf("%#x\n", old.Val[0])
			os.Exit(0)
		}
		wait()
	},

	"once": func() { // a path with a socket and values of all kinds
		var kept label
		sys.Keep(&kept)
		fd := unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		n := sys.Once(func() point { return point{1, 2, true, [4]byte{3}} })
		s := sys.Once(func() string { return "a string" })
		b := sys.Once(func() []byte { return []byte("bytes") })
		i := sys.Once(func() []int64 { return []int64{1, 2} })
		err := sys.Once(func() error { return unix.ENOENT })
		kept = label(s)
		if unp.Fork() == 0 {
			fmt.Printf("the child has %d, %v, %q, %q, %d, %v, %q\n", fd, n, s, b, i, err, kept)
		}
	},

	"linger": func() { // of a socket that is closed, not of the one at its number
		ling := unix.Linger{Onoff: 1}
		fd := unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		unp.Setsockopt(fd, unix.SOL_SOCKET, unix.SO_LINGER, &ling)
		unp.Close(fd)
		again := unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if unp.Fork() == 0 {
			onoff, err := unix.GetsockoptInt(again, unix.SOL_SOCKET, unix.SO_LINGER)
			fmt.Println(fd, again, onoff, err)
			os.Exit(0)
		}
		wait()
	},

	"inet_pton": func() {
		var addr [4]byte
		unp.InetPton(unix.AF_INET, os.Args[2], &addr)
		os.Stdout.Write(addr[:])
	},

	// Servers.

	"peer": func() { // the peer's address comes along
		listenfd, cliaddr, clilen := listen(unp.SERV_PORT), sys.SockaddrIn{}, sys.Socklen(28)
		connfd := unp.Accept(listenfd, &cliaddr, &clilen)
		if unp.Fork() == 0 {
			fmt.Println(connfd, cliaddr.Addr, sys.Htons(cliaddr.Port), clilen)
			os.Exit(0)
		}
		wait()
	},

	"echo before": func() { // one client, then a child for the next
		listenfd := listen(unp.SERV_PORT)
		connfd := unp.Accept(listenfd, nil, nil)
		unp.StrEcho(connfd)
		unp.Close(connfd)
		connfd = unp.Accept(listenfd, nil, nil)
		if unp.Fork() == 0 {
			unp.StrEcho(connfd)
			os.Exit(0)
		}
		unp.Close(connfd)
		wait()
	},

	"leak": func() { // without Close(connfd)
		listenfd := listen(unp.SERV_PORT)
		for {
			connfd := accept(listenfd)
			if unp.Fork() == 0 {
				unp.Close(listenfd)
				unp.StrEcho(connfd)
				os.Exit(0)
			}
		}
	},

	"unix.Close(connfd)": func() {
		listenfd := listen(unp.SERV_PORT)
		for {
			connfd := accept(listenfd)
			if unp.Fork() == 0 {
				unp.StrEcho(connfd)
				os.Exit(0)
			}
			unix.Close(connfd)
		}
	},

	"prints": func() {
		fmt.Println("before socket")
		listenfd := listen(unp.SERV_PORT)
		fmt.Println("after listen")
		for {
			connfd := accept(listenfd)
			fmt.Println("after accept")
			if unp.Fork() == 0 {
				fmt.Println("in the child")
				unp.StrEcho(connfd)
				os.Exit(0)
			}
			unp.Close(connfd)
		}
	},

	"two accepts": func() { // a pair of clients for each child
		listenfd := listen(unp.SERV_PORT)
		for {
			one := accept(listenfd)
			two := accept(listenfd)
			if unp.Fork() == 0 {
				unp.Writen(one, fmt.Appendf(nil, "first, at %d\n", one))
				unp.Writen(two, fmt.Appendf(nil, "second, at %d\n", two))
				os.Exit(0)
			}
			unp.Close(one)
			unp.Close(two)
		}
	},

	"one line": func() { // for two accepts
		listenfd := listen(unp.SERV_PORT)
		for {
			one, two := accept(listenfd), accept(listenfd)
			if unp.Fork() == 0 {
				unp.Writen(one, fmt.Appendf(nil, "first, at %d\n", one))
				unp.Writen(two, fmt.Appendf(nil, "second, at %d\n", two))
				os.Exit(0)
			}
			unp.Close(one)
			unp.Close(two)
		}
	},

	"three accepts": func() { // in a loop, and then a child for all of them
		listenfd := listen(unp.SERV_PORT)
		var connfds []int
		for range 3 {
			connfds = append(connfds, accept(listenfd))
		}
		if unp.Fork() == 0 {
			for _, connfd := range connfds {
				unp.Writen(connfd, fmt.Appendln(nil, connfds))
			}
			os.Exit(0)
		}
		wait()
	},

	"late Close": func() { // of each connection when the next has come
		listenfd, before := listen(unp.SERV_PORT), -1
		for {
			connfd := accept(listenfd)
			if before >= 0 {
				unp.Close(before)
			}
			before = connfd
			if unp.Fork() == 0 {
				unp.StrEcho(connfd)
				os.Exit(0)
			}
		}
	},

	"socket of each round": func() {
		listenfd := listen(unp.SERV_PORT)
		for {
			other := unp.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
			connfd := accept(listenfd)
			if unp.Fork() == 0 {
				unp.StrEcho(connfd)
				os.Exit(0)
			}
			unp.Close(connfd)
			unp.Close(other)
		}
	},

	"two listen": func() { // on two ports, with a child for each
		for i, fd := range []int{listen(9877), listen(9878)} {
			if unp.Fork() == 0 {
				for {
					connfd := accept(fd)
					unp.Writen(connfd, fmt.Appendln(nil, "child", i))
					unp.Close(connfd)
				}
			}
		}
		wait()
	},

	"prefork": func() { // children that accept on one socket, and fork in their turn
		listenfd := listen(unp.SERV_PORT)
		for i := range 3 {
			if unp.Fork() == 0 {
				for {
					connfd := accept(listenfd)
					if unp.Fork() == 0 {
						unp.Writen(connfd, fmt.Appendln(nil, "child", i))
						os.Exit(0)
					}
					unp.Close(connfd)
					unix.Wait4(-1, nil, 0, nil)
				}
			}
		}
		wait()
	},

	"greeting": func() { // from the parent, once
		listenfd := listen(unp.SERV_PORT)
		for {
			connfd := accept(listenfd)
			unp.Writen(connfd, []byte("greeting\n"))
			if unp.Fork() == 0 {
				unp.Writen(connfd, []byte("child\n"))
				os.Exit(0)
			}
			unp.Close(connfd)
		}
	},

	// Signals.

	"handler": func() { // the child's handler is its parent's
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
	},

	"default": func() { // but for the signals that stop, and those that Go's runtime or threads need
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
	},

	"caught": func() { printStatus("SigCgt") }, // from the start

	"dispositions": func() {
		f := func(unix.Signal) {}
		for _, signo := range []unix.Signal{unix.SIGUSR1, unix.SIGCHLD, unix.SIGINT, unix.SIGPIPE, unix.SIGTSTP, 40} {
			one := name(unp.Signal(signo, sys.SIG_IGN))
			two := name(unp.Signal(signo, f))
			fmt.Println(one, two, name(unp.Signal(signo, sys.SIG_DFL)))
		}
		fmt.Println(name(unp.Signal(unix.SIGHUP, f)))
	},

	"the handler before": func() { // that was installed when the signal came
		count := 0
		for range 1000 {
			by := ""
			unp.Signal(unix.SIGUSR1, func(unix.Signal) { by = "f" })
			unix.Kill(unix.Getpid(), unix.SIGUSR1)
			unp.Signal(unix.SIGUSR1, func(unix.Signal) { by = "g" })
			if by == "f" {
				count++
			}
		}
		fmt.Println(count)
	},

	"default again": func() { // set by the handler, while the signal comes a second time
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
	},

	"broken standard output": func() {
		switch os.Args[2] {
		case "ignored":
			unp.Signal(unix.SIGPIPE, sys.SIG_IGN)
		case "caught":
			unp.Signal(unix.SIGPIPE, func(unix.Signal) { unp.ErrQuit("caught") })
		case "ignored in a child":
			unp.Signal(unix.SIGPIPE, sys.SIG_IGN)
			if unp.Fork() != 0 {
				wait()
				os.Exit(1)
			}
		}
		_, err := fmt.Println("nobody reads this")
		sys.Sleep(0) // the handler runs
		unp.ErrQuit("printf fails: %v", err != nil)
	},

	"struck at once": func() { // a child that is sent signals before it is there
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
	},

	"signalled by a handler": func() {
		said := make(chan string, 2) // the handlers' order is the threads'
		unp.Signal(unix.SIGUSR2, func(unix.Signal) { said <- "second handler" })
		unp.Signal(unix.SIGUSR1, func(unix.Signal) {
			unix.Kill(unix.Getpid(), unix.SIGUSR2)
			said <- "first handler"
		})
		unix.Kill(unix.Getpid(), unix.SIGUSR1)
		sys.Sleep(0)
		fmt.Println(len(said))
	},

	"struck before Close": func() { // and handled after it
		p, _ := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		var line []byte
		unp.Signal(unix.SIGUSR1, func(unix.Signal) { unp.Writen(p[0], []byte("caught\n")) })
		unix.Kill(unix.Getpid(), unix.SIGUSR1)
		unp.Close(p[0])
		unp.Readline(p[1], &line, unp.MAXLINE)
		fmt.Printf("%s", line)
	},

	"again while it runs": func() { // the handler is called twice before main goes on
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
	},

	"stands still": func() { // at whatever main calls of unp while a handler runs
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
	},

	"stands still at Fork": func() {
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
	},

	"closed by a handler": func() { // while main accepts on it
		listenfd := listen(unp.SERV_PORT)
		unp.Signal(unix.SIGUSR1, func(unix.Signal) { unp.Close(listenfd) })
		accept(listenfd)
	},

	"caught before the end": func() { // at the hands of ErrQuit
		unp.Signal(unix.SIGUSR1, func(unix.Signal) {
			unix.Nanosleep(&unix.Timespec{Nsec: 50e6}, nil)
			unix.Write(2, []byte("caught\n"))
		})
		unix.Kill(unix.Getpid(), unix.SIGUSR1)
		unp.ErrQuit("the end")
	},

	"caught while it echoes": func() {
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
	},

	"caught while it reads": func() { // a line that the handler writes
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
	},

	"interrupted in the child": func() { // by a signal whose disposition the runtime has not touched
		var p [2]int
		unix.Pipe(p[:])
		unp.SignalIntr(unix.SIGTSTP, func(unix.Signal) {})
		if unp.Fork() == 0 {
			_, err := unix.Read(p[0], make([]byte, 1))
			fmt.Println(err)
			os.Exit(0)
		}
		wait()
	},

	"handler in the child": func() {
		if unp.Fork() == 0 {
			unp.Signal(unix.SIGUSR1, func(unix.Signal) { fmt.Println("caught") })
			unix.Kill(unix.Getpid(), unix.SIGUSR1)
			sys.Sleep(0)
			os.Exit(0)
		}
		wait()
	},

	"sleep": func() {
		unp.Signal(unix.SIGUSR1, func(unix.Signal) {})
		fmt.Println("left:", sys.Sleep(100))
	},
	"sleep for years": func() {
		unp.Signal(unix.SIGUSR1, func(unix.Signal) {})
		fmt.Println(sys.Sleep(^uint(0)) > 1<<31)
	},
	"sleep a second": func() { fmt.Println("left:", sys.Sleep(1)) },

	"connect": func() { // to a host that does not answer
		var servaddr sys.SockaddrIn
		unp.SignalIntr(unix.SIGUSR1, func(unix.Signal) { unp.Writen(2, []byte("caught\n")) })
		fd := unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		servaddr.Family = unix.AF_INET
		servaddr.Port = sys.Htons(unp.SERV_PORT)
		unp.InetPton(unix.AF_INET, "192.0.2.2", &servaddr.Addr)
		unp.Connect(fd, &servaddr, sys.Sizeof(servaddr))
	},

	"interrupted echo": func() { // the child catches a signal that does not restart
		listenfd := listen(unp.SERV_PORT)
		connfd := accept(listenfd)
		if unp.Fork() == 0 {
			unp.SignalIntr(unix.SIGUSR1, func(unix.Signal) { fmt.Println("caught") })
			unp.StrEcho(connfd)
			os.Exit(0)
		}
		wait()
	},

	"failed accept": func() { // and no second one
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
	},

	"interrupted accept": func() { // a Fork in the branch of EINTR
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
	},

	"stale line": func() { // what a closed connection has left is not read from the next
		var p [2]int
		var line []byte
		fd := unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		unix.Pipe(p[:])
		unix.Dup2(p[0], fd)
		unp.Writen(p[1], []byte("one\nleft\n"))
		unp.Readline(fd, &line, unp.MAXLINE)
		unix.Close(fd)
		again := unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		unix.Dup2(p[0], again)
		unp.Writen(p[1], []byte("two\n"))
		unp.Readline(again, &line, unp.MAXLINE)
		fmt.Printf("%v %s", fd == again, line)
	},

	// What README.md says of where Go differs from C.

	"repeated": func() { // by the child, because unp does not know of it
		var p [2]int
		pid := unix.Getpid()
		unix.Setsid()
		unix.Pipe(p[:])
		if unp.Fork() == 0 {
			os.Exit(0)
		}
		_, err := unix.Wait4(-1, nil, 0, nil)
		if unp.Fork() == 0 {
			its, _ := os.Readlink(fmt.Sprint("/proc/self/fd/", p[0]))
			parents, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", unix.Getppid(), p[0]))
			sid, _ := unix.Getsid(0)
			fmt.Println(pid == unix.Getppid(), its == parents, sid == unix.Getpid(), err)
			os.Exit(0)
		}
		wait()
	},

	"written again": func() {
		start := time.Now()
		unix.Write(1, []byte("written\n"))
		time.Sleep(100 * time.Millisecond)
		if unp.Fork() == 0 {
			os.Exit(0)
		}
		wait()
		fmt.Println("slept again:", time.Since(start) > 190*time.Millisecond)
	},

	"closed again": func() {
		fd := unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		unix.Close(fd)
		again := unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if unp.Fork() == 0 {
			fmt.Println(fd, again, socketType(again))
			os.Exit(0)
		}
		wait()
	},

	"counted by a handler": func() {
		ended := 0
		unp.Signal(unix.SIGCHLD, func(unix.Signal) {
			unix.Wait4(-1, nil, 0, nil)
			ended++
		})
		if unp.Fork() == 0 {
			os.Exit(0)
		}
		sys.Sleep(100)
		if unp.Fork() == 0 {
			fmt.Println("in the child:", ended)
			os.Exit(0)
		}
		fmt.Println("in the parent:", ended)
		sys.Sleep(100)
	},

	"waits for a handler": func() {
		ended := 0
		unp.Signal(unix.SIGCHLD, func(unix.Signal) {
			wait()
			ended++
		})
		if unp.Fork() == 0 {
			os.Exit(0)
		}
		for ended == 0 {
			sys.Sleep(1)
		}
		if unp.Fork() == 0 {
			fmt.Println("the child runs")
			os.Exit(0)
		}
		for ended == 1 {
			sys.Sleep(1)
		}
	},

	"two handlers": func() { // at the same time
		meet := make(chan bool)
		unp.Signal(unix.SIGUSR1, func(unix.Signal) { meet <- true })
		unp.Signal(unix.SIGUSR2, func(unix.Signal) { <-meet })
		unix.Kill(unix.Getpid(), unix.SIGUSR1)
		unix.Kill(unix.Getpid(), unix.SIGUSR2)
		sys.Sleep(0)
		fmt.Println("met")
	},

	"SIGURG": func() { // that nobody has sent
		var caught atomic.Int32
		unp.Signal(unix.SIGURG, func(unix.Signal) { caught.Add(1) })
		go func() {
			for caught.Load() == 0 {
			}
		}()
		for caught.Load() == 0 {
			runtime.GC()
		}
		fmt.Println("caught")
	},

	"round": func() { // of a server: what an earlier one has counted and set
		listenfd := listen(unp.SERV_PORT)
		for n := 1; ; n++ {
			connfd := accept(listenfd)
			if os.Mkdir(os.Args[2], 0o700) == nil { // in the first round
				unp.Signal(unix.SIGUSR1, sys.SIG_IGN)
			}
			if unp.Fork() == 0 {
				fmt.Println(n, name(unp.Signal(unix.SIGUSR1, sys.SIG_DFL)))
				unp.StrEcho(connfd)
				os.Exit(0)
			}
			unp.Close(connfd)
		}
	},

	"set by a handler": func() {
		unp.Signal(unix.SIGUSR1, func(unix.Signal) { unp.Signal(unix.SIGUSR2, sys.SIG_IGN) })
		sys.Sleep(100)
		if unp.Fork() == 0 {
			fmt.Println(name(unp.Signal(unix.SIGUSR2, sys.SIG_DFL)))
			os.Exit(0)
		}
		wait()
		fmt.Println(name(unp.Signal(unix.SIGUSR2, sys.SIG_DFL)))
	},

	"outside unp": func() { // main does not wait for a handler
		begins, goOn := make(chan bool), make(chan bool)
		unp.Signal(unix.SIGUSR1, func(unix.Signal) {
			begins <- true
			<-goOn
			fmt.Println("the handler ends")
		})
		unix.Kill(unix.Getpid(), unix.SIGUSR1)
		<-begins
		fmt.Println("main goes on")
		goOn <- true
		sys.Sleep(0)
		fmt.Println("main has waited")
	},

	"blocked by main": func() {
		var set unix.Sigset_t
		set.Val[0] = 1 << (unix.SIGUSR1 - 1)
		unix.PthreadSigmask(unix.SIG_BLOCK, &set, nil)
		handled := make(chan bool)
		unp.Signal(unix.SIGUSR1, func(unix.Signal) { handled <- true })
		unix.Kill(unix.Getpid(), unix.SIGUSR1)
		fmt.Println(<-handled)
	},

	"inherited": func() {
		for _, signo := range []unix.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGTERM} {
			fmt.Println(name(unp.Signal(signo, sys.SIG_DFL)))
		}
	},

	"SIGPROF": func() {
		unp.Signal(unix.SIGPROF, func(unix.Signal) { fmt.Println("caught") })
		unix.Kill(unix.Getpid(), unix.SIGPROF)
		sys.Sleep(1)
		fmt.Println("slept")
	},

	"SIGCHLD": func() { // to a child without children
		unp.Signal(unix.SIGCHLD, func(unix.Signal) { fmt.Println("caught") })
		if unp.Fork() == 0 {
			unix.Kill(unix.Getpid(), unix.SIGCHLD)
			sys.Sleep(1)
			fmt.Println("slept")
			unix.Kill(unix.Getppid(), unix.SIGKILL)
		}
		sys.Sleep(100)
	},

	"terminated at once": func() { // a child that would catch it
		ended := 0
		unp.Signal(unix.SIGTERM, func(unix.Signal) { os.Exit(0) })
		for range 20 {
			pid := unp.Fork()
			if pid == 0 {
				for {
					sys.Sleep(1)
				}
			}
			unix.Kill(pid, unix.SIGTERM)
			var stat unix.WaitStatus
			if unix.Wait4(pid, &stat, 0, nil); stat.Signaled() && stat.Signal() == unix.SIGTERM {
				ended++
			}
		}
		fmt.Println(ended > 0)
	},

	"ignored": func() { printStatus("SigIgn") }, // from the start

	"shared memory": func() {
		mem, _ := unix.Mmap(-1, 0, 1, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
		if unp.Fork() == 0 {
			mem[0] = 1
			os.Exit(0)
		}
		wait()
		fmt.Println(mem[0])
	},

	"setpgid": func() { // by the parent
		pid := unp.Fork()
		if pid == 0 {
			sys.Sleep(100)
		}
		fmt.Println(unix.Setpgid(pid, 0))
		unix.Kill(pid, unix.SIGKILL)
	},

	"descriptor 63": func() {
		used := func() bool { _, err := unix.FcntlInt(63, unix.F_GETFD, 0); return err == nil }
		if unp.Fork() == 0 {
			fmt.Println(used())
			os.Exit(0)
		}
		wait()
		fmt.Println(used())
	},

	"closed standard files": func() {
		os.Stdin.Close()
		os.Stdout.Close()
		pid := unp.Fork()
		if pid == 0 {
			time.Sleep(200 * time.Millisecond)
			os.Exit(0)
		}
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
		state, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		fmt.Fprintln(os.Stderr, err, strings.Contains(string(state), ") Z "))
	},

	"SIGSEGV": func() {
		unix.Kill(unix.Getpid(), unix.SIGSEGV)
		sys.Sleep(100)
	},

	"chroot": func() { // to where there is no /proc
		if err := unix.Chroot(os.Args[2]); err != nil {
			panic(err)
		}
		unp.Fork()
	},

	"files": func() { // the limit on their number
		var limit unix.Rlimit
		unix.Getrlimit(unix.RLIMIT_NOFILE, &limit)
		fmt.Println(limit.Cur > 64, limit.Max)
	},
}

// printStatus prints a line of /proc/self/status.
func printStatus(name string) {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, name) {
			fmt.Print(line)
		}
	}
}

// name is a disposition's.
func name(fn unp.Sigfunc) string {
	switch fmt.Sprintf("%p", fn) {
	case fmt.Sprintf("%p", sys.SIG_DFL):
		return "SIG_DFL"
	case fmt.Sprintf("%p", sys.SIG_IGN):
		return "SIG_IGN"
	}
	return "f"
}

// wait says how a child has ended, if not with 0.
func wait() {
	var stat unix.WaitStatus
	if unix.Wait4(-1, &stat, 0, nil); stat != 0 {
		fmt.Println("its status is", stat.ExitStatus())
	}
}

func socketType(fd int) string {
	typ, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return err.Error()
	}
	return map[int]string{unix.SOCK_STREAM: "stream", unix.SOCK_DGRAM: "datagram"}[typ]
}

func listen(port uint16) int {
	var servaddr sys.SockaddrIn
	fd := unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	servaddr.Family = unix.AF_INET
	servaddr.Port = sys.Htons(port)
	unp.Bind(fd, &servaddr, sys.Sizeof(servaddr))
	unp.Listen(fd, unp.LISTENQ)
	return fd
}

func accept(listenfd int) int {
	var cliaddr sys.SockaddrIn
	clilen := sys.Sizeof(cliaddr)
	return unp.Accept(listenfd, &cliaddr, &clilen)
}
