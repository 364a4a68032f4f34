package main

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp"
	"tcpcliserv/unp/sys"
)

// What is printed, is printed once.

var _ = register("number of standard output", prints{Stdout: "before\nchild 1\nby its number\nparent 1\n", Stderr: "to 2\n"}, func() {
	fmt.Println("before")
	if unp.Fork() == 0 {
		fmt.Println("child", os.Stdout.Fd())
		unix.Write(int(os.Stdout.Fd()), []byte("by its number\n"))
		unix.Write(int(os.Stderr.Fd()), []byte("to 2\n"))
		os.Exit(0)
	}
	sys.Wait(nil)
	fmt.Println("parent", os.Stdout.Fd())
})

var _ = register("dup2 onto its number", prints{Stdout: "before\n0 <nil>\n"}, func() { // what was printed on the way does not appear there
	var p [2]int
	sys.Pipe(p[:])
	fmt.Println("before")
	sys.Dup2(p[1], int(os.Stdout.Fd()))
	fmt.Print("into the pipe")
	if unp.Fork() == 0 {
		os.Exit(0)
	}
	sys.Wait(nil)
	fds := []unix.PollFd{{Fd: int32(p[0]), Events: unix.POLLIN}}
	unp.Readn(p[0], make([]byte, len("into the pipe")))
	n, err := sys.Poll(fds, 0)
	unp.Writen(2, nil)
	out, _ := unix.Open("/proc/self/fd/2", unix.O_WRONLY, 0)
	unix.Close(out)
	restored(fmt.Sprintln(n, err))
})

var _ = register("prints in a goroutine", prints{Stdout: "x\n0\n"}, func() { // while main arrives; TestRaces looks for races
	var stat unix.WaitStatus
	fmt.Println("x")
	sys.OnceFunc(func() {})
	go func() {
		for {
			fmt.Print("")
			fmt.Fprint(os.Stderr, "")
			println()
			time.Sleep(time.Microsecond)
		}
	}()
	if unp.Fork() == 0 {
		os.Exit(0)
	}
	sys.Wait(&stat)
	fmt.Println(stat.ExitStatus())
})
