//go:build linux

package sys_test

import (
	"fmt"
	"math/rand/v2"
	"os"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp/sys"
)

// A parent makes a socket and forks a child, which has the same socket.
func ExampleFork() {
	var stat unix.WaitStatus

	fd, _ := sys.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)

	pid, _ := sys.Fork()
	if pid == 0 { // child process
		typ, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
		os.Exit(typ)
	}
	sys.Close(fd) // parent closes its socket

	sys.Waitpid(pid, &stat, 0)
	fmt.Println("the child exited with", stat.ExitStatus())
	// Output: the child exited with 2
}

// A random number is drawn once, and the child has the same.
func ExampleOnce() {
	var stat unix.WaitStatus

	number := sys.Once(func() int { return 1 + rand.IntN(100) })

	pid, _ := sys.Fork()
	if pid == 0 { // child process
		os.Exit(number)
	}

	sys.Waitpid(pid, &stat, 0)
	fmt.Println("the child has the same number:", stat.ExitStatus() == number)
	// Output: the child has the same number: true
}

// A loop counts the datagrams that it receives, and a child has the count as its parent left it.
// Without Keep the third child would exit with 2: by then the first round is forgotten, but not
// the second, because no later round has called Waitpid yet.
func ExampleKeep() {
	var from sys.SockaddrUn
	var stat unix.WaitStatus

	fd, _ := sys.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	buf := make([]byte, 4)
	n := 0
	for n < 3 {
		sys.Keep(&n)
		sys.Send(fd[0], []byte("ping"), 0)
		fromlen := sys.Sizeof(from)
		sys.Recvfrom(fd[1], buf, 0, &from, &fromlen)
		n++

		pid, _ := sys.Fork()
		if pid == 0 { // child process
			os.Exit(n)
		}
		sys.Waitpid(pid, &stat, 0)
		fmt.Println("a child exited with", stat.ExitStatus())
	}
	// Output:
	// a child exited with 1
	// a child exited with 2
	// a child exited with 3
}

// A handler is installed, called and removed.
func ExampleSigaction() {
	var act, oact sys.Sigaction_t

	act.Handler = func(signo unix.Signal) { fmt.Println("caught:", signo) }
	sys.Sigemptyset(&act.Mask)
	act.Flags = sys.SA_RESTART
	sys.Sigaction(unix.SIGUSR1, &act, &oact)

	sys.Kill(sys.Getpid(), unix.SIGUSR1)

	sys.Sigaction(unix.SIGUSR1, &oact, nil)
	// Output: caught: user defined signal 1
}
