package main

import (
	"fmt"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp/sys"
)

// sigChld waits for every child that has ended, however many signals arrived.
//
// Figure 5.11; lecture notes: wait and waitpid Functions.
func sigChld(signo unix.Signal) {
	var pid int
	var stat unix.WaitStatus

	for pid, _ = sys.Waitpid(-1, &stat, unix.WNOHANG); pid > 0; pid, _ = sys.Waitpid(-1, &stat, unix.WNOHANG) {
		fmt.Printf("child %d terminated\n", pid)
	}
	return
}
