// Forks does what its argument names: programs that a reader may make of a listing.
//
//	forks NAME [ARGUMENT ...]   runs a program
//	forks -list                 prints all of them, and what they must print, as JSON
package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"
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
	p := programs[os.Args[1]]
	if p == nil {
		unp.ErrQuit("no program is named %q", os.Args[1])
	}
	p.run() // <run>
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

// connect returns a client of this host's own server.
func connect(port uint16) int {
	sa := sys.SockaddrIn{Family: unix.AF_INET, Port: sys.Htons(port), Addr: sys.Htonl(0x7f000001)}
	fd := unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	unp.Connect(fd, &sa, sys.Sizeof(sa))
	return fd
}

// serveItself accepts a client of its own, which leaves at once.
func serveItself(listenfd int) {
	client := connect(unp.SERV_PORT)
	connfd := accept(listenfd)
	unp.Close(client)
	unp.Close(connfd)
}

// pathLines returns how many lines this child was given.
func pathLines() int {
	environ, _ := os.ReadFile("/proc/self/environ")
	return bytes.Count(environ, []byte("\n"))
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

// mainIn returns when main sleeps in the system call.
func mainIn(call int) { awaitThread(unix.Getpid(), call) }

// awaitThread returns when a thread of this process sleeps in the system call.
func awaitThread(thread, call int) {
	for !threadIn(thread, call) {
		time.Sleep(time.Millisecond)
	}
}

// threadIn tells whether a thread of this process sleeps in the system call.
func threadIn(thread, call int) bool {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/syscall", thread))
	return strings.HasPrefix(string(b), fmt.Sprint(call, " "))
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
