package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp"
	"tcpcliserv/unp/sys"
)

// Select, poll and pselect before Fork.

var _ = register("ready before a signal", prints{Stdout: "1 <nil> 0\n-1 interrupted system call 1\n"}, func() { // pselect lets a pending signal through only if it must wait
	caught := 0
	unp.Signal(unix.SIGUSR1, func(unix.Signal) { caught++ })
	var none, blocked unix.Sigset_t
	sys.Sigaddset(&blocked, unix.SIGUSR1)
	sys.Sigprocmask(unix.SIG_BLOCK, &blocked, nil)
	var p [2]int
	sys.Pipe(p[:])
	sys.Write(p[1], []byte("x"))
	sys.Kill(sys.Getpid(), unix.SIGUSR1)
	for range 2 {
		var rset unix.FdSet
		rset.Set(p[0])
		n, err := sys.Pselect(p[0]+1, &rset, nil, nil, nil, &none)
		fmt.Println(n, err, caught)
		if n > 0 {
			sys.Read(p[0], make([]byte, 1))
		}
	}
})

var _ = register("idle for long", prints{Stdout: "after 2500 rounds\n"}, func() { // select finds nothing to read
	var p [2]int
	sys.Pipe(p[:])
	n := 0
	for ready := 0; ready == 0; n++ {
		sys.Keep(&n)
		if n == 2500 {
			sys.Write(p[1], []byte("x"))
		}
		var rset unix.FdSet
		rset.Set(p[0])
		ready, _ = sys.Select(p[0]+1, &rset, nil, nil, &unix.Timeval{})
	}
	inChild(func() { fmt.Println("after", n-1, "rounds") })
})

var _ = register("idle with many descriptors", prints{Stdout: "after 600 rounds\n"}, func() { // more than execve takes, and less than what a path may read
	fds := make([]unix.PollFd, 100)
	for i := range fds {
		fds[i] = unix.PollFd{Fd: int32(unp.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)), Events: unix.POLLIN}
	}
	n := 0
	for ready := 0; ready == 0; n++ {
		sys.Keep(&n)
		if n == 600 {
			fds[0].Events = unix.POLLOUT
		}
		ready, _ = sys.Poll(fds, 0)
	}
	inChild(func() { fmt.Println("after", n-1, "rounds") })
})

var _ = register("select before accept", prints{
	Clients: []client{{"", "1 true\n"}, {"", "1 true\n"}, {"", "1 true\n"}},
	Status:  terminated,
}, func() {
	listenfd := listen(unp.SERV_PORT)
	for {
		var rset unix.FdSet
		rset.Set(listenfd)
		n, err := sys.Select(listenfd+1, &rset, nil, nil, nil)
		if err != nil {
			unp.ErrSys(err, "select error")
		}
		connfd := accept(listenfd)
		if unp.Fork() == 0 {
			say(connfd, n, rset.IsSet(listenfd))
		}
		unp.Close(connfd)
	}
})

var _ = register("poll before accept", prints{
	Clients: []client{{"", "1 0x1\n"}, {"", "1 0x1\n"}, {"", "1 0x1\n"}},
	Status:  terminated,
}, func() {
	listenfd := listen(unp.SERV_PORT)
	for {
		fds := []unix.PollFd{{Fd: int32(listenfd), Events: unix.POLLIN}}
		n, err := sys.Poll(fds, -1)
		if err != nil {
			unp.ErrSys(err, "poll error")
		}
		connfd := accept(listenfd)
		if unp.Fork() == 0 {
			say(connfd, n, fmt.Sprintf("%#x", fds[0].Revents))
		}
		unp.Close(connfd)
	}
})

var _ = register("select what is ready", prints{Stdout: ready + ready}, func() { // first nothing, then one of three, then the end
	var p [3][2]int
	said := ""
	for i := range p {
		sys.Pipe(p[i][:])
	}
	try := func() {
		var rset, wset unix.FdSet
		for i := range p {
			rset.Set(p[i][0])
			wset.Set(p[i][1])
		}
		tv := unix.Timeval{}
		n, err := sys.Select(p[2][1]+1, &rset, &wset, nil, &tv)
		said += fmt.Sprint(n, err)
		for i := range p {
			said += fmt.Sprint(" ", rset.IsSet(p[i][0]), wset.IsSet(p[i][1]))
		}
		said += "\n"
	}
	try()
	unp.Writen(p[1][1], []byte("x"))
	try()
	unp.Close(p[2][0])
	try()
	if unp.Fork() == 0 {
		fmt.Print(said)
		os.Exit(0)
	}
	sys.Wait(nil)
	fmt.Print(said)
})

const ready = `3 <nil> false true false true false true
4 <nil> false true true true false true
-1 bad file descriptor true true true true true true
`

var _ = register("time that is left", prints{Stdout: "0 {0 0}\n1 true\n"}, func() { // by Linux, in select's timeout
	var p [2]int
	var rset unix.FdSet
	sys.Pipe(p[:])
	tv := unix.Timeval{Usec: 10_000}
	rset.Set(p[0])
	n, _ := sys.Select(p[0]+1, &rset, nil, nil, &tv)
	unp.Writen(p[1], []byte("x"))
	left := unix.Timeval{Sec: 100}
	rset.Set(p[0])
	m, _ := sys.Select(p[0]+1, &rset, nil, nil, &left)
	if unp.Fork() == 0 {
		fmt.Println(n, tv)
		fmt.Println(m, left.Sec == 99 || left.Sec == 100)
		os.Exit(0)
	}
	sys.Wait(nil)
})

var _ = register("negative timeouts", prints{Stdout: "-1 invalid argument {3 -2000000}\n-1 invalid argument {-1 2500000}\n"}, func() {
	for _, timeout := range []unix.Timeval{{Sec: 3, Usec: -2e6}, {Sec: -1, Usec: 2.5e6}} {
		n, err := sys.Select(0, nil, nil, nil, &timeout)
		fmt.Println(n, err, timeout)
	}
})

var _ = register("select interrupted", prints{Stdout: "-1 interrupted system call 1\n"}, func() { // whatever the handler's flags
	var p [2]int
	var rset unix.FdSet
	caught := 0
	sys.Keep(&caught)
	sys.Pipe(p[:])
	act := sys.Sigaction_t{Handler: func(unix.Signal) { caught++ }, Flags: sys.SA_RESTART}
	sys.Sigaction(unix.SIGALRM, &act, nil)
	sys.Alarm(1)
	rset.Set(p[0])
	n, err := sys.Select(p[0]+1, &rset, nil, nil, nil)
	if unp.Fork() == 0 {
		fmt.Println(n, err, caught)
		os.Exit(0)
	}
	sys.Wait(nil)
})

var _ = register("pselect", prints{Stdout: "0 caught before\n-1 interrupted system call, 1 caught, blocked again: true\n1 <nil>, 1 caught\n"}, func() {
	// waits for what is blocked, and misses nothing that came before
	var p [2]int
	var rset unix.FdSet
	var block, zero, now unix.Sigset_t
	caught := 0
	sys.Keep(&caught)
	sys.Pipe(p[:])
	unp.Signal(unix.SIGUSR1, func(unix.Signal) { caught++ })
	sys.Sigemptyset(&zero)
	sys.Sigemptyset(&block)
	sys.Sigaddset(&block, unix.SIGUSR1)
	unp.Sigprocmask(unix.SIG_BLOCK, &block, nil)
	sys.Kill(sys.Getpid(), unix.SIGUSR1)
	before := caught
	rset.Set(p[0])
	n, err := sys.Pselect(p[0]+1, &rset, nil, nil, nil, &zero)
	unp.Sigprocmask(unix.SIG_BLOCK, nil, &now)
	unp.Writen(p[1], []byte("x"))
	rset.Zero()
	rset.Set(p[0])
	m, err2 := sys.Pselect(p[0]+1, &rset, nil, nil, &unix.Timespec{Sec: 100}, nil)
	if unp.Fork() == 0 {
		fmt.Println(before, "caught before")
		fmt.Printf("%d %v, %d caught, blocked again: %v\n", n, err, caught, sys.Sigismember(&now, unix.SIGUSR1))
		fmt.Printf("%d %v, %d caught\n", m, err2, caught)
		os.Exit(0)
	}
	sys.Wait(nil)
})

var _ = register("poll two", prints{Stdout: "1: 0 0x1\n0: 0x0 0x0\n1: 0 0x1\n0: 0x0 0x0\n"}, func() {
	var p, q [2]int
	sys.Pipe(p[:])
	sys.Pipe(q[:])
	none := []unix.PollFd{{Fd: int32(p[0]), Events: unix.POLLIN}, {Fd: int32(q[0]), Events: unix.POLLIN}}
	k, _ := sys.Poll(none, 10)
	unp.Writen(q[1], []byte("x"))
	fds := []unix.PollFd{{Fd: int32(p[0]), Events: unix.POLLIN}, {Fd: int32(q[0]), Events: unix.POLLIN}}
	n, _ := sys.Poll(fds, -1)
	show := func() {
		fmt.Printf("%d: %d %#x\n", n, fds[0].Revents, fds[1].Revents)
		fmt.Printf("%d: %#x %#x\n", k, none[0].Revents, none[1].Revents)
	}
	if unp.Fork() == 0 {
		show()
		os.Exit(0)
	}
	sys.Wait(nil)
	show()
})
