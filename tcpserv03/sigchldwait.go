package main

import (
	"fmt"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp/sys"
)

// sigChld waits for one child, even if several have ended.
//
// Figure 5.7; lecture notes: Handling SIGCHLD Signals.
func sigChld(signo unix.Signal) {
	var pid int
	var stat unix.WaitStatus

	pid, _ = sys.Wait(&stat)
	fmt.Printf("child %d terminated\n", pid)
	return
}
