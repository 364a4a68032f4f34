//go:build linux

package unp_test

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp"
)

// A parent makes a socket and forks a child, which has the same socket.
func ExampleFork() {
	var stat unix.WaitStatus

	fd := unp.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)

	pid := unp.Fork()
	if pid == 0 { // child process
		typ, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
		os.Exit(typ)
	}
	unp.Close(fd) // parent closes its socket

	unp.SysWaitpid(pid, &stat, 0)
	fmt.Println("the child exited with", stat.ExitStatus())
	// Output: the child exited with 2
}
