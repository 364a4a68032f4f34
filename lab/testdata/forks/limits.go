package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp"
	"tcpcliserv/unp/sys"
)

// What the package comment of sys says under Limits, and what is limited by the kernel.

var _ = register("few files", prints{Test: "TestFewDescriptors"}, func() { // how many descriptors the child may have, if it prints on its way
	if _, err := fmt.Println("printed"); err != nil {
		unp.ErrSys(err, "printf error")
	}
	if unp.Fork() == 0 {
		if _, err := fmt.Println("child"); err != nil {
			unp.ErrSys(err, "printf error")
		}
		os.Exit(0)
	}
	wait()
	fmt.Println("parent")
})

var _ = register("few files, elsewhere", prints{Test: "TestFewDescriptors"}, func() {
	sys.OnceFunc(func() { os.Chdir("/") })
	if unp.Fork() == 0 {
		dir, _ := os.Getwd()
		fmt.Println("child in", dir)
		os.Exit(0)
	}
	wait()
})

var _ = register("few files, elsewhere, printed", prints{Test: "TestFewDescriptors"}, func() { // C: printed once
	fmt.Println("printed")
	sys.Chdir("/")
	if unp.Fork() == 0 {
		os.Exit(0)
	}
	wait()
})

var _ = register("distinct places", prints{Stdout: "1600 calls at 1600 places\n"}, func() { // 40 calls of a function of 40 calls
	outer()
	if unp.Fork() == 0 {
		environ, _ := os.ReadFile("/proc/self/environ")
		text := strings.ReplaceAll(string(environ), "\x00UNP_FORK1=", "") // where the path is cut, even in the middle of a line
		places := map[string]int{}
		calls := 0
		for line := range strings.Lines(text) {
			if strings.Contains(line, "getpid()") {
				place, _, _ := strings.Cut(line, " ")
				places[place]++
				calls++
			}
		}
		fmt.Println(calls, "calls at", len(places), "places")
		os.Exit(0)
	}
	sys.Wait(nil)
})

//go:noinline
func call() { sys.Getpid() }

//go:noinline
func inner() {
	call()
	call()
	call()
	call()
	call()
	call()
	call()
	call()
	call()
	call()
	call()
	call()
	call()
	call()
	call()
	call()
	call()
	call()
	call()
	call()
	call()
	call()
	call()
	call()
	call()
	call()
	call()
	call()
	call()
	call()
	call()
	call()
	call()
	call()
	call()
	call()
	call()
	call()
	call()
	call()
}

//go:noinline
func outer() {
	inner()
	inner()
	inner()
	inner()
	inner()
	inner()
	inner()
	inner()
	inner()
	inner()
	inner()
	inner()
	inner()
	inner()
	inner()
	inner()
	inner()
	inner()
	inner()
	inner()
	inner()
	inner()
	inner()
	inner()
	inner()
	inner()
	inner()
	inner()
	inner()
	inner()
	inner()
	inner()
	inner()
	inner()
	inner()
	inner()
	inner()
	inner()
	inner()
	inner()
}

var _ = register("ratio of many sockets", prints{Test: "TestInProportion"}, func() {
	// prints how much longer a socket takes when there have been many
	few := perSocket(3000)
	perSocket(50_000)
	fmt.Printf("%.2f\n", perSocket(3000)/few)
})

// perSocket returns how many seconds of the processor one of so many sockets takes, made and closed.
func perSocket(n int) float64 {
	runtime.GC()
	began := used()
	for range n {
		unp.Close(unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0))
	}
	return (used() - began) / float64(n)
}

// used returns the processor time that main's thread has used, in seconds, which other programs
// do not add to.
func used() float64 {
	var now unix.Timespec
	unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now)
	return time.Duration(now.Nano()).Seconds()
}

var _ = register("ratio of accepts", prints{Test: "TestInProportion"}, func() {
	// prints how much longer an accept takes when many calls have been made before
	few := perAccept(300)
	for range 40_000 {
		sys.Lseek(0, 0, unix.SEEK_CUR)
	}
	fmt.Printf("%.2f\n", perAccept(300)/few)
})

// perAccept returns how many seconds of the processor one of so many connections takes.
func perAccept(n int) float64 {
	listenfd := unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	unp.Listen(listenfd, unp.LISTENQ)
	var sa sys.SockaddrIn
	salen := sys.Sizeof(sa)
	sys.Getsockname(listenfd, &sa, &salen)
	sa.Addr = sys.Htonl(0x7f000001)
	to := &unix.SockaddrInet4{Port: int(sys.Ntohs(sa.Port)), Addr: sa.Addr}
	runtime.GC()
	began := used()
	for range n {
		client, _ := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		unix.Connect(client, to)
		unp.Close(accept(listenfd))
		unix.Close(client)
	}
	took := (used() - began) / float64(n)
	unp.Close(listenfd)
	return took
}

var _ = register("privileges given up", prints{Test: "TestPrivileges"}, func() { // for a while, by root; C: the child has root's back
	sys.OnceFunc(func() { unix.Setresuid(-1, 65534, -1) })
	if unp.Fork() == 0 {
		fmt.Println(unix.Setresuid(-1, 0, -1))
		os.Exit(0)
	}
	wait()
	fmt.Println("parent")
})

var _ = register("set-user-ID", prints{
	Test:   "TestPrivileges",
	Stdout: "the result is 1\n",
	Stderr: "fork error: A program that has the privileges of another user cannot execute itself again\n",
	Status: 1,
}, func() { // C: the child runs
	n := sys.Once(func() int { return 1 })
	fmt.Println("the result is", n)
	if unp.Fork() == 0 {
		fmt.Println("child of", n)
	}
})

var _ = register("ld.so", prints{Test: "TestRunners"}, func() {
	if unp.Fork() == 0 {
		fmt.Println("child")
		os.Exit(0)
	}
	sys.Wait(nil)
	fmt.Println("parent")
})

var _ = register("closes all descriptors", prints{Test: "TestCrash"}, func() { // as daemons do; C: 0, and it prints
	r, w, _ := os.Pipe()
	go r.Read(make([]byte, 1)) // so that the runtime has descriptors of its own
	for range 10 {
		time.Sleep(time.Millisecond)
	}
	for fd := 3; fd < 64; fd++ {
		if fd != int(w.Fd()) {
			unix.Close(fd)
		}
	}
	time.Sleep(10 * time.Millisecond)
	fmt.Println("it runs")
})

var _ = register("program that may not be executed again", prints{Stderr: "fork error: Permission denied\n", Status: 1, Test: "TestPrivileges"}, func() { // C: the child runs
	unix.Setresuid(65534, 65534, 65534)
	if unp.Fork() == 0 {
		fmt.Println("child")
	}
})

var _ = register("path that execve does not take", prints{Under: []string{"prlimit", "--stack=600000"}, Stderr: "fork error: Argument list too long\n", Status: 1}, func() { // C: the child runs
	for range 10_000 {
		sys.Getpid()
	}
	if unp.Fork() == 0 {
		fmt.Println("child")
	}
})

var _ = register("more steps than any path", prints{Stdout: "argument list too long\nargument list too long\n"}, func() { // C: the child runs
	for range 150_000 {
		sys.Getppid()
	}
	for range 2 {
		_, err := sys.Fork()
		fmt.Println(err)
	}
})

var _ = register("more steps in finished rounds", prints{Stdout: "child\n"}, func() { // most of them in the first one
	listenfd := listen(unp.SERV_PORT)
	for round, calls := 1, 140_000; round <= 200; round, calls = round+1, 100 {
		sys.Keep(&round, &calls)
		for range calls {
			sys.Getppid()
		}
		serveItself(listenfd)
		if round == 200 {
			inChild(func() { fmt.Println("child") })
		}
	}
})

var _ = register("more bytes than any path", prints{
	Clients: []client{{"", "served\n"}, {"x", "argument list too long\n"}, {"", "served\n"}},
	Status:  terminated,
}, func() { // until the round is forgotten; C: the second client is served too
	listenfd := listen(unp.SERV_PORT)
	much := func() []byte { return make([]byte, 256<<10) }
	for {
		connfd := accept(listenfd)
		n, _ := sys.Read(connfd, make([]byte, 1))
		if n == 1 {
			for range 80 {
				sys.Once(much)
			}
			_, err := sys.Fork()
			unp.Writen(connfd, fmt.Appendln(nil, err))
		} else if unp.Fork() == 0 {
			say(connfd, "served")
		}
		unp.Close(connfd)
	}
})

var _ = register("many stacks", prints{Test: "TestMemory"}, func() { // prints how many megabytes main uses
	devNull, _ := sys.Open("/dev/null", unix.O_WRONLY, 0)
	var towers func(disks int)
	towers = func(disks int) {
		if disks == 0 {
			return
		}
		towers(disks - 1)
		sys.Write(devNull, []byte("x"))
		towers(disks - 1)
	}
	towers(19)
	var usage unix.Rusage
	unix.Getrusage(unix.RUSAGE_SELF, &usage)
	fmt.Println(usage.Maxrss >> 10)
})

var _ = register("kept beyond the bound", prints{Test: "TestMemory"}, func() { // prints how many megabytes main uses
	var table [16 << 10]byte
	var p [2]int
	sys.Pipe(p[:])
	buf := make([]byte, 1)
	for n := range 12_000 {
		sys.Keep(&table)
		table[n%len(table)]++
		sys.Write(p[1], buf)
		sys.Read(p[0], buf)
	}
	var usage unix.Rusage
	unix.Getrusage(unix.RUSAGE_SELF, &usage)
	fmt.Println(usage.Maxrss >> 10)
})

var _ = register("ratio of idle rounds", prints{Test: "TestInProportion"}, func() { // prints how much longer a poll takes at the bound of what main reads
	few := perPoll(900)
	zeros, _ := sys.Open("/dev/zero", unix.O_RDONLY, 0)
	for range 997 {
		sys.Read(zeros, make([]byte, 1))
	}
	fmt.Printf("%.2f\n", perPoll(3000)/few)
})

// perPoll returns how many seconds of the processor one of so many polls takes.
func perPoll(n int) float64 {
	began := used()
	for range n {
		sys.Poll(nil, 0)
	}
	return (used() - began) / float64(n)
}

var _ = register("ratio of pairs", prints{Test: "TestInProportion"}, func() { // prints how much longer Fork takes, per pair of calls, when there are many
	few := perPair(2000)
	fmt.Printf("%.2f\n", perPair(8000)/few)
})

// perPair makes pairs of equal calls, and receives a datagram, which ends a round. It returns how
// many seconds of the processor Fork takes for one pair.
func perPair(n int) float64 {
	fd, _ := sys.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	for i := range int64(n) {
		for range 2 {
			sys.Lseek(0, i, unix.SEEK_SET)
		}
	}
	sendToItself(fd, []byte("x"), make([]byte, 1))
	began := used()
	pid, _ := sys.Fork()
	if pid == 0 {
		os.Exit(0)
	}
	return (used() - began) / float64(n)
}

var _ = register("noexec", prints{Test: "TestMounts", Stderr: "fork error: No such file or directory\n", Status: 1}, func() { // proc is empty
	if err := unix.Mount("none", "/proc", "tmpfs", 0, ""); err != nil {
		panic(err)
	}
	unp.Fork()
})

var _ = register("SIGSEGV", prints{Test: "TestCrash"}, func() {
	unix.Kill(unix.Getpid(), unix.SIGSEGV)
	sys.Sleep(100)
})

var _ = register("chroot", prints{Test: "TestMounts", Stderr: "fork error: No such file or directory\n", Status: 1}, func() { // to where there is no /proc
	if err := unix.Chroot(os.Args[2]); err != nil {
		panic(err)
	}
	unp.Fork()
})

var _ = register("writes", prints{Test: "TestWriteOfNothing", Stderr: "writen error: Success\n", Status: 1}, func() { // a line, of which the kernel takes nothing
	unp.Writen(1, []byte("hello\n"))
})
