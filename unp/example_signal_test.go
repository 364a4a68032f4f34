//go:build linux

package unp_test

import (
	"fmt"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp"
)

// A handler is installed, called, and taken back.
func ExampleSignal() {
	caught := make(chan unix.Signal)
	old := unp.Signal(unix.SIGUSR1, func(signo unix.Signal) { caught <- signo })

	unix.Kill(unix.Getpid(), unix.SIGUSR1)
	fmt.Println("caught:", <-caught)

	unp.Signal(unix.SIGUSR1, old)
	// Output: caught: user defined signal 1
}
