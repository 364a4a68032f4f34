package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp"
	"tcpcliserv/unp/sys"
)

// Signals and their handlers.

var _ = register("handler waits for another while main forks", prints{Stdout: "200\n"}, func() { waitsForAnother(200, forkAndWait) })

var _ = register("handler waits for another while main blocks", prints{Stdout: "5000\n"}, func() { waitsForAnother(5000, blockAndUnblock) })

// waitsForAnother has main do something as often as that, while a handler waits for what
// another handler does, which in C interrupts it.
func waitsForAnother(times int, do func()) {
	var flag atomic.Bool
	parent := sys.Getpid()
	unp.Signal(unix.SIGUSR1, func(unix.Signal) { flag.Store(true) })
	unp.Signal(unix.SIGUSR2, func(unix.Signal) {
		flag.Store(false)
		unix.Kill(unix.Getpid(), unix.SIGUSR1)
		for !flag.Load() {
			unix.Nanosleep(&unix.Timespec{Nsec: 10_000}, nil)
		}
	})
	if parent == unix.Getpid() {
		go func() {
			for {
				unix.Kill(parent, unix.SIGUSR2)
				time.Sleep(200 * time.Microsecond)
			}
		}()
	}
	for range times {
		do()
	}
	fmt.Println(times)
}

func forkAndWait() {
	pid := unp.Fork()
	if pid == 0 {
		os.Exit(0)
	}
	for got, _ := sys.Waitpid(pid, nil, 0); got < 0; got, _ = sys.Waitpid(pid, nil, 0) {
	}
}

func blockAndUnblock() {
	var set, old unix.Sigset_t
	sys.Sigaddset(&set, unix.SIGUSR1)
	sys.Sigaddset(&set, unix.SIGUSR2)
	unp.Sigprocmask(unix.SIG_BLOCK, &set, &old)
	unp.Sigprocmask(unix.SIG_SETMASK, &old, nil)
}

var _ = register("profiled", prints{Stdout: "<nil> profiled\n<nil> profiled\n"}, func() { // by SIGPROF
	profile := func() {
		err := pprof.StartCPUProfile(io.Discard)
		for begin := time.Now(); time.Since(begin) < 50*time.Millisecond; {
		}
		pprof.StopCPUProfile()
		fmt.Println(err, "profiled")
	}
	if unp.Fork() == 0 {
		profile()
		os.Exit(0)
	}
	sys.Wait(nil)
	profile()
})

var _ = register("profiled on the way", prints{Stdout: "child\nparent\n"}, func() { // through Fork
	pprof.StartCPUProfile(io.Discard)
	for begin := time.Now(); time.Since(begin) < 50*time.Millisecond; {
	}
	if unp.Fork() == 0 {
		fmt.Println("child")
		os.Exit(0)
	}
	sys.Wait(nil)
	pprof.StopCPUProfile()
	fmt.Println("parent")
})

var _ = register("executed by a goroutine", prints{Stdout: blocksNothing + blocksNothing}, func() { // of the child, and of its parent
	var set unix.Sigset_t
	execute := func() {
		done := make(chan bool)
		for range 2 {
			go func() {
				runtime.LockOSThread()
				out, _ := exec.Command("grep", "SigBlk", "/proc/self/status").Output()
				fmt.Print(string(out))
				done <- true
			}()
		}
		<-done
		<-done
	}
	unp.Signal(unix.SIGUSR1, sys.SIG_IGN)
	unp.Signal(unix.SIGUSR2, func(unix.Signal) {})
	unp.Signal(sigrtmin, func(unix.Signal) {})
	sys.Sigaddset(&set, unix.SIGALRM)
	unp.Sigprocmask(unix.SIG_BLOCK, &set, nil)
	unp.Sigprocmask(unix.SIG_UNBLOCK, &set, nil)
	if unp.Fork() == 0 {
		execute()
		os.Exit(0)
	}
	sys.Wait(nil)
	execute()
})

const blocksNothing = "SigBlk:\t0000000000000000\nSigBlk:\t0000000000000000\n"

var _ = register("closed by a goroutine", prints{Stdout: "0\n"}, func() { // its own descriptor, not the one for which main waits
	var p [2]int
	sys.Pipe(p[:])
	unp.Signal(unix.SIGUSR1, func(unix.Signal) {})
	var stop atomic.Bool
	go func() {
		for !stop.Load() {
			fd, _ := unix.Dup(p[1])
			sys.Close(fd)
		}
	}()
	interrupted := 0
	for range 200 {
		if _, err := sys.Poll([]unix.PollFd{{Fd: int32(p[0]), Events: unix.POLLIN}}, 1); err != nil {
			interrupted++
		}
	}
	stop.Store(true)
	fmt.Println(interrupted)
})

var _ = register("Setuid of a goroutine", prints{Stdout: "interrupted system call\n1 <nil>\n"}, func() {
	// for which the runtime sends signal 33: it interrupts nothing, even after main has been woken by it
	var p [2]int
	unix.PthreadSigmask(unix.SIG_BLOCK, &unix.Sigset_t{Val: [16]uint64{1 << (unix.SIGUSR1 - 1)}}, nil)
	unp.SignalIntr(unix.SIGUSR1, func(unix.Signal) {})
	sys.Pipe(p[:])
	go func() {
		mainIn(unix.SYS_READ)
		unix.Kill(unix.Getpid(), unix.SIGUSR1)
	}()
	_, err := sys.Read(p[0], make([]byte, 1))
	fmt.Println(err)
	go func() {
		mainIn(unix.SYS_READ)
		for range 20 {
			unix.Setuid(os.Getuid())
		}
		unix.Write(p[1], []byte("x"))
	}()
	n, err := sys.Read(p[0], make([]byte, 1))
	fmt.Println(n, err)
})

var _ = register("handler that reads", prints{Stdout: "x <nil>\n"}, func() { // is not interrupted by its own signal
	var p [2]int
	sys.Pipe(p[:])
	reads := make(chan int)
	unp.SignalIntr(unix.SIGUSR1, func(unix.Signal) {
		buf := make([]byte, 1)
		reads <- unix.Gettid()
		_, err := unix.Read(p[0], buf)
		fmt.Println(string(buf), err)
		os.Exit(0)
	})
	go func() {
		thread := <-reads
		for range 20 {
			for !threadIn(thread, unix.SYS_READ) {
				time.Sleep(time.Millisecond)
			}
			unix.Kill(unix.Getpid(), unix.SIGUSR1)
			time.Sleep(time.Millisecond)
		}
		unix.Write(p[1], []byte("x"))
	}()
	sys.Kill(sys.Getpid(), unix.SIGUSR1)
	sys.Sleep(10)
})

// threadIn tells whether a thread of this process sleeps in the system call.
func threadIn(thread, call int) bool {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/syscall", thread))
	return strings.HasPrefix(string(b), fmt.Sprint(call, " "))
}

var _ = register("handler that exits", prints{Stdout: "begins\nbegins\nchild\nmain has gone on\n"}, func() { // by runtime.Goexit, twice
	unp.Signal(unix.SIGUSR1, func(unix.Signal) {
		fmt.Println("begins")
		runtime.Goexit()
	})
	for range 2 {
		sys.Kill(sys.Getpid(), unix.SIGUSR1)
		sys.Sleep(0)
	}
	if unp.Fork() == 0 {
		fmt.Println("child")
		os.Exit(0)
	}
	sys.Wait(nil)
	fmt.Println("main has gone on")
})

var _ = register("handler that panics", prints{Test: "TestCrash"}, func() {
	unp.Signal(unix.SIGUSR1, func(unix.Signal) { panic("the handler's") })
	sys.Kill(sys.Getpid(), unix.SIGUSR1)
	sys.Sleep(10)
})

var _ = register("SIG_IGN called", prints{Test: "TestCrash"}, func() { sys.SIG_IGN(unix.SIGUSR1) })

var _ = register("all blocked at the start", prints{
	Under:  []string{"env", "--block-signal"},
	Stdout: "SIGUSR1 blocked: true, pending: 0 of 1\n1 of 1\n",
}, func() { // what main's thread inherits, it blocks
	var now unix.Sigset_t
	var caught atomic.Int32
	unp.Signal(sigrtmin, func(unix.Signal) { caught.Add(1) })
	unp.Sigprocmask(unix.SIG_BLOCK, nil, &now)
	sys.Kill(sys.Getpid(), sigrtmin)
	sys.Sleep(0)
	fmt.Printf("SIGUSR1 blocked: %v, pending: %d of 1\n", sys.Sigismember(&now, unix.SIGUSR1), caught.Load())
	sys.Sigemptyset(&now)
	unp.Sigprocmask(unix.SIG_SETMASK, &now, nil)
	for caught.Load() == 0 {
		sys.Sleep(0)
	}
	fmt.Println(caught.Load(), "of 1")
})

const sigrtmin = unix.Signal(35)
