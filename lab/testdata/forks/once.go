package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp"
	"tcpcliserv/unp/sys"
)

func init() {
	for name, program := range moreprograms {
		oldprograms[name] = program
	}
}

// say sends the client a line and ends the child.
func say(connfd int, a ...any) {
	unp.Writen(connfd, fmt.Appendln(nil, a...))
	os.Exit(0)
}

// inChild runs a function in a child, and waits for it.
func inChild(do func()) {
	if unp.Fork() == 0 {
		do()
		os.Exit(0)
	}
	sys.Wait(nil)
}

type point struct {
	X, Y  int32
	Valid bool
	Name  [4]byte
}

type label string

// typed gives a child a value through Once, and its parent the same.
func typed[T any](value T) {
	calls := 0
	v := sys.Once(func() T { calls++; return value })
	inChild(func() { fmt.Printf("%#v %d ", v, calls) })
	fmt.Printf("%#v %d\n", v, calls)
}

var moreprograms = map[string]func(){
	// Servers that number their clients; C says 1, 2, 3.

	"counted without": func() {
		clients := 0
		listenfd := listen(unp.SERV_PORT)
		for {
			connfd := accept(listenfd)
			clients++
			if unp.Fork() == 0 {
				say(connfd, clients)
			}
			unp.Close(connfd)
		}
	},
	"kept": func() {
		clients := 0
		sys.Keep(&clients)
		listenfd := listen(unp.SERV_PORT)
		for {
			connfd := accept(listenfd)
			clients++
			if unp.Fork() == 0 {
				say(connfd, clients)
			}
			unp.Close(connfd)
		}
	},
	"kept and measured": func() { // the lines of the child's path
		clients := 0
		sys.Keep(&clients)
		listenfd := listen(unp.SERV_PORT)
		for {
			connfd := accept(listenfd)
			clients++
			if unp.Fork() == 0 {
				environ, _ := os.ReadFile("/proc/self/environ")
				say(connfd, clients, bytes.Count(environ, []byte("\n")))
			}
			unp.Close(connfd)
			sys.Wait(nil)
		}
	},
	"kept by turns": func() { // at different places
		clients := 0
		sys.Keep(&clients)
		listenfd := listen(unp.SERV_PORT)
		for {
			connfd := accept(listenfd)
			clients++
			if sys.Once(func() bool { return clients%2 == 0 }) {
				x := 10 * clients
				sys.Keep(&x)
				if unp.Fork() == 0 {
					say(connfd, x)
				}
			} else {
				x := 10 * clients
				sys.Keep(&x)
				if unp.Fork() == 0 {
					say(connfd, x)
				}
			}
			unp.Close(connfd)
		}
	},
	"kept in the head": func() {
		listenfd := listen(unp.SERV_PORT)
		for hit := 1; ; hit++ {
			sys.Keep(&hit)
			connfd := accept(listenfd)
			if unp.Fork() == 0 {
				say(connfd, hit)
			}
			unp.Close(connfd)
		}
	},
	"kept before accept": func() {
		clients := 0
		sys.Keep(&clients)
		listenfd := listen(unp.SERV_PORT)
		for {
			clients++
			connfd := accept(listenfd)
			if unp.Fork() == 0 {
				say(connfd, clients)
			}
			unp.Close(connfd)
		}
	},
	"once before accept": func() {
		clients := 0
		listenfd := listen(unp.SERV_PORT)
		for {
			clients = sys.Once(func() int { return clients + 1 })
			connfd := accept(listenfd)
			if unp.Fork() == 0 {
				say(connfd, clients)
			}
			unp.Close(connfd)
		}
	},
	"once after accept": func() {
		clients := 0
		listenfd := listen(unp.SERV_PORT)
		for {
			connfd := accept(listenfd)
			clients = sys.Once(func() int { return clients + 1 })
			if unp.Fork() == 0 {
				say(connfd, clients)
			}
			unp.Close(connfd)
		}
	},
	"once in the head": func() {
		listenfd := listen(unp.SERV_PORT)
		for clients := 0; sys.Once(func() bool { clients++; return true }); {
			connfd := accept(listenfd)
			n := sys.Once(func() int { return clients })
			if unp.Fork() == 0 {
				say(connfd, n)
			}
			unp.Close(connfd)
		}
	},
	"once under a condition": func() { // that a Once has found
		clients := 0
		sys.Keep(&clients)
		listenfd := listen(unp.SERV_PORT)
		for {
			connfd := accept(listenfd)
			even := false
			if sys.Once(func() bool { clients++; return clients%2 == 0 }) {
				even = sys.Once(func() bool { return true })
			}
			if unp.Fork() == 0 {
				say(connfd, clients, even)
			}
			unp.Close(connfd)
		}
	},
	"once in some rounds": func() {
		clients, last := 0, 0
		sys.Keep(&clients, &last)
		listenfd := listen(unp.SERV_PORT)
		for {
			connfd := accept(listenfd)
			clients++
			if sys.Once(func() bool { return clients%2 == 1 }) {
				last = sys.Once(func() int { return 10 * clients })
			}
			if unp.Fork() == 0 {
				say(connfd, clients, last)
			}
			unp.Close(connfd)
		}
	},
	"once in odd rounds": func() { // as the child counts them
		clients := 0
		listenfd := listen(unp.SERV_PORT)
		for {
			connfd := accept(listenfd)
			if clients++; clients%2 == 1 {
				sys.OnceFunc(func() {})
			}
			if unp.Fork() == 0 {
				say(connfd, clients)
			}
			unp.Close(connfd)
		}
	},
	"kept in some rounds": func() {
		clients, odd := 0, 0
		sys.Keep(&clients, &odd)
		listenfd := listen(unp.SERV_PORT)
		for {
			connfd := accept(listenfd)
			if clients++; clients%2 == 1 {
				odd = clients
			}
			if unp.Fork() == 0 {
				say(connfd, clients, odd)
			}
			unp.Close(connfd)
		}
	},
	"pipes of each round": func() { // made before accept, and kept open
		var pipes [3][2]int
		clients := 0
		sys.Keep(&pipes, &clients)
		listenfd := listen(unp.SERV_PORT)
		for {
			pipe := sys.Once(func() (p [2]int) { unix.Pipe(p[:]); return p })
			connfd := accept(listenfd)
			pipes[clients%3] = pipe
			clients++
			if unp.Fork() == 0 {
				for _, p := range pipes[:clients] {
					sys.Write(p[1], []byte{'a' + byte(clients)})
				}
				say(connfd, clients)
			}
			unp.Close(connfd)
			sys.Wait(nil)
			if clients == 3 {
				for _, p := range pipes {
					buf := make([]byte, 10)
					n, _ := sys.Read(p[0], buf)
					fmt.Printf("%s ", buf[:n])
				}
				fmt.Println()
				os.Exit(0)
			}
		}
	},
	"table of children": func() {
		var table []int
		sys.Keep(&table)
		listenfd := listen(unp.SERV_PORT)
		for {
			connfd := accept(listenfd)
			pid := unp.Fork()
			if pid == 0 {
				say(connfd, len(table))
			}
			table = append(table, pid)
			unp.Close(connfd)
		}
	},
	"start-up in one Once": func() { // in small letters
		listenfd := sys.Once(func() int {
			fd, _ := sys.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
			servaddr := sys.SockaddrIn{Family: unix.AF_INET, Port: sys.Htons(unp.SERV_PORT)}
			sys.Bind(fd, &servaddr, sys.Sizeof(servaddr))
			sys.Listen(fd, unp.LISTENQ)
			return fd
		})
		for {
			connfd := accept(listenfd)
			if unp.Fork() == 0 {
				unp.Close(listenfd)
				say(connfd, listenfd, connfd)
			}
			unp.Close(connfd)
		}
	},
	"small letters": func() {
		listenfd, err := sys.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		servaddr := sys.SockaddrIn{Family: unix.AF_INET, Port: sys.Htons(unp.SERV_PORT)}
		if err != nil {
			unp.ErrSys(err, "socket")
		} else if err = sys.Bind(listenfd, &servaddr, sys.Sizeof(servaddr)); err != nil {
			unp.ErrSys(err, "bind")
		}
		sys.Listen(listenfd, 5)
		unp.Signal(unix.SIGCHLD, func(unix.Signal) { sys.Waitpid(-1, nil, unix.WNOHANG) })
		for {
			connfd, err := sys.Accept(listenfd, nil, nil)
			if err == unix.EINTR {
				continue
			}
			pid, _ := sys.Fork()
			if pid == 0 {
				sys.Close(listenfd)
				buf := make([]byte, 100)
				for n, _ := sys.Read(connfd, buf); n > 0; n, _ = sys.Read(connfd, buf) {
					sys.Write(connfd, buf[:n])
				}
				os.Exit(0)
			}
			sys.Close(connfd)
		}
	},
	"poll before accept": func() {
		listenfd := listen(unp.SERV_PORT)
		for {
			sys.Once(func() int { n, _ := unix.Poll([]unix.PollFd{{Fd: int32(listenfd), Events: unix.POLLIN}}, -1); return n })
			connfd := accept(listenfd)
			if unp.Fork() == 0 {
				say(connfd, "polled")
			}
			unp.Close(connfd)
		}
	},

	// Once and Keep without a server.

	"typed": func() {
		typed(-7)
		typed(uint8(200))
		typed(2.5)
		typed(true)
		typed([3]int16{1, -2, 3})
		typed(point{1, -2, true, [4]byte{'a'}})
		typed("a string\x00")
		typed("")
		typed(label("a label"))
		typed([]byte("bytes"))
		typed([]byte{})
		typed([]byte(nil))
		typed([]int{1, 2, 3})
		typed(error(nil))
		typed[error](unix.ENOENT)
		typed(unix.EAGAIN)
		typed(struct{}{})
	},
	"refused": func() {
		switch os.Args[2] {
		case "*os.File":
			sys.Once(func() *os.File { return os.Stdin })
		case "*errors.errorString":
			sys.Once(func() error { return errors.New("") })
		case "time.Time":
			sys.Once(func() time.Time { return time.Now() })
		case "interface {}":
			sys.Once(func() any { return nil })
		case "map[int]int":
			sys.Once(func() map[int]int { return nil })
		case "[]string":
			sys.Once(func() []string { return nil })
		case "struct { S string }":
			sys.Once(func() (v struct{ S string }) { return v })
		case "func()":
			sys.Once(func() func() { return nil })
		case "kept *int":
			var p *int
			sys.Keep(&p)
		case "kept nil":
			sys.Keep(nil)
		case "kept (*int)(nil)":
			var p *int
			sys.Keep(p)
		case "kept 7":
			sys.Keep(7)
		case "kept later": // a value of a type that Keep would refuse, and a handler is set
			var err error
			sys.Keep(&err)
			unp.Signal(unix.SIGUSR1, func(unix.Signal) {})
			err = errors.New("")
			unp.Fork()
		case "Keep in a handler":
			unp.Signal(unix.SIGUSR1, func(unix.Signal) { sys.Keep(new(int)) })
			unix.Kill(unix.Getpid(), unix.SIGUSR1)
			sys.Sleep(60)
		case "Pause in a handler":
			unp.Signal(unix.SIGUSR1, func(unix.Signal) { sys.Pause() })
			unix.Kill(unix.Getpid(), unix.SIGUSR1)
			sys.Sleep(60)
		case "Fork in Once":
			sys.OnceFunc(func() { unp.Fork() })
		case "Signal in Once":
			sys.OnceFunc(func() { unp.Signal(unix.SIGUSR1, sys.SIG_IGN) })
		case "Keep in Once":
			sys.OnceFunc(func() { sys.Keep(new(int)) })
		case "goroutine":
			ready := make(chan bool)
			go func() { unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0); close(ready) }()
			<-ready
			inChild(func() {})
			os.Exit(1)
		}
	},
	"nested": func() {
		fd := sys.Once(func() int {
			unp.Close(unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0))
			return sys.Once(func() int { return unp.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0) })
		})
		other := unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		inChild(func() { fmt.Println(fd, socketType(fd), other, socketType(other)) })
	},
	"Once in a handler": func() {
		n := 0
		unp.Signal(unix.SIGUSR1, func(unix.Signal) { n = sys.Once(func() int { return n + 1 }) })
		for range 2 {
			sys.OnceFunc(func() { unix.Kill(unix.Getpid(), unix.SIGUSR1) })
		}
		sys.Keep(&n)
		inChild(func() { fmt.Println(n) })
	},
	"kept of all types": func() {
		n, s, b, err, p := 1, "one", []byte("one"), error(nil), point{X: 1}
		sys.Keep(&n, &s, &b, &err, &p)
		if sys.Once(func() bool { return true }) {
			sys.OnceFunc(func() { n, s, b, err, p = 2, "two", nil, unix.EINTR, point{Y: 2, Valid: true} })
		}
		inChild(func() {
			fmt.Printf("%d %s %v %v %v\n", n, s, b == nil, err, p)
			n, s = 3, "three"
			inChild(func() { fmt.Println(n, s) })
		})
		fmt.Println(n, s)
	},
	"kept from a handler": func() { // as counted by a handler
		ended := 0
		sys.Keep(&ended)
		unp.Signal(unix.SIGCHLD, func(unix.Signal) {
			sys.Wait(nil)
			ended++
		})
		for range 3 {
			before := ended
			if unp.Fork() == 0 {
				fmt.Println("in the child:", ended)
				os.Exit(0)
			}
			for ended == before && !sys.Once(func() bool { sys.Pause(); return ended > before }) {
			}
		}
		fmt.Println("in the parent:", ended)
	},
	"keeps something else": func() { // depending on whether the file that its argument names exists
		a, b := 1, 2
		_, err := os.Stat(os.Args[2])
		os.WriteFile(os.Args[2], nil, 0o600)
		if err != nil {
			sys.Keep(&a)
		} else {
			sys.Keep(&b)
		}
		inChild(func() { fmt.Println("the child runs") })
	},
	"many steps": func() { // which do not fit into one variable
		sum := 0
		for i := range 20_000 {
			sum += sys.Once(func() int { return i })
		}
		inChild(func() { fmt.Println(sum) })
	},

	// Smallest programs, by what they do before Fork.

	"chdir": func() { // to a directory that is relative to the one in which the program started
		sys.OnceFunc(func() { os.Mkdir("sub", 0o700) })
		if err := unix.Chdir("sub"); err != nil {
			unp.ErrSys(err, "chdir error")
		}
		for range 2 {
			inChild(func() { dir, _ := os.Getwd(); fmt.Println(dir[strings.LastIndexByte(dir, '/'):]) })
		}
	},
	"chdir once": func() {
		os.Mkdir("sub", 0o700)
		sys.Once(func() error { return unix.Chdir("sub") })
		inChild(func() {
			inChild(func() { dir, _ := os.Getwd(); fmt.Println(dir[strings.LastIndexByte(dir, '/'):]) })
		})
	},
	"chdir without": func() { // the directory in which it started is gone
		dir, _ := os.MkdirTemp("", "")
		unix.Chdir(dir)
		if len(os.Args) == 2 {
			unix.Exec("/proc/self/exe", append(os.Args, "again"), os.Environ())
		}
		os.Remove(dir)
		inChild(func() { fmt.Println("the child runs") })
	},
	"setsid": func() {
		sys.OnceFunc(func() { unix.Setsid() })
		pid := unp.Fork()
		if pid == 0 {
			os.Exit(7)
		}
		var stat unix.WaitStatus
		got, err := sys.Waitpid(0, &stat, 0)
		fmt.Println(got == pid, stat.ExitStatus(), err)
	},
	"setsid again": func() { // C: true <nil>
		unix.Setsid()
		pid := unp.Fork()
		if pid == 0 {
			os.Exit(7)
		}
		unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		got, err := sys.Waitpid(0, nil, unix.WNOHANG)
		fmt.Println(got == pid, err)
	},
	"alarm": func() {
		sys.Alarm(1)
		fmt.Println(sys.Alarm(60))
		inChild(func() {
			sys.Sleep(0)
			fmt.Println(sys.Alarm(0))
		})
		fmt.Println(sys.Alarm(0), sys.Alarm(0))
		unp.Signal(unix.SIGALRM, func(unix.Signal) { fmt.Println("alarm") })
		sys.Alarm(1)
		_, err := sys.Read(sys.Once(func() int { var p [2]int; unix.Pipe(p[:]); return p[0] }), make([]byte, 1))
		fmt.Println(err)
	},
	"respawn": func() { // five children, a new one for each that ends
		var stat unix.WaitStatus
		for i := 0; i < 5; i++ {
			if unp.Fork() == 0 {
				fmt.Print(i, " ")
				os.Exit(i)
			}
			if pid, err := sys.Wait(&stat); pid < 0 || stat.ExitStatus() != i {
				fmt.Println(pid, err, stat)
			}
		}
		fmt.Println()
	},
	"read one byte": func() {
		var p [2]int
		sys.Once(func() error { return unix.Pipe(p[:]) })
		p = sys.Once(func() [2]int { return p })
		sys.Write(p[1], []byte("xy"))
		c := sys.Once(func() byte { b := make([]byte, 1); sys.Read(p[0], b); return b[0] })
		inChild(func() { b := make([]byte, 1); sys.Read(p[0], b); fmt.Printf("%c %s\n", c, b) })
	},
	"read a line": func() {
		line := sys.Once(func() []byte { var line []byte; return unp.Fgets(&line, unp.MAXLINE, unp.Stdin) })
		end := sys.Once(func() []byte { var line []byte; return unp.Fgets(&line, unp.MAXLINE, unp.Stdin) })
		inChild(func() { fmt.Printf("%q %v\n", line, end == nil) })
	},
	"dup2": func() { // onto standard input
		p := sys.Once(func() (p [2]int) { unix.Pipe(p[:]); unix.Dup2(p[0], 0); return p })
		inChild(func() {
			buf := make([]byte, 10)
			sys.Write(p[1], []byte("line"))
			n, _ := sys.Read(0, buf)
			fmt.Printf("%s\n", buf[:n])
		})
	},
	"log file": func() { // opened in the place of standard output
		unp.Close(1)
		sys.Once(func() int { fd, _ := unix.Open("log", unix.O_WRONLY|unix.O_CREAT|unix.O_APPEND, 0o600); return fd })
		inChild(func() { fmt.Println("in the child") })
		b, _ := os.ReadFile("log")
		os.Stderr.Write(b)
		os.Exit(len(b))
	},
	"kill itself": func() {
		unp.Signal(unix.SIGUSR1, func(unix.Signal) { fmt.Println("caught") })
		unix.Kill(unix.Getpid(), unix.SIGUSR1)
		sys.Sleep(0)
		fmt.Println("printed")
		os.Exit(3)
	},
	"unix socket": func() { // at a path that is removed first
		fd := sys.Once(func() int {
			os.Remove("socket")
			fd, _ := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
			unix.Bind(fd, &unix.SockaddrUnix{Name: "socket"})
			unix.Listen(fd, 5)
			return fd
		})
		client, _ := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		inChild(func() {
			err := unix.Connect(client, &unix.SockaddrUnix{Name: "socket"})
			_, _, accepted := unix.Accept(fd)
			fmt.Println(err, accepted)
		})
		os.Remove("socket")
	},
	"lock": func() {
		lock := func() int {
			fd, _ := unix.Open("lock", unix.O_CREAT|unix.O_RDWR, 0o600)
			if unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) != nil {
				return -1
			}
			return fd
		}
		fd := sys.Once(lock)
		inChild(func() { fmt.Println(fd >= 0, lock()) })
		os.Remove("lock")
	},
	"ready": func() { // the child sends its parent a signal
		ready := false
		unp.Signal(unix.SIGUSR1, func(unix.Signal) { ready = true })
		parent := sys.Once(unix.Getpid)
		if unp.Fork() == 0 {
			unix.Kill(parent, unix.SIGUSR1)
			os.Exit(0)
		}
		for !ready {
			sys.Pause()
		}
		fmt.Println("ready")
	},
	"pid file": func() {
		pid := sys.Once(func() int { os.WriteFile("pid", fmt.Append(nil, unix.Getpid()), 0o600); return unix.Getpid() })
		inChild(func() {
			b, _ := os.ReadFile("pid")
			fmt.Println(string(b) == fmt.Sprint(pid), pid == unix.Getppid(), pid == unix.Getpid())
		})
		os.Remove("pid")
	},
	"close-on-exec later": func() { // C: stream
		fd := unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		unix.FcntlInt(uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC)
		inChild(func() { fmt.Println(socketType(fd)) })
	},
	"pause": func() { // until five children have ended
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
	},
	"pause a second": func() { // a Signal before it does not end it
		unp.Signal(unix.SIGALRM, func(unix.Signal) {})
		sys.Alarm(1)
		start := time.Now()
		sys.Pause()
		fmt.Println(time.Since(start) > 900*time.Millisecond)
	},
	"all blocked": func() { // and a handler installed meanwhile; Setuid concerns all threads
		var all, old unix.Sigset_t
		all.Val[0] = ^uint64(0)
		unp.Sigprocmask(unix.SIG_SETMASK, &all, &old)
		unp.Signal(unix.SIGUSR1, func(unix.Signal) {})
		unp.Sigprocmask(unix.SIG_SETMASK, &old, nil)
		unix.Setuid(os.Getuid())
		fmt.Println("it returns")
	},
	"torn": func() { // no handler runs in the middle of Fork
		var first, last int
		var forks atomic.Int32
		between := make([]byte, 1<<18)
		sys.Keep(&first, &between, &last)
		unp.Signal(unix.SIGUSR1, func(unix.Signal) { first++; last++ })
		parent := sys.Once(unix.Getpid)
		if parent == unix.Getpid() {
			go func() {
				for n := int32(1); ; n++ { // each signal comes a little later in Fork
					for forks.Load() < n {
						runtime.Gosched()
					}
					for begin := time.Now(); time.Since(begin) < time.Duration(n)*20*time.Microsecond; {
					}
					unix.Kill(parent, unix.SIGUSR1)
				}
			}()
		}
		torn := 0
		for range 100 {
			forks.Add(1)
			if unp.Fork() == 0 {
				if first != last {
					os.Exit(1)
				}
				os.Exit(0)
			}
			var stat unix.WaitStatus
			for pid, _ := sys.Wait(&stat); pid < 0; pid, _ = sys.Wait(&stat) {
			}
			torn += stat.ExitStatus()
		}
		fmt.Println(torn)
	},
	"pause after a handler": func() {
		var done atomic.Bool
		unp.Signal(unix.SIGUSR1, func(unix.Signal) { done.Store(true) })
		unix.Kill(unix.Getpid(), unix.SIGUSR1)
		for !done.Load() {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(50 * time.Millisecond) // the handler has returned, outside unp
		sys.Pause()
		fmt.Println("paused")
	},
	"closed and long": func() { // the child has no standard descriptor either
		for fd := range 3 {
			unp.Close(fd)
		}
		for range 100 {
			sys.OnceFunc(func() {})
		}
		var stat unix.WaitStatus
		if unp.Fork() == 0 {
			os.Exit(7)
		}
		sys.Wait(&stat)
		os.Exit(stat.ExitStatus())
	},
	"the next port": func() { // if the first is in use; and the next server, if the first refuses
		taken, fd := listen(unp.SERV_PORT), unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		servaddr := sys.SockaddrIn{Family: unix.AF_INET, Addr: sys.Htonl(0x7f000001)}
		bound := uint16(unp.SERV_PORT)
		for servaddr.Port = sys.Htons(bound); sys.Bind(fd, &servaddr, sys.Sizeof(servaddr)) == unix.EADDRINUSE; servaddr.Port = sys.Htons(bound) {
			bound++
		}
		client := unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		connected := bound // nobody listens there
		for servaddr.Port = sys.Htons(connected); sys.Connect(client, &servaddr, sys.Sizeof(servaddr)) == unix.ECONNREFUSED; servaddr.Port = sys.Htons(connected) {
			connected--
		}
		inChild(func() { fmt.Println(taken, bound, connected) })
		fmt.Println(taken, bound, connected)
	},
	"ends before": func() { // the child, without a word but for UNP_PRINT
		_, err := os.Stat(os.Args[2])
		os.WriteFile(os.Args[2], nil, 0o600)
		if err == nil {
			fmt.Println("already running")
			os.Exit(1)
		}
		inChild(func() { fmt.Println("the child runs") })
	},
	"deep": func() {
		var fork func(int)
		fork = func(depth int) {
			if depth > 0 {
				fork(depth - 1)
				return
			}
			inChild(func() { fmt.Println("the child runs") })
		}
		fork(300)
		fork(10_000)
	},
	"interrupted accepts": func() { // without an address, by a signal that the kernel must give to another thread
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
	},
	"executes": func() { // what main, its child, and their handlers execute blocks nothing
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
	},
	"ignored and inherited": func() {
		hup, tstp := name(unp.Signal(unix.SIGHUP, sys.SIG_DFL)), name(unp.Signal(unix.SIGTSTP, sys.SIG_IGN))
		inChild(func() {
			fmt.Println(hup, tstp, name(unp.Signal(unix.SIGHUP, sys.SIG_IGN)), name(unp.Signal(unix.SIGTSTP, sys.SIG_DFL)), name(unp.Signal(unix.SIGCONT, sys.SIG_DFL)))
		})
		fmt.Println(hup, tstp)
	},
	"collecting": func() { // the runtime collects garbage, and nothing interrupts main but what should
		collect()
		unp.SignalIntr(unix.SIGUSR1, func(unix.Signal) {})
		listenfd := listen(unp.SERV_PORT)
		for i := 1; ; i++ {
			if _, err := sys.Accept(listenfd, nil, nil); err != unix.EINTR {
				fmt.Println(err)
			}
			fmt.Println(i)
		}
	},
	"polling": func() {
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
	},

	"installed as it strikes": func() { // a handler of the child calls Signal while the child starts its catchers
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
	},

	// Blocked signals.

	"sigprocmask": func() {
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
	},
	"suspended": func() { // SIGCHLD at its default calls no handler
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
	},
	"paused": func() { // SIGPIPE that is ignored calls no handler
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
	},
	"pause beside a goroutine": func() { // a handler that has returned before Pause ends it
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
	},
	"a slow handler": func() { // main sleeps while it runs, even if the signal comes again
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
	},
	"interrupted": func() { // by a signal that the kernel must give to another thread
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
	},
	"blocked at its default": func() {
		var set unix.Sigset_t
		set.Val[0] = 1<<(unix.SIGTERM-1) | 1<<(unix.SIGCHLD-1)
		unp.Sigprocmask(unix.SIG_BLOCK, &set, nil)
		unix.Kill(unix.Getpid(), unix.SIGTERM)
		sys.Sleep(0)
		fmt.Println("survived")
		unp.Sigprocmask(unix.SIG_UNBLOCK, &set, nil)
		sys.Sleep(1)
		fmt.Println("and survived")
	},
	"list of children": func() { // SIGCHLD is blocked around Fork, so that the handler finds each
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
			if len(os.Args) > 2 {
				time.Sleep(5 * time.Millisecond)
			}
			list[pid] = true
			unp.Sigprocmask(unix.SIG_SETMASK, &old, nil)
		}
		unp.Sigprocmask(unix.SIG_BLOCK, &set, &old)
		for ended < 20 {
			sys.Sigsuspend(&old)
		}
		unp.Sigprocmask(unix.SIG_SETMASK, &old, nil)
		fmt.Println(unknown, len(list))
	},
	"sigsuspend": func() { // loses no signal, wherever it strikes
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
	},
	"blocked by a handler": func() { // until it returns
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
	},
}

// mainIn returns when main sleeps in the system call.
func mainIn(call int) {
	for {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/syscall", unix.Getpid()))
		if strings.HasPrefix(string(b), fmt.Sprint(call, " ")) {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// collect keeps the garbage collector at work.
func collect() {
	go func() {
		var garbage [][]byte
		for {
			garbage = append(garbage[:0], make([]byte, 1<<16))
			runtime.GC()
		}
	}()
}

var _ = register("panic in Once", prints{Stdout: "recovered: x\nchild\nparent\n"}, func() { // from which main recovers
	func() {
		defer func() { fmt.Println("recovered:", recover()) }()
		sys.OnceFunc(func() { panic("x") })
	}()
	if unp.Fork() == 0 {
		fmt.Println("child")
		os.Exit(0)
	}
	sys.Wait(nil)
	fmt.Println("parent")
})

var _ = register("socket of the first round", prints{
	Clients: []client{{"", "1 true true\n"}, {"", "2 true true\n"}, {"", "3 true true\n"}, {"", "4 true true\n"}, {"", "5 true true\n"}},
	Status:  terminated,
}, func() { // opened between a Once and Accept: each child has the number and the peer of its own round
	var cliaddr, peer sys.SockaddrIn
	clients, logfd := 0, -1
	listenfd := listen(unp.SERV_PORT)
	for {
		clients = sys.Once(func() int { return clients + 1 })
		if logfd < 0 {
			logfd = unp.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
		}
		clilen := sys.Sizeof(cliaddr)
		connfd := unp.Accept(listenfd, &cliaddr, &clilen)
		if unp.Fork() == 0 {
			peerlen := sys.Sizeof(peer)
			sys.Getpeername(connfd, &peer, &peerlen)
			say(connfd, clients, peer == cliaddr, socketType(logfd) == "datagram")
		}
		unp.Close(connfd)
		sys.Wait(nil)
	}
})

var _ = register("value of 256 KB", prints{Stdout: "262144 120\n"}, func() {
	b := sys.Once(func() []byte { return bytes.Repeat([]byte("x"), 256<<10) })
	if unp.Fork() == 0 {
		fmt.Println(len(b), b[len(b)-1])
		os.Exit(0)
	}
	sys.Wait(nil)
})

var _ = register("value of more", prints{Stderr: "fork error: a child cannot be given a value of 262145 bytes, but of up to 262144, as once.go:<asks> asks\n", Status: 1}, func() {
	sys.Once(func() []byte { return make([]byte, 256<<10+1) }) // <asks>
})
