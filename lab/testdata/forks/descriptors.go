package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp"
	"tcpcliserv/unp/sys"
)

// Descriptors: the child has those of its parent, at the same numbers.

var _ = register("pipe", prints{Stdout: "from the child\n"}, func() { // from the child to its parent
	var p [2]int
	buf := make([]byte, unp.MAXLINE)
	sys.Pipe(p[:])
	if unp.Fork() == 0 {
		unp.Close(p[0])
		unp.Writen(p[1], []byte("from the child\n"))
		os.Exit(0)
	}
	unp.Close(p[1])
	for n, _ := sys.Read(p[0], buf); n > 0; n, _ = sys.Read(p[0], buf) {
		fmt.Printf("%s", buf[:n])
	}
	sys.Wait(nil)
})

var _ = register("two pipes", prints{Stdout: "the child answers: ping\n"}, func() { // the book's pipe/mainpipe.c
	var pipe1, pipe2 [2]int
	buf := make([]byte, unp.MAXLINE)
	sys.Pipe(pipe1[:])
	sys.Pipe(pipe2[:])
	if unp.Fork() == 0 {
		unp.Close(pipe1[1])
		unp.Close(pipe2[0])
		n, _ := sys.Read(pipe1[0], buf)
		unp.Writen(pipe2[1], fmt.Appendf(nil, "the child answers: %s\n", buf[:n]))
		os.Exit(0)
	}
	unp.Close(pipe1[0])
	unp.Close(pipe2[1])
	unp.Writen(pipe1[1], []byte("ping"))
	n, _ := sys.Read(pipe2[0], buf)
	fmt.Printf("%s", buf[:n])
	sys.Wait(nil)
})

var _ = register("socketpair", prints{Stdout: "ping pong\n"}, func() {
	buf := make([]byte, 10)
	pair, err := sys.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		unp.ErrSys(err, "socketpair error")
	}
	if unp.Fork() == 0 {
		unp.Close(pair[0])
		unp.Readn(pair[1], buf[:4])
		unp.Writen(pair[1], append(buf[:4], " pong"...))
		os.Exit(0)
	}
	unp.Close(pair[1])
	unp.Writen(pair[0], []byte("ping"))
	n := unp.Readn(pair[0], buf[:9])
	fmt.Println(string(buf[:n]))
	sys.Wait(nil)
})

var _ = register("dup2 onto 1", prints{Stdout: "parent reads child\n"}, func() { // what the child prints, its parent reads
	var p [2]int
	buf := make([]byte, 100)
	sys.Pipe(p[:])
	saved, _ := sys.Dup(1)
	sys.Dup2(p[1], 1)
	unp.Close(p[1])
	if unp.Fork() == 0 {
		fmt.Print("child\n")
		os.Exit(0)
	}
	sys.Wait(nil)
	sys.Dup2(saved, 1)
	n, _ := sys.Read(p[0], buf)
	fmt.Printf("parent reads %s", buf[:n])
})

var _ = register("dup2 onto 0", prints{Stdout: "line\n"}, func() {
	var p [2]int
	buf := make([]byte, 10)
	sys.Pipe(p[:])
	sys.Dup2(p[0], 0)
	unp.Close(p[0])
	if unp.Fork() == 0 {
		unp.Writen(p[1], []byte("line"))
		n, _ := sys.Read(0, buf)
		fmt.Println(string(buf[:n]))
		os.Exit(0)
	}
	sys.Wait(nil)
})

var _ = register("datagrams before", prints{Stdout: "3 abc, 2 de\n3 abc, 2 de\n"}, func() { // sent and received in the parent
	var own, from sys.SockaddrIn
	one, two := make([]byte, 10), make([]byte, 10)
	fd := unp.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	own.Family = unix.AF_INET
	own.Addr = sys.Htonl(0x7f000001)
	unp.Bind(fd, &own, sys.Sizeof(own))
	ownlen, fromlen := sys.Sizeof(own), sys.Sizeof(from)
	sys.Getsockname(fd, &own, &ownlen)
	sys.Sendto(fd, []byte("abc"), 0, &own, ownlen)
	n, _ := sys.Recvfrom(fd, one, 0, &from, &fromlen)
	unp.Connect(fd, &own, ownlen)
	sys.Send(fd, []byte("de"), 0)
	m, _ := sys.Recv(fd, two, 0)
	show := func() {
		if from != own || fromlen != ownlen {
			fmt.Println("from", from, fromlen)
		}
		fmt.Printf("%d %s, %d %s\n", n, one[:n], m, two[:m])
	}
	if unp.Fork() == 0 {
		show()
		os.Exit(0)
	}
	sys.Wait(nil)
	show()
})

var _ = register("options before", prints{Stdout: "1 0 1\n1 0 1\n"}, func() {
	fd := unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	sys.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	reuse, _ := sys.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR)
	alive, _ := sys.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE)
	sys.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	if unp.Fork() == 0 {
		now, _ := sys.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE)
		fmt.Println(reuse, alive, now)
		sys.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0)
		os.Exit(0)
	}
	sys.Wait(nil)
	now, _ := sys.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE) // the child has set it back: it is one socket
	fmt.Println(reuse, alive, now+1)
})

var _ = register("half-close before", prints{Stdout: "0 <nil> 4\n"}, func() {
	pair, _ := sys.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	unp.Writen(pair[1], []byte("data"))
	sys.Shutdown(pair[0], unix.SHUT_WR)
	end, err := sys.Read(pair[1], make([]byte, 1))
	if unp.Fork() == 0 {
		n, _ := sys.Read(pair[0], make([]byte, 10))
		fmt.Println(end, err, n)
		os.Exit(0)
	}
	sys.Wait(nil)
})

var _ = register("two descriptors below 4", prints{Stdout: "parent stream datagram stream\nchild stream datagram stream 0\n"}, func() {
	// a daemon with two listening sockets: only 0 and 2 are free at Fork
	out, _ := sys.FcntlInt(1, unix.F_DUPFD, 100)
	unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	unp.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	unp.Close(0)
	unp.Close(1)
	unp.Close(2)
	unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0) // at 0, as accept would be
	show := func(who string) string {
		return fmt.Sprintf("%s %s %s %s", who, socketType(3), socketType(4), socketType(0))
	}
	unp.Writen(out, []byte(show("parent")+"\n"))
	if unp.Fork() == 0 {
		unp.Writen(out, []byte(show("child")))
		if sys.Close(4) != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	var stat unix.WaitStatus
	sys.Wait(&stat)
	unp.Writen(out, fmt.Appendf(nil, " %d\n", stat.ExitStatus()))
})

var _ = register("free descriptors", prints{Stdout: freeDescriptors}, func() {
	// in the child are open those that are open in its parent, whichever of the first six are free
	debug.SetGCPercent(-1) // or the runtime would open two for its timers, which this would close
	out, _ := sys.FcntlInt(1, unix.F_DUPFD, 40)
	kept, _ := sys.Dup(1)
	sys.Dup2(kept, 6)
	for free := range 1 << 6 {
		for fd := range 6 {
			if free&(1<<fd) != 0 {
				sys.Close(fd)
			} else {
				sys.Dup2(6, fd)
			}
		}
		if unp.Fork() == 0 {
			open := 0
			for fd := range 6 {
				if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil {
					open |= 1 << fd
				}
			}
			unp.Writen(out, fmt.Appendf(nil, "%d ", open+free))
			os.Exit(0)
		}
		sys.Wait(nil)
	}
})

// Whatever is open and what is free make 63.
const freeDescriptors = "63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 " +
	"63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 "

var _ = register("sockets", prints{Stdout: "3 4\n3 4 3 stream datagram\n"}, func() {
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
})

var _ = register("remade in the child", prints{Stdout: "3 3 datagram\n3 stream\n"}, func() {
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
})

var _ = register("closed standard descriptors", prints{Status: 7}, func() {
	unp.Close(0)
	unp.Close(1)
	unp.Close(2)
	if unp.Fork() == 0 {
		os.Exit(7)
	}
	var stat unix.WaitStatus
	unix.Wait4(-1, &stat, 0, nil)
	os.Exit(stat.ExitStatus())
})

var _ = register("close-on-exec", prints{Stdout: "3 stream\n"}, func() { // which a fork is not
	fd := unp.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if unp.Fork() == 0 {
		fmt.Println(fd, socketType(fd))
		os.Exit(0)
	}
	wait()
})

var _ = register("collected", prints{}, func() { // nothing that the child has not made itself
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
})

var _ = register("socket 0", prints{Stdout: "0 stream\n"}, func() { // at the number of standard input
	unp.Close(0)
	fd := unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if unp.Fork() == 0 {
		fmt.Println(fd, socketType(fd))
		os.Exit(0)
	}
	wait()
})

var _ = register("unix.Close", prints{Stdout: "the child runs\n"}, func() { // behind the back of unp
	unix.Close(unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0))
	if unp.Fork() == 0 {
		fmt.Println("the child runs")
		os.Exit(0)
	}
	wait()
})

var _ = register("linger", prints{Stdout: "3 3 0 <nil>\n"}, func() { // of a socket that is closed, not of the one at its number
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
})

var _ = register("stale line", prints{Stdout: "true two\n"}, func() { // what a closed connection has left is not read from the next
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
})

var _ = register("descriptor 63", prints{Stdout: "false\nfalse\n"}, func() {
	used := func() bool { _, err := unix.FcntlInt(63, unix.F_GETFD, 0); return err == nil }
	if unp.Fork() == 0 {
		fmt.Println(used())
		os.Exit(0)
	}
	wait()
	fmt.Println(used())
})

var _ = register("log file", prints{Stderr: "in the child\n", Status: 13}, func() { // opened in the place of standard output
	unp.Close(1)
	sys.Open("log", unix.O_WRONLY|unix.O_CREAT|unix.O_APPEND, 0o600)
	inChild(func() { fmt.Println("in the child") })
	b, _ := os.ReadFile("log")
	os.Stderr.Write(b)
	os.Exit(len(b))
})

var _ = register("owner", prints{Stdout: "true true, in the child true true\n"}, func() { // of a descriptor: a process, and a group
	p := make([]int, 2)
	sys.Pipe(p)
	owner := func(set int) int {
		sys.FcntlInt(uintptr(p[0]), unix.F_SETOWN, set)
		got, err := sys.FcntlInt(uintptr(p[0]), unix.F_GETOWN, 0)
		if err != nil {
			fmt.Println(err)
		}
		return got
	}
	group := unix.Getpgrp()
	process := sys.Getpid()
	isProcess, isGroup := owner(process) == process, owner(-group) == -group
	fmt.Print(isProcess, " ", isGroup)
	inChild(func() { fmt.Println(", in the child", isProcess, isGroup) })
})

var _ = register("descriptors of others", prints{Stdout: "1\n"}, func() { // that a goroutine executes while main forks: none of Fork's
	seen := map[string]bool{}
	execute := func() {
		out, _ := exec.Command("ls", "/proc/self/fd").Output()
		seen[string(out)] = true
	}
	execute() // before there is a Fork
	done, over := make(chan bool), make(chan bool)
	parent := sys.Getpid()
	go func() {
		for parent == unix.Getpid() {
			execute()
			select {
			case <-done:
				over <- true
				return
			default:
			}
		}
	}()
	for range 30 {
		if unp.Fork() == 0 {
			os.Exit(0)
		}
		sys.Wait(nil)
	}
	done <- true
	<-over
	fmt.Println(len(seen)) // different lists
})
