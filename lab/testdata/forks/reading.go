package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp"
	"tcpcliserv/unp/sys"
)

// What main reads before Fork, its child has read too.

var _ = register("request first", prints{
	Clients: []client{{"one", "3 one\n"}, {"three", "5 three\n"}, {"", "0 \n"}},
	Status:  terminated,
}, func() {
	buf := make([]byte, unp.MAXLINE)
	listenfd := listen(unp.SERV_PORT)
	for {
		connfd := accept(listenfd)
		n, err := sys.Read(connfd, buf)
		if err != nil {
			unp.ErrSys(err, "read error")
		}
		if unp.Fork() == 0 {
			unp.Close(listenfd)
			say(connfd, n, string(buf[:n]))
		}
		unp.Close(connfd)
	}
})

var _ = register("a buffer that is filled twice", prints{Stdout: "one two\n"}, func() {
	p := make([]int, 2)
	buf := make([]byte, 3)
	sys.Pipe(p)
	sys.Write(p[1], []byte("onetwo"))
	sys.Read(p[0], buf)
	first := string(buf)
	sys.Read(p[0], buf)
	if unp.Fork() == 0 {
		fmt.Println(first, string(buf))
		os.Exit(0)
	}
	wait()
})

var _ = register("request line first", prints{
	Clients: []client{
		{"GET\nhost: a\n\nbody\n", "GET: host: a, body\n"},
		{"PUT\n\nbody\n", "PUT: none, body\n"},
		{"POST\nhost: b\n\nbody of the third\n", "POST: host: b, body of the third\n"},
	},
	Status: terminated,
}, func() { // and its head; the body is in Readline's buffer, of which the child has its own
	var request, line, body []byte
	listenfd := listen(unp.SERV_PORT)
	for {
		connfd := accept(listenfd)
		unp.Readline(connfd, &request, unp.MAXLINE)
		host := "none"
		for unp.Readline(connfd, &line, unp.MAXLINE) > 1 {
			host = string(bytes.TrimSpace(line))
		}
		if unp.Fork() == 0 {
			unp.Readline(connfd, &body, unp.MAXLINE)
			say(connfd, fmt.Sprintf("%s: %s, %s", bytes.TrimSpace(request), host, bytes.TrimSpace(body)))
		}
		unp.Close(connfd)
	}
})

var _ = register("struct first", prints{
	Clients: []client{{"abcdefgh", "abcd efgh\n"}, {"ijklm", "ijkl m\n"}, {"no", "no \n"}},
	Status:  terminated,
}, func() { // of four bytes
	head := make([]byte, 4)
	listenfd := listen(unp.SERV_PORT)
	for {
		connfd := accept(listenfd)
		n := unp.Readn(connfd, head)
		if unp.Fork() == 0 {
			rest := make([]byte, 4)
			m := unp.Readn(connfd, rest)
			say(connfd, string(head[:n]), string(rest[:m]))
		}
		unp.Close(connfd)
	}
})

var _ = register("lines of standard input", prints{Stdin: "one\ntwo\nthree\n", Stdout: "one\ntwo\ntwo\nthree\nthree\n"}, func() {
	// the child has what is read ahead, as its parent
	var line []byte
	show := func() {
		if unp.Fgets(&line, unp.MAXLINE, unp.Stdin) != nil {
			fmt.Printf("%s", line)
		}
	}
	show()
	for range 2 {
		if unp.Fork() == 0 {
			show()
			os.Exit(0)
		}
		sys.Wait(nil)
		show()
	}
})

var _ = register("half of a file", prints{Stdin: "abcdef", Stdout: "parent ab\nchild cd\nparent ef\n"}, func() {
	// read without a buffer: the offset is the same file's
	buf := make([]byte, 2)
	show := func(who string) {
		n, _ := sys.Read(0, buf)
		fmt.Printf("%s %s\n", who, buf[:n])
	}
	show("parent")
	if unp.Fork() == 0 {
		show("child")
		os.Exit(0)
	}
	sys.Wait(nil)
	show("parent")
})

var _ = register("too much", prints{Stderr: "fork error: Main has read more than 65536 bytes, or more than 1000 times, on its way here, and a child cannot be given all that: see sys.Once\n", Status: 1}, func() {
	// C: the child runs
	var p [2]int
	sys.Pipe(p[:])
	buf := make([]byte, unp.MAXLINE)
	for range 17 {
		unp.Writen(p[1], buf)
		unp.Readn(p[0], buf)
	}
	if unp.Fork() == 0 {
		fmt.Println("the child runs")
		os.Exit(0)
	}
})

var _ = register("as much as is possible", prints{Stdout: "the child runs: 120\nthe child runs: 1000\n"}, func() {
	var p [2]int
	sys.Pipe(p[:])
	buf := make([]byte, unp.MAXLINE)
	for i := range 16 {
		for k := range buf {
			buf[k] = 'i' + byte(i)
		}
		unp.Writen(p[1], buf)
		unp.Readn(p[0], buf)
	}
	if unp.Fork() == 0 {
		fmt.Println("the child runs:", buf[100])
		os.Exit(0)
	}
	sys.Wait(nil)
	if unp.Fork() == 0 {
		reads := 0
		unp.Writen(p[1], make([]byte, 1000))
		for range 1000 {
			n, _ := sys.Read(p[0], buf[:1])
			reads += n
		}
		fmt.Println("the child runs:", reads)
		os.Exit(0)
	}
	sys.Wait(nil)
})

var _ = register("datagrams after too much", prints{Stdout: "3\n"}, func() { // the first round reads too much, the third does not
	p, _ := sys.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	for n := 1; n <= 3; n++ {
		sys.Keep(&n)
		var from sys.SockaddrUn
		fromlen := sys.Sizeof(from)
		datagram := make([]byte, 1)
		sys.Write(p[1], []byte{byte(n)})
		sys.Recvfrom(p[0], datagram, 0, &from, &fromlen)
		switch n {
		case 1:
			for range 1100 {
				sys.Time(nil)
			}
		case 3:
			inChild(func() { fmt.Println(datagram[0]) })
		}
	}
})

var _ = register("too often, beside a goroutine", prints{Stdout: "SIG_DFL\n"}, func() { // whose read is not in main's Once
	var p [2]int
	sys.Pipe(p[:])
	for range 1100 {
		sys.Time(nil)
	}
	reads := make(chan int)
	go func() {
		runtime.LockOSThread()
		reads <- unix.Gettid()
		sys.Read(p[0], make([]byte, 1))
	}()
	awaitThread(<-reads, unix.SYS_READ)
	fmt.Println(name(unp.Signal(unix.SIGUSR1, sys.SIG_IGN)))
})

var _ = register("lines of a number that is used again", prints{Stdout: "[\"a1\\n\" \"b1\\n\"]\n"}, func() { // Dup2 replaces the file behind it
	sys.OnceFunc(func() {
		os.WriteFile("a", []byte("a1\nstop\na2\n"), 0o600)
		os.WriteFile("b", []byte("b1\nstop\nb2\n"), 0o600)
	})
	var lines []string
	var line []byte
	for _, name := range []string{"a", "b"} {
		fd, _ := sys.Open(name, unix.O_RDONLY, 0)
		sys.Dup2(fd, 9)
		unp.Close(fd)
		for unp.Readline(9, &line, unp.MAXLINE) > 0 && string(line) != "stop\n" {
			lines = append(lines, string(line))
		}
	}
	unp.Close(9)
	inChild(func() { fmt.Printf("%q\n", lines) })
})

var _ = register("reads much in a finished round", prints{ // and opens a file there, as no later round does
	Clients: []client{{"one", "1\n"}, {strings.Repeat("x", 100_000), ""}, {"three", "3\n"}, {"four", "4\n"}},
	Status:  terminated,
}, func() {
	listenfd := listen(unp.SERV_PORT)
	for n := 1; ; n++ {
		sys.Keep(&n)
		connfd := accept(listenfd)
		if n == 2 {
			fd, _ := sys.Open("/dev/null", unix.O_WRONLY, 0)
			buf := make([]byte, 4096)
			for count, _ := sys.Read(connfd, buf); count > 0; count, _ = sys.Read(connfd, buf) {
				sys.Write(fd, buf[:count])
			}
			unp.Close(fd)
		} else if unp.Fork() == 0 {
			say(connfd, n)
		}
		unp.Close(connfd)
	}
})

var _ = register("rest of a file", prints{ // of which main uses the first line: the path does not grow
	Clients: []client{{"", "one\n 1\n"}, {"", "one\n 1\n"}, {"", "one\n 1\n"}, {"", "one\n 1\n"}},
	Status:  terminated,
}, func() {
	var p [2]int
	var line []byte
	sys.Pipe(p[:])
	sys.Write(p[1], []byte("one\ntwo\nthree\n"))
	unp.Readline(p[0], &line, unp.MAXLINE)
	listenfd := listen(unp.SERV_PORT)
	for {
		connfd := accept(listenfd)
		if unp.Fork() == 0 {
			environ, _ := os.ReadFile("/proc/self/environ")
			say(connfd, string(line), bytes.Count(environ, []byte(" accept(")))
		}
		unp.Close(connfd)
	}
})

var _ = register("end of input", prints{Stdout: "\"a\" true true\n"}, func() { // which Fgets remembers, even after half a line
	var p, more [2]int
	var line []byte
	sys.Pipe(p[:])
	sys.Pipe(more[:])
	sys.Write(p[1], []byte("a"))
	unp.Close(p[1])
	sys.Write(more[1], []byte("more\n"))
	sys.Dup2(p[0], 0)
	first := string(unp.Fgets(&line, unp.MAXLINE, unp.Stdin))
	sys.Dup2(more[0], 0)
	second := unp.Fgets(&line, unp.MAXLINE, unp.Stdin) == nil
	third := unp.Fgets(&line, unp.MAXLINE, unp.Stdin) == nil
	fmt.Printf("%q %v %v\n", first, second, third)
})

var _ = register("end of a file, again and again", prints{Stdout: "-1 true\n"}, func() { // a round that has seen it is not forgotten; C: the child runs
	fd, _ := sys.Open("/dev/null", unix.O_RDONLY, 0)
	for range 600 {
		sys.Read(fd, make([]byte, 1))
		sys.Select(0, nil, nil, nil, &unix.Timeval{})
	}
	pid, err := sys.Fork()
	if pid == 0 {
		os.Exit(0)
	}
	fmt.Println(pid, err != nil)
})

var _ = register("send of a part", prints{Stdout: "true <nil> true\n"}, func() { // as much as there is room for
	fd, _ := sys.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	unix.SetNonblock(fd[0], true)
	data := make([]byte, 8<<20)
	n, err := sys.Send(fd[0], data, 0)
	sent := 0
	unp.Close(fd[0])
	for {
		count, _ := unix.Read(fd[1], data)
		if count <= 0 {
			break
		}
		sent += count
	}
	fmt.Println(0 < n && n < len(data), err, sent == n)
})

// sendToItself sends a datagram over a pair of sockets and receives it, which ends a round.
func sendToItself(fd [2]int, data, buf []byte) {
	var from sys.SockaddrUn
	fromlen := sys.Sizeof(from)
	sys.Send(fd[0], data, 0)
	sys.Recvfrom(fd[1], buf, 0, &from, &fromlen)
}

// exitStatus returns the status of a child that exits with it at once, or -1 if Fork fails.
func exitStatus(status int) int {
	pid, err := sys.Fork()
	if pid == 0 {
		os.Exit(status)
	}
	if err != nil {
		return -1
	}
	var stat unix.WaitStatus
	sys.Waitpid(pid, &stat, 0)
	return stat.ExitStatus()
}

var _ = register("too much in one round", prints{Stdout: "0 -1\n1 11\n2 12\n"}, func() { // after something that every child needs; C: 0 0
	zeros, _ := sys.Open("/dev/zero", unix.O_RDONLY, 0)
	buf := make([]byte, 70_000)
	sys.Read(zeros, buf[:10])
	fd, _ := sys.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	i := 0
	for i < 3 {
		sys.Keep(&i)
		if i == 0 {
			sys.Read(zeros, buf)
		}
		sendToItself(fd, nil, buf)
		fmt.Println(i, exitStatus(10+i))
		i++
	}
})

var _ = register("too often", prints{Stderr: "fork error: Main has read more than 65536 bytes, or more than 1000 times, on its way here, and a child cannot be given all that: see sys.Once\n", Status: 1}, func() {
	// C: the child runs
	var p [2]int
	sys.Pipe(p[:])
	for range 1001 {
		unp.Writen(p[1], []byte("x"))
		sys.Read(p[0], make([]byte, 1))
	}
	if unp.Fork() == 0 {
		fmt.Println("the child runs")
		os.Exit(0)
	}
})

// readAll reads up to the end of the input, and returns the number of bytes.
func readAll(fd int, buf []byte) (sum int) {
	for n, _ := sys.Read(fd, buf); n > 0; n, _ = sys.Read(fd, buf) {
		sum += n
	}
	return sum
}

var _ = register("reads much in a child", prints{Stdout: "1048576\n"}, func() { // which forks no more
	var p [2]int
	sys.Pipe(p[:])
	if unp.Fork() == 0 {
		unp.Close(p[1])
		fmt.Println(readAll(p[0], make([]byte, unp.MAXLINE)))
		os.Exit(0)
	}
	unp.Writen(p[1], make([]byte, 1<<20))
	unp.Close(p[1])
	sys.Wait(nil)
})

var _ = register("iterative, then concurrent", prints{
	Clients: []client{{string(bytes.Repeat([]byte("x"), 100_000)), "parent 100000\n"}, {"", "child 1\n"}, {string(bytes.Repeat([]byte("x"), 70_000)), "parent 70000\n"}, {"", "child 3\n"}},
	Status:  terminated,
}, func() { // main reads more than it may before a Fork; but there is a later accept
	clients := 0
	buf := make([]byte, unp.MAXLINE)
	listenfd := listen(unp.SERV_PORT)
	for {
		sys.Keep(&clients)
		connfd := accept(listenfd)
		if clients%2 == 0 {
			unp.Writen(connfd, fmt.Appendln(nil, "parent", readAll(connfd, buf)))
		} else if unp.Fork() == 0 {
			say(connfd, "child", clients)
		}
		unp.Close(connfd)
		clients++
	}
})

const upload = 100_000 // bytes

const tooMuch = "main has read more than 65536 bytes, or more than 1000 times, on its way here, and a child cannot be given all that: see sys.Once"

var _ = register("ticket after an upload", prints{
	Clients: []client{{"one", "ticket 0\n"}, {strings.Repeat("u", upload), "ticket 1, 100000 bytes\n"}, {"two", "ticket 2\n"}, {"three", "ticket 3\n"}},
	Status:  terminated,
}, func() { // main reads before Accept, too, and what it reads there is on the path again
	p := make([]int, 2)
	ticket, buf := make([]byte, 1), make([]byte, unp.MAXLINE)
	sys.Pipe(p)
	sys.Write(p[1], []byte("0123456789"))
	listenfd := listen(unp.SERV_PORT)
	for {
		sys.Read(p[0], ticket)
		connfd := accept(listenfd)
		sys.Read(connfd, buf[:1])
		if buf[0] == 'u' {
			unp.Writen(connfd, fmt.Appendf(nil, "ticket %s, %d bytes\n", ticket, 1+readAll(connfd, buf)))
		} else if unp.Fork() == 0 {
			say(connfd, fmt.Sprintf("ticket %s", ticket))
		}
		unp.Close(connfd)
	}
})

var _ = register("select after an upload", prints{
	Clients: []client{{"one", "client 1\n"}, {strings.Repeat("u", upload), "client 2, 100000 bytes\n"}, {"three", "client 3\n"}, {"four", "client 4\n"}},
	Status:  terminated,
}, func() { // the same, with Keep at the beginning of the round
	var rset unix.FdSet
	clients := 0
	buf := make([]byte, unp.MAXLINE)
	listenfd := listen(unp.SERV_PORT)
	for {
		sys.Keep(&clients)
		clients++
		rset.Zero()
		rset.Set(listenfd)
		sys.Select(listenfd+1, &rset, nil, nil, nil)
		connfd := accept(listenfd)
		sys.Read(connfd, buf[:1])
		if buf[0] == 'u' {
			unp.Writen(connfd, fmt.Appendf(nil, "client %d, %d bytes\n", clients, 1+readAll(connfd, buf)))
		} else if unp.Fork() == 0 {
			say(connfd, fmt.Sprintf("client %d", clients))
		}
		unp.Close(connfd)
	}
})

var _ = register("names before clients", prints{
	Clients: []client{{"", "ab\n"}, {"", "busy\n"}, {"", "ef\n"}, {"", "gh\n"}},
	Status:  terminated,
}, func() { // each is read byte by byte before Accept; a finished round goes as a whole
	zeros, _ := sys.Open("/dev/zero", unix.O_RDONLY, 0)
	for range 950 {
		sys.Read(zeros, make([]byte, 1))
	}
	polls := 0
	p, q, b := make([]int, 2), make([]int, 2), make([]byte, 1)
	sys.Pipe(p)
	sys.Pipe(q)
	sys.Write(p[1], []byte("ab\nxcd\nef\ngh\n"))
	listenfd := listen(unp.SERV_PORT)
	for {
		name := ""
		for !strings.HasSuffix(name, "\n") {
			sys.Read(p[0], b)
			name += string(b)
		}
		connfd := accept(listenfd)
		ready := []unix.PollFd{{Fd: int32(q[0]), Events: unix.POLLIN}}
		for n, _ := sys.Poll(ready, 0); n == 0 && name == "ef\n"; n, _ = sys.Poll(ready, 0) {
			polls++
			if polls == 1100 {
				sys.Write(q[1], b)
			}
		}
		if name[0] == 'x' {
			unp.Writen(connfd, []byte("busy\n"))
		} else if unp.Fork() == 0 {
			unp.Writen(connfd, []byte(name))
			os.Exit(0)
		}
		unp.Close(connfd)
	}
})

var _ = register("read in vain, after much", prints{Stdout: "0 1 2 3 \n"}, func() { // rounds in which waiting timed out are forgotten, but not what main had read before
	zeros, _ := sys.Open("/dev/zero", unix.O_RDONLY, 0)
	read, count, round := 0, 0, 0
	for range 1000 {
		n, _ := sys.Read(zeros, make([]byte, 5))
		read += n
	}
	for count = 0; count < 3; count++ {
		sys.Keep(&count)
		sys.Poll(nil, 0)
		sys.Sleep(0)
	}
	fd, _ := sys.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	for round = 0; round < 4; round++ {
		sys.Keep(&round, &count)
		polls := 1
		if round == 1 {
			polls = 1200
		}
		for count = 0; count < polls; count++ {
			sys.Keep(&round, &count)
			sys.Poll(nil, 0)
		}
		sendToItself(fd, nil, make([]byte, 1))
		if unp.Fork() == 0 {
			fmt.Print(round+read-5000, " ")
			os.Exit(0)
		}
		sys.Wait(nil)
	}
	fmt.Println()
})

var _ = register("read on from an open file", prints{Stdout: "10\nupload\n-1\n10\n10\n"}, func() { // which main may read in its next round, too; C: 10 for each fork
	zeros, _ := sys.Open("/dev/zero", unix.O_RDONLY, 0)
	buf := make([]byte, unp.MAXLINE)
	fd, _ := sys.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	for _, request := range []byte("fufff") {
		sendToItself(fd, []byte{request}, buf)
		if buf[0] == 'u' {
			for range 30 {
				sys.Read(zeros, buf)
			}
			fmt.Println("upload")
			continue
		}
		fmt.Println(exitStatus(10))
	}
})

var _ = register("much without an accept", prints{Stdout: "0 10\n2 -1\n3 -1\n4 14\n"}, func() { // in a round after one with it; C: 2 12, 3 13
	zeros, _ := sys.Open("/dev/zero", unix.O_RDONLY, 0)
	buf := make([]byte, unp.MAXLINE)
	fd, _ := sys.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	for i := 0; i < 5; i++ {
		sys.Keep(&i)
		if i != 2 {
			sendToItself(fd, nil, buf)
		}
		if i == 1 || i == 2 {
			for range 20 {
				sys.Read(zeros, buf)
			}
		}
		if i == 1 {
			continue
		}
		fmt.Println(i, exitStatus(10+i))
	}
})

var _ = register("self-pipe", prints{
	Clients: []client{{"", "client 1, 0 ended\n"}, {"", "client 2, 1 ended\n"}, {"", "client 3, 2 ended\n"}},
	Stdout:  "3 clients, 3 ended\n",
}, func() { // in the loop of select
	var p [2]int
	clients, ended := 0, 0
	sys.Pipe(p[:])
	unp.Signal(unix.SIGCHLD, func(unix.Signal) { sys.Write(p[1], []byte("x")) })
	listenfd := listen(unp.SERV_PORT)
	for ended < 3 {
		sys.Keep(&clients, &ended)
		var rset unix.FdSet
		rset.Set(p[0])
		if clients == ended { // one after the other
			rset.Set(listenfd)
		}
		n, err := sys.Select(max(p[0], listenfd)+1, &rset, nil, nil, nil)
		if n < 0 && err == unix.EINTR {
			continue
		}
		if rset.IsSet(p[0]) {
			sys.Read(p[0], make([]byte, 1))
			for pid, _ := sys.Waitpid(-1, nil, unix.WNOHANG); pid > 0; pid, _ = sys.Waitpid(-1, nil, unix.WNOHANG) {
				ended++
			}
		}
		if rset.IsSet(listenfd) {
			connfd := accept(listenfd)
			clients++
			if unp.Fork() == 0 {
				say(connfd, fmt.Sprintf("client %d, %d ended", clients, ended))
			}
			unp.Close(connfd)
		}
	}
	fmt.Printf("%d clients, %d ended\n", clients, ended)
})

var _ = register("names ahead", prints{
	Clients: []client{{"", "first, one\n"}, {"", "second, two\n"}, {"", "third, three\n"}, {"", "fourth, four\n"}},
	Status:  terminated,
}, func() { // a round begins with a line that the round before has read
	var name, word []byte
	p := make([]int, 2)
	sys.Pipe(p)
	sys.Write(p[1], []byte("first\n"))
	parts := []string{"one\nsecond\n", "two\nthird\n", "three\nfourth\n", "four\nfifth\n"}
	listenfd := listen(unp.SERV_PORT)
	for round := 0; unp.Readline(p[0], &name, unp.MAXLINE) > 0; round++ {
		sys.Keep(&round)
		connfd := accept(listenfd)
		sys.Write(p[1], []byte(parts[round]))
		unp.Readline(p[0], &word, unp.MAXLINE)
		if unp.Fork() == 0 {
			say(connfd, fmt.Sprintf("%s, %s", bytes.TrimSpace(name), bytes.TrimSpace(word)))
		}
		unp.Close(connfd)
	}
})

var _ = register("commands ahead", prints{
	Clients: []client{{"a\nb\nc\n", "a\nb\nc\nend\n"}, {"d\ne\n", "d\ne\nend\n"}},
	Status:  terminated,
}, func() { // in one segment, with a child for each
	var line []byte
	listenfd := listen(unp.SERV_PORT)
	for {
		connfd := accept(listenfd)
		for unp.Readline(connfd, &line, unp.MAXLINE) > 0 {
			if unp.Fork() == 0 {
				unp.Writen(connfd, line)
				os.Exit(0)
			}
			sys.Wait(nil)
		}
		unp.Writen(connfd, []byte("end\n"))
		unp.Close(connfd)
	}
})

var _ = register("commands ahead, with connections", prints{
	Clients: []client{{"a\nb\nc\n", "child a\nchild b\nchild c\n"}},
}, func() { // each command has an accept of its own, so that its round is forgotten
	var line []byte
	listenfd, datafd := listen(unp.SERV_PORT), listen(unp.SERV_PORT+1)
	connfd := accept(listenfd)
	for unp.Readline(connfd, &line, unp.MAXLINE) > 0 {
		client := connect(unp.SERV_PORT + 1)
		data := accept(datafd)
		if unp.Fork() == 0 {
			unp.Writen(connfd, fmt.Appendf(nil, "child %s", line))
			os.Exit(0)
		}
		sys.Wait(nil)
		unp.Close(data)
		unp.Close(client)
	}
})

var _ = register("as much ahead of another", prints{Stdout: "control 2\n"}, func() { // in round 3, which reads no line of its client
	var line []byte
	control, _ := sys.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	unp.Writen(control[1], []byte("control 1\ncontrol 2\n"))
	listenfd := listen(unp.SERV_PORT)
	previous := -1
	for round := 1; round <= 5; round++ {
		sys.Keep(&round, &previous)
		client := connect(unp.SERV_PORT)
		unp.Writen(client, []byte("request 1\nrequest 2\n"))
		unp.Close(client)
		connfd := accept(listenfd)
		from := connfd
		if round == 3 {
			from = control[0]
		}
		unp.Readline(from, &line, unp.MAXLINE)
		if previous >= 0 {
			unp.Close(previous)
		}
		previous = connfd
	}
	inChild(func() {
		unp.Readline(control[0], &line, unp.MAXLINE)
		fmt.Printf("%s", line)
	})
})

var _ = register("end of Stdin in a long round", prints{
	Clients: []client{{"", "child\n"}, {strings.Repeat("u", upload), "parent\n"}, {"", "child\n"}},
	Stdin:   "first\n",
	Status:  terminated,
}, func() { // which is forgotten
	var line []byte
	buf := make([]byte, unp.MAXLINE)
	listenfd := listen(unp.SERV_PORT)
	for {
		sys.Keep(&line)
		unp.Fgets(&line, unp.MAXLINE, unp.Stdin)
		connfd := accept(listenfd)
		if readAll(connfd, buf) > 0 {
			unp.Writen(connfd, []byte("parent\n"))
		} else if unp.Fork() == 0 {
			say(connfd, "child")
		}
		unp.Close(connfd)
	}
})

var _ = register("streams of its own", prints{Stdout: "true\n"}, func() { // what they have read ahead keeps no round on the path
	var line []byte
	listenfd := listen(unp.SERV_PORT)
	for round := 0; round < 100; round++ {
		sys.Keep(&round)
		stream := bufio.NewReader(strings.NewReader("one\ntwo\n"))
		unp.Fgets(&line, unp.MAXLINE, stream)
		serveItself(listenfd)
	}
	inChild(func() { fmt.Println(pathLines() < 100) })
})

var _ = register("two lines every other round", prints{Stdout: "true\n"}, func() { // one is left ahead, and used in the next round
	var line []byte
	var p [2]int
	sys.Pipe(p[:])
	listenfd := listen(unp.SERV_PORT)
	rounds := 0
	for sys.Once(func() int { rounds++; return rounds }) <= 200 {
		sys.OnceFunc(func() {
			if rounds%2 == 1 {
				unix.Write(p[1], []byte("one\ntwo\n"))
			}
		})
		unp.Readline(p[0], &line, unp.MAXLINE)
		serveItself(listenfd)
	}
	inChild(func() { fmt.Println(pathLines() < 100) })
})

var _ = register("closed before Accept", prints{
	Clients: []client{{"", "one\n"}, {"", "two\n"}, {"", "no child\n"}},
	Stdin:   "one" + "two" + strings.Repeat("u", upload) + "end",
	Status:  terminated,
}, func() { // a descriptor from which the last round has read too much, and this one a little
	word := make([]byte, 3)
	listenfd := listen(unp.SERV_PORT)
	for {
		sys.Read(0, word)
		if string(word) == "end" {
			sys.Close(0)
		}
		connfd := accept(listenfd)
		pid, _ := sys.Fork()
		switch {
		case pid == 0:
			say(connfd, string(word))
		case pid < 0:
			unp.Writen(connfd, []byte("no child\n"))
		case string(word) == "two":
			for range upload / 1000 {
				unp.Readn(0, make([]byte, 1000))
			}
		}
		unp.Close(connfd)
	}
})

var _ = register("error of a fork", prints{
	Clients: []client{{strings.Repeat("u", upload), tooMuch + "\n"}, {"", tooMuch + "\n"}, {"", tooMuch + "\n"}},
	Status:  terminated,
}, func() { // in a later child, which finds that of the second client, whose descriptor is open
	var forkError error
	var conns [2]int
	buf := make([]byte, unp.MAXLINE)
	listenfd := listen(unp.SERV_PORT)
	for round := 0; ; round++ {
		sys.Keep(&round, &conns)
		connfd := accept(listenfd)
		readAll(connfd, buf)
		if round == 2 {
			unp.Close(conns[0])
		}
		pid, err := sys.Fork()
		if pid == 0 {
			say(connfd, forkError)
		}
		forkError = err
		if round < 2 {
			unp.Writen(connfd, fmt.Appendln(nil, err))
			sys.Shutdown(connfd, unix.SHUT_WR)
			conns[round] = connfd
		} else {
			unp.Close(connfd)
		}
	}
})
