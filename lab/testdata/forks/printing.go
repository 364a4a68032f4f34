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

var _ = register("dup2 onto its number", prints{Stdout: "before\n13 into the pipe\n"}, func() {
	// what main prints there on its way, the child does not print again
	var p [2]int
	buf := make([]byte, 100)
	sys.Pipe(p[:])
	saved, _ := sys.Dup(1)
	fmt.Println("before")
	sys.Dup2(p[1], int(os.Stdout.Fd()))
	fmt.Print("into the pipe")
	if unp.Fork() == 0 {
		os.Exit(0)
	}
	sys.Wait(nil)
	sys.Dup2(saved, 1)
	n, _ := sys.Read(p[0], buf)
	fmt.Println(n, string(buf[:n]))
})

var _ = register("prints in a goroutine", prints{Stdout: "x\n0\n"}, func() { // while main arrives; TestRaces looks for races
	var stat unix.WaitStatus
	fmt.Println("x")
	sys.OnceFunc(func() {})
	go func() {
		for {
			fmt.Print("")
			time.Sleep(time.Microsecond)
		}
	}()
	if unp.Fork() == 0 {
		os.Exit(0)
	}
	sys.Wait(&stat)
	fmt.Println(stat.ExitStatus())
})
