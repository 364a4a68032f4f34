package main

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp"
	"tcpcliserv/unp/sys"
)

// Calls that fail before Fork: the child gets the same error at the same call.

var _ = register("pipe of a full table", prints{Stdout: "-1 -1 true\n"}, func() { // pipe leaves the array as it is
	p := []int{-1, -1}
	err := sys.Pipe2(p, 1<<30)
	fmt.Println(p[0], p[1], err != nil)
})

var _ = register("chdir that fails", prints{Stdout: "first\n"}, func() { // to a directory that main makes afterward
	first := sys.Once(func() string {
		os.WriteFile("conf", []byte("first\n"), 0o600)
		return "conf"
	})
	if sys.Chdir("below") != nil {
		sys.OnceFunc(func() {
			os.Mkdir("below", 0o700)
			os.WriteFile("below/conf", []byte("second\n"), 0o600)
		})
	}
	content, _ := os.ReadFile(first)
	inChild(func() { fmt.Print(string(content)) })
})

var _ = register("SIGCHLD of nobody", prints{Stdout: "argument list too long\n0\n1\n"}, func() { // a fork that fails leaves no SIGCHLD
	caught := 0
	sys.Keep(&caught)
	unp.Signal(unix.SIGCHLD, func(unix.Signal) { caught++ })
	os.Setenv("LONG", strings.Repeat("x", 8_000_000)) // more than execve takes; C: <nil>
	_, err := sys.Fork()
	fmt.Println(err)
	sys.Sleep(0)
	fmt.Println(caught)
	os.Unsetenv("LONG")
	if unp.Fork() == 0 {
		os.Exit(0)
	}
	for caught == 0 {
		sys.Pause()
	}
	fmt.Println(caught)
})

var _ = register("write fails in the first rounds", prints{
	Clients: []client{{"", "2\n"}, {"e", "2\n"}, {"", "3\n"}, {"", "3\n"}, {"", "3\n"}, {"", "3\n"}},
	Status:  terminated,
}, func() { // in a loop at the beginning of the body; not after the second client has asked main to empty the pipe
	var pipes [3][2]int
	for i := range pipes {
		sys.Pipe(pipes[i][:])
		unix.SetNonblock(pipes[i][0], true)
		unix.SetNonblock(pipes[i][1], true)
	}
	much := make([]byte, 1<<20)
	sys.OnceFunc(func() { unix.Write(pipes[1][1], much) })
	listenfd := listen(unp.SERV_PORT)
	for {
		written := 0
		for i := range pipes {
			_, err := sys.Write(pipes[i][1], []byte("x"))
			if err == nil {
				written++
			}
		}
		connfd := accept(listenfd)
		n, _ := sys.Read(connfd, make([]byte, 1))
		if n == 1 {
			unix.Read(pipes[1][0], much)
		}
		if unp.Fork() == 0 {
			say(connfd, written)
		}
		unp.Close(connfd)
	}
})

var _ = register("write fails at different turns", prints{
	Clients: []client{{"", "2\n"}, {"", "0\n"}, {"", "0\n"}, {"", "0\n"}},
	Status:  terminated,
}, func() { // of such a loop
	var p [2]int
	sys.Pipe(p[:])
	unix.SetNonblock(p[1], true)
	sys.OnceFunc(func() { unix.Write(p[1], make([]byte, (64-2)<<10)) })
	listenfd := listen(unp.SERV_PORT)
	for {
		written := 0
		for range 3 {
			_, err := sys.Write(p[1], make([]byte, 1<<10))
			if err == nil {
				written++
			}
		}
		connfd := accept(listenfd)
		if unp.Fork() == 0 {
			say(connfd, written)
		}
		unp.Close(connfd)
	}
})

var _ = register("write fails among others", prints{Stdout: "ok ok broken pipe ok broken pipe ok ok\nok ok broken pipe ok broken pipe ok ok\nabdfg\n"}, func() {
	// all from one line: it is the third and the fifth that fail
	var p, closed [2]int
	unp.Signal(unix.SIGPIPE, sys.SIG_IGN)
	sys.Pipe(p[:])
	sys.Pipe(closed[:])
	unp.Close(closed[0])
	said := ""
	for i, c := range []byte("abcdefg") {
		fd := p[1]
		if i == 2 || i == 4 {
			fd = closed[1]
		}
		_, err := sys.Write(fd, []byte{c})
		said += result(err) + " "
	}
	if unp.Fork() == 0 {
		fmt.Println(said[:len(said)-1])
		os.Exit(0)
	}
	sys.Wait(nil)
	fmt.Println(said[:len(said)-1])
	buf := make([]byte, 10)
	n, _ := sys.Read(p[0], buf)
	fmt.Println(string(buf[:n]))
})

var _ = register("write to a peer that is gone", prints{Stdout: "0: ok\n1: broken pipe\n2: broken pipe\n0: ok\n1: broken pipe\n2: broken pipe\n"}, func() {
	var p [2]int
	said := ""
	unp.Signal(unix.SIGPIPE, sys.SIG_IGN)
	sys.Pipe(p[:])
	for i := range 3 {
		if i == 1 {
			unp.Close(p[0])
		}
		if _, err := sys.Write(p[1], []byte("x")); err != nil {
			said += fmt.Sprintf("%d: %v\n", i, err)
			continue
		}
		said += fmt.Sprintf("%d: ok\n", i)
	}
	if unp.Fork() == 0 {
		fmt.Print(said)
		os.Exit(0)
	}
	sys.Wait(nil)
	fmt.Print(said)
})

var _ = register("branch of an error", prints{Stdout: "the second of 3: broken pipe\nthe second of 3: broken pipe\n"}, func() {
	// what main does after the error, the child does too
	var p, q [2]int
	unp.Signal(unix.SIGPIPE, sys.SIG_IGN)
	sys.Pipe(p[:])
	sys.Pipe(q[:])
	unp.Close(q[0])
	for _, fd := range []int{p[1], q[1], p[1]} {
		if _, err := sys.Write(fd, []byte("x")); err != nil {
			unp.Close(unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0))
			if unp.Fork() == 0 {
				fmt.Println("the second of 3:", err)
				os.Exit(0)
			}
			sys.Wait(nil)
			fmt.Println("the second of 3:", err)
		}
	}
})

var _ = register("failing calls", prints{Stdout: failing + failing}, func() {
	var stat unix.WaitStatus
	servaddr := sys.SockaddrIn{Family: unix.AF_INET, Port: sys.Htons(unp.SERV_PORT)}
	salen := sys.Sizeof(servaddr)
	fd := unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	said := ""
	note := func(name string, err error) { said += name + ": " + result(err) + "\n" }
	note("listen", sys.Listen(99, 5))
	note("listen", sys.Listen(fd, 5))
	note("bind", sys.Bind(fd, &servaddr, salen))
	note("setsockopt", sys.SetsockoptInt(fd, unix.SOL_SOCKET, 12345, 1))
	note("setsockopt", sys.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1))
	note("unlink", sys.Unlink("nothing"))
	note("unlink", sys.Unlink("nothing"))
	note("close", sys.Close(99))
	note("shutdown", sys.Shutdown(1000, unix.SHUT_WR))
	note("getpeername", sys.Getpeername(99, &servaddr, &salen))
	_, err := sys.Open("nothing", unix.O_RDONLY, 0)
	note("open", err)
	_, err = sys.Read(99, make([]byte, 1))
	note("read", err)
	_, err = sys.Dup(99)
	note("dup", err)
	note("dup2", sys.Dup2(99, 3))
	_, err = sys.Lseek(fd, 0, unix.SEEK_SET)
	note("lseek", err)
	note("kill", sys.Kill(sys.Getpid(), 65))
	note("kill", sys.Kill(sys.Getpid(), 0))
	note("flock", sys.Flock(99, unix.LOCK_EX))
	note("ftruncate", sys.Ftruncate(99, 1))
	note("chdir", sys.Chdir("nothing"))
	_, err = sys.Waitpid(-1, &stat, 0)
	note("waitpid", err)
	_, err = sys.FcntlInt(99, unix.F_GETFL, 0)
	note("fcntl", err)
	_, err = sys.Socket(12345, unix.SOCK_STREAM, 0)
	note("socket", err)
	_, err = sys.Socketpair(unix.AF_INET, unix.SOCK_STREAM, 0)
	note("socketpair", err)
	_, err = sys.Accept(99, nil, nil)
	note("accept", err)
	note("exec", sys.Exec("nothing", []string{"nothing"}, nil))
	if unp.Fork() == 0 {
		fmt.Print(said)
		os.Exit(0)
	}
	sys.Wait(nil)
	fmt.Print(said)
})

const failing = `listen: bad file descriptor
listen: ok
bind: invalid argument
setsockopt: protocol not available
setsockopt: ok
unlink: no such file or directory
unlink: no such file or directory
close: bad file descriptor
shutdown: bad file descriptor
getpeername: bad file descriptor
open: no such file or directory
read: bad file descriptor
dup: bad file descriptor
dup2: bad file descriptor
lseek: illegal seek
kill: invalid argument
kill: ok
flock: bad file descriptor
ftruncate: bad file descriptor
chdir: no such file or directory
waitpid: no child processes
fcntl: bad file descriptor
socket: address family not supported by protocol
socketpair: operation not supported
accept: bad file descriptor
exec: no such file or directory
`

// result is an error's text, or ok.
func result(err error) string {
	if err == nil {
		return "ok"
	}
	return err.Error()
}

var _ = register("fails in some rounds", prints{
	Clients: []client{{"", "no such file or directory\n"}, {"", "<nil>\n"}, {"", "<nil>\n"}, {"", "no such file or directory\n"}, {"", "no such file or directory\n"}, {"", "<nil>\n"}},
	Status:  terminated,
}, func() { // before Accept, in main's rounds 1, 4 and 5; success has no line, unless it follows a failure
	parent := sys.Getpid()
	listenfd := listen(unp.SERV_PORT)
	for round := 1; ; round++ {
		err := sys.Unlink("flag")
		connfd := accept(listenfd)
		if unp.Fork() == 0 {
			say(connfd, err)
		}
		if unix.Getpid() == parent && (round == 1 || round == 2 || round == 5) {
			os.WriteFile("flag", nil, 0o600)
		}
		unp.Close(connfd)
	}
})

var _ = register("read from no descriptor", prints{Stdout: "-1 bad file descriptor\n-1 bad file descriptor\n"}, func() {
	n, err := sys.Read(-1, make([]byte, 1))
	if unp.Fork() == 0 {
		fmt.Println(n, err)
		os.Exit(0)
	}
	wait()
	fmt.Println(n, err)
})

var _ = register("next port", prints{Stdout: "3 9878 9877\n3 9878 9877\n"}, func() {
	// if the first is in use; and the next server, if the first refuses
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
	if unp.Fork() == 0 {
		fmt.Println(taken, bound, connected)
		os.Exit(0)
	}
	sys.Wait(nil)
	fmt.Println(taken, bound, connected)
})

var _ = register("short write", prints{Stdout: "true true\n"}, func() { // to a pipe that is full
	var p [2]int
	sys.Pipe(p[:])
	flags, _ := sys.FcntlInt(uintptr(p[1]), unix.F_GETFL, 0)
	sys.FcntlInt(uintptr(p[1]), unix.F_SETFL, flags|unix.O_NONBLOCK)
	size, _ := sys.FcntlInt(uintptr(p[1]), unix.F_GETPIPE_SZ, 0)
	n, _ := sys.Write(p[1], make([]byte, 2*size))
	_, err := sys.Write(p[1], make([]byte, size))
	if unp.Fork() == 0 {
		fmt.Println(n == size, err == unix.EAGAIN)
		os.Exit(0)
	}
	sys.Wait(nil)
})

var _ = register("write fails before two accepts", prints{
	Clients: []client{{"", ""}, {"e", "white\n"}, {"", ""}, {"", "black\n"}, {"", ""}, {"", "black\n"}},
	Status:  terminated,
}, func() { // in the first round, until its second client has asked main to empty the pipe
	var p [2]int
	sys.Pipe(p[:])
	unix.SetNonblock(p[0], true)
	unix.SetNonblock(p[1], true)
	much := make([]byte, 1<<20)
	sys.OnceFunc(func() { unix.Write(p[1], much) })
	listenfd := listen(unp.SERV_PORT)
	for {
		color := "black"
		_, err := sys.Write(p[1], []byte("x"))
		if err != nil {
			color = "white"
		}
		unp.Close(accept(listenfd))
		second := accept(listenfd)
		n, _ := sys.Read(second, make([]byte, 1))
		if n == 1 {
			unix.Read(p[0], much)
		}
		if unp.Fork() == 0 {
			say(second, color)
		}
		unp.Close(second)
	}
})

var _ = register("write fails at the first of two turns", prints{
	Clients: []client{{"", "[true true]\n"}, {"", "[true true]\n"}, {"f", "[true true]\n"}, {"", "[false true]\n"}, {"", "[true true]\n"}, {"", "[true true]\n"}},
	Status:  terminated,
}, func() { // before calls that always have lines, in the round after the client who asks for it
	var p [2]int
	sys.Pipe(p[:])
	unix.SetNonblock(p[0], true)
	unix.SetNonblock(p[1], true)
	much := make([]byte, 1<<20)
	parent := sys.Getpid()
	listenfd := listen(unp.SERV_PORT)
	for {
		var written [2]bool
		for i := range written {
			_, err := sys.Write(p[1], []byte("x"))
			written[i] = err == nil
			sys.Time(nil)
			if unix.Getpid() == parent {
				unix.Read(p[0], much)
			}
		}
		connfd := accept(listenfd)
		n, _ := sys.Read(connfd, make([]byte, 1))
		if n == 1 && unix.Getpid() == parent {
			unix.Write(p[1], much)
		}
		if unp.Fork() == 0 {
			say(connfd, written)
		}
		unp.Close(connfd)
	}
})

var _ = register("write fails after much has been read", prints{
	Clients: []client{{"", "written: true\n"}, {strings.Repeat("u", upload), "no child\n"}, {"", "no child\n"}, {"", "no child\n"}, {"", "written: false\n"}},
	Status:  terminated,
}, func() { // to a pipe that is full from the second round on
	var p [2]int
	sys.Pipe(p[:])
	unix.SetNonblock(p[1], true)
	sys.OnceFunc(func() { unix.Write(p[1], make([]byte, (64-1)<<10)) })
	buf := make([]byte, 1<<10)
	listenfd := listen(unp.SERV_PORT)
	for {
		_, err := sys.Write(p[1], make([]byte, 1<<10))
		connfd := accept(listenfd)
		readAll(connfd, buf)
		pid, _ := sys.Fork()
		switch pid {
		case 0:
			say(connfd, "written:", err == nil)
		case -1:
			sys.Write(connfd, []byte("no child\n"))
		}
		unp.Close(connfd)
	}
})

var _ = register("greeting fails", prints{
	Clients: []client{{"", "greeting\nchild\n"}, {"", "greeting\nchild\n"}},
	Status:  terminated,
	Stderr:  "log: broken pipe\nlog: broken pipe\n",
}, func() { // a server's log, that nobody reads, among what it writes to its client in each round
	var log [2]int
	unp.Signal(unix.SIGPIPE, sys.SIG_IGN)
	sys.Pipe(log[:])
	unp.Close(log[0])
	listenfd := listen(unp.SERV_PORT)
	for {
		connfd := accept(listenfd)
		sys.Write(connfd, []byte("greeting\n"))
		_, err := sys.Write(log[1], []byte("a client\n"))
		if unp.Fork() == 0 {
			fmt.Fprintln(os.Stderr, "log:", err)
			say(connfd, "child")
		}
		unp.Close(connfd)
		sys.Wait(nil)
	}
})
