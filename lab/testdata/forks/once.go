package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp"
	"tcpcliserv/unp/sys"
)

// Once: what main does otherwise than through sys.

var _ = register("once", prints{Test: "FuzzForkState"}, func() { // a path with a socket and values of all kinds
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
})

var _ = register("spare capacity", prints{Stdout: "4 4, in the child 4 4\n"}, func() { // a slice loses it in Once
	b := sys.Once(func() []byte { return make([]byte, 4, 100) })
	fmt.Print(len(b), " ", cap(b))
	inChild(func() { fmt.Println(", in the child", len(b), cap(b)) })
})

var _ = register("once before accept", prints{Clients: []client{{"", "1\n"}, {"", "2\n"}, {"", "3\n"}}, Status: terminated}, func() {
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
})

var _ = register("once after accept", prints{Clients: []client{{"", "1\n"}, {"", "2\n"}, {"", "3\n"}}, Status: terminated}, func() {
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
})

var _ = register("once in the head", prints{Clients: []client{{"", "1\n"}, {"", "2\n"}, {"", "3\n"}}, Status: terminated}, func() {
	listenfd := listen(unp.SERV_PORT)
	for clients := 0; sys.Once(func() bool { clients++; return true }); {
		connfd := accept(listenfd)
		n := sys.Once(func() int { return clients })
		if unp.Fork() == 0 {
			say(connfd, n)
		}
		unp.Close(connfd)
	}
})

var _ = register("once under a condition", prints{Clients: []client{{"", "1 false\n"}, {"", "2 true\n"}, {"", "3 false\n"}}, Status: terminated}, func() { // that a Once has found
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
})

var _ = register("once in some rounds", prints{Clients: []client{{"", "1 10\n"}, {"", "2 10\n"}, {"", "3 30\n"}}, Status: terminated}, func() {
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
})

var _ = register("once in odd rounds", prints{Clients: []client{{"", "1\n"}, {"", "2\n"}}, Status: terminated}, func() { // as the child counts them
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
})

var _ = register("start-up in one Once", prints{Clients: []client{{"", "3 4\n"}, {"", "3 4\n"}, {"", "3 4\n"}}, Status: terminated}, func() { // in small letters
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
})

var _ = register("typed", prints{Stdout: typedValues}, func() {
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
})

var _ = register("nested", prints{Stdout: "3 datagram 4 stream\n"}, func() {
	fd := sys.Once(func() int {
		unp.Close(unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0))
		return sys.Once(func() int { return unp.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0) })
	})
	other := unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	inChild(func() { fmt.Println(fd, socketType(fd), other, socketType(other)) })
})

var _ = register("Once in a handler", prints{Stdout: "2\n"}, func() {
	n := 0
	unp.Signal(unix.SIGUSR1, func(unix.Signal) { n = sys.Once(func() int { return n + 1 }) })
	for range 2 {
		sys.OnceFunc(func() { unix.Kill(unix.Getpid(), unix.SIGUSR1) })
	}
	sys.Keep(&n)
	inChild(func() { fmt.Println(n) })
})

var _ = register("many steps", prints{Stdout: "199990000\n"}, func() { // which do not fit into one variable
	sum := 0
	for i := range 20_000 {
		sum += sys.Once(func() int { return i })
	}
	inChild(func() { fmt.Println(sum) })
})

var _ = register("chdir once", prints{Stdout: "/sub\n"}, func() {
	os.Mkdir("sub", 0o700)
	sys.Once(func() error { return unix.Chdir("sub") })
	inChild(func() {
		inChild(func() { dir, _ := os.Getwd(); fmt.Println(dir[strings.LastIndexByte(dir, '/'):]) })
	})
})

var _ = register("read one byte", prints{Stdout: "x y\n"}, func() {
	var p [2]int
	sys.Pipe(p[:])
	sys.Write(p[1], []byte("xy"))
	c := sys.Once(func() byte { b := make([]byte, 1); sys.Read(p[0], b); return b[0] })
	inChild(func() { b := make([]byte, 1); sys.Read(p[0], b); fmt.Printf("%c %s\n", c, b) })
})

var _ = register("read a line", prints{Stdin: "one\n", Stdout: "\"one\\n\" true\n"}, func() {
	line := sys.Once(func() []byte { var line []byte; return unp.Fgets(&line, unp.MAXLINE, unp.Stdin) })
	end := sys.Once(func() []byte { var line []byte; return unp.Fgets(&line, unp.MAXLINE, unp.Stdin) })
	inChild(func() { fmt.Printf("%q %v\n", line, end == nil) })
})

var _ = register("read ahead", prints{Stdin: "one\ntwo\n", Stderr: "fork error: something was read ahead inside Once, and a child would not find the rest; outside it, a child gets what main has read\n", Status: 1}, func() {
	// C: the child prints two
	sys.Once(func() []byte { var line []byte; return unp.Fgets(&line, unp.MAXLINE, unp.Stdin) })
	inChild(func() { var line []byte; fmt.Printf("%s", unp.Fgets(&line, unp.MAXLINE, unp.Stdin)) })
})

var _ = register("read ahead before", prints{Stdin: "one\ntwo\n", Stderr: "fork error: main uses inside Once what it had read ahead before, and a child would find that again\n", Status: 1}, func() {
	// C: the child prints nothing
	var line []byte
	unp.Fgets(&line, unp.MAXLINE, unp.Stdin)
	sys.OnceFunc(func() { unp.Fgets(&line, unp.MAXLINE, unp.Stdin) })
	inChild(func() { fmt.Printf("%s", unp.Fgets(&line, unp.MAXLINE, unp.Stdin)) })
})

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

var _ = register("value of more", prints{Stderr: "fork error: a child can be given a value of at most 262144 bytes, not 262145, as once.go:<asks> asks\n", Status: 1}, func() {
	sys.Once(func() []byte { return make([]byte, 256<<10+1) }) // <asks>
})

const typedValues = `-7 0 -7 1
0xc8 0 0xc8 1
2.5 0 2.5 1
true 0 true 1
[3]int16{1, -2, 3} 0 [3]int16{1, -2, 3} 1
main.point{X:1, Y:-2, Valid:true, Name:[4]uint8{0x61, 0x0, 0x0, 0x0}} 0 main.point{X:1, Y:-2, Valid:true, Name:[4]uint8{0x61, 0x0, 0x0, 0x0}} 1
"a string\x00" 0 "a string\x00" 1
"" 0 "" 1
"a label" 0 "a label" 1
[]byte{0x62, 0x79, 0x74, 0x65, 0x73} 0 []byte{0x62, 0x79, 0x74, 0x65, 0x73} 1
[]byte{} 0 []byte{} 1
[]byte(nil) 0 []byte(nil) 1
[]int{1, 2, 3} 0 []int{1, 2, 3} 1
<nil> 0 <nil> 1
0x2 0 0x2 1
0xb 0 0xb 1
struct {}{} 0 struct {}{} 1
`
