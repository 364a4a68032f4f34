package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// sigChld waits for every child that has ended, however many signals came.
//
// Figure 5.11; notes: wait and waitpid Functions.
func sigChld(signo unix.Signal) {
	var pid int
	var stat unix.WaitStatus

	for {
		if pid, _ = unix.Wait4(-1, &stat, unix.WNOHANG, nil); pid <= 0 { // waitpid(-1, &stat, WNOHANG)
			break
		}
		fmt.Printf("child %d terminated\n", pid)
	}
	return
}
