package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"
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

var _ = register("printers", prints{Stdout: "once\nonce by Fputs\nchild\n", Stderr: "once on standard error\nonce by println\nchild on standard error\n"}, func() { // made before Fork, they print after it
	out := bufio.NewWriter(os.Stdout)
	fmt.Fprintln(out, "once")
	out.Flush()
	fmt.Fprintln(os.Stderr, "once on standard error")
	unp.Fputs([]byte("once by Fputs\n"), os.Stdout)
	println("once by println")
	os.Stdout = os.Stderr
	if unp.Fork() == 0 {
		fmt.Fprintln(out, "child")
		out.Flush()
		fmt.Println("child on standard error")
		os.Exit(0)
	}
	wait()
})

var _ = register("inet_pton", prints{Test: "FuzzInetPton"}, func() {
	var addr [4]byte
	unp.InetPton(unix.AF_INET, os.Args[2], &addr)
	os.Stdout.Write(addr[:])
})

var _ = register("prints", prints{Test: "TestPrintedOnce"}, func() {
	fmt.Println("before socket")
	listenfd := listen(unp.SERV_PORT)
	fmt.Println("after listen")
	for {
		connfd := accept(listenfd)
		fmt.Println("after accept")
		if unp.Fork() == 0 {
			fmt.Println("in the child")
			unp.StrEcho(connfd)
			os.Exit(0)
		}
		unp.Close(connfd)
	}
})

var _ = register("broken standard output", prints{Test: "TestBrokenStandardOutput"}, func() {
	switch os.Args[2] {
	case "ignored":
		unp.Signal(unix.SIGPIPE, sys.SIG_IGN)
	case "caught":
		unp.Signal(unix.SIGPIPE, func(unix.Signal) { unp.ErrQuit("caught") })
	case "ignored in a child":
		unp.Signal(unix.SIGPIPE, sys.SIG_IGN)
		if unp.Fork() != 0 {
			wait()
			os.Exit(1)
		}
	}
	_, err := fmt.Println("nobody reads this")
	sys.Sleep(0) // the handler runs
	unp.ErrQuit("printf fails: %v", err != nil)
})

var _ = register("closed standard files", prints{Stderr: "<nil> false\n"}, func() {
	os.Stdin.Close()
	os.Stdout.Close()
	pid := unp.Fork()
	if pid == 0 {
		time.Sleep(200 * time.Millisecond)
		os.Exit(0)
	}
	err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	state, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	fmt.Fprintln(os.Stderr, err, strings.Contains(string(state), ") Z "))
})

var _ = register("kill itself", prints{Stdout: "caught\nprinted\n", Status: 3}, func() {
	unp.Signal(unix.SIGUSR1, func(unix.Signal) { fmt.Println("caught") })
	unix.Kill(unix.Getpid(), unix.SIGUSR1)
	sys.Sleep(0)
	fmt.Println("printed")
	os.Exit(3)
})

var (
	_ = register("error without a text", prints{Stderr: "x: \n", Status: 1}, func() { unp.ErrSys(errors.New(""), "x") })
	_ = register("error in another language", prints{Stderr: "x: Été\n", Status: 1}, func() { unp.ErrSys(errors.New("été"), "x") })
	_ = register("error without a text in Go", prints{Stderr: "x: Memory page has hardware error\n", Status: 1}, func() { unp.ErrSys(unix.EHWPOISON, "x") })
	_ = register("error 0", prints{Stderr: "x: Success\n", Status: 1}, func() { unp.ErrSys(unix.Errno(0), "x") })
	_ = register("error that is none", prints{Stderr: "x: Success\n", Status: 1}, func() { unp.ErrSys(nil, "x") })
)
