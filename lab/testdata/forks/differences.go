package main

import (
	"fmt"
	"os"
	"os/exec"
	ossignal "os/signal"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp"
	"tcpcliserv/unp/sys"
)

// Where Go differs from C, it does so as the package comment of sys says. The comments say what C prints.

var _ = register("repeated", prints{Stdout: "false false true no child processes\n"}, func() { // by the child, because sys does not know of it; C: true true false <nil>
	var p [2]int
	pid := unix.Getpid()
	unix.Setsid()
	unix.Pipe(p[:])
	if unp.Fork() == 0 {
		os.Exit(0)
	}
	_, err := unix.Wait4(-1, nil, 0, nil)
	if unp.Fork() == 0 {
		its, _ := os.Readlink(fmt.Sprint("/proc/self/fd/", p[0]))
		parents, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", unix.Getppid(), p[0]))
		sid, _ := unix.Getsid(0)
		fmt.Println(pid == unix.Getppid(), its == parents, sid == unix.Getpid(), err)
		os.Exit(0)
	}
	wait()
})

var _ = register("written again", prints{Stdout: "written\nslept again: true\n"}, func() { // C: written, slept again: false
	start := time.Now()
	unix.Write(1, []byte("written\n"))
	time.Sleep(100 * time.Millisecond)
	if unp.Fork() == 0 {
		os.Exit(0)
	}
	wait()
	fmt.Println("slept again:", time.Since(start) > 190*time.Millisecond)
})

var _ = register("closed again", prints{Stdout: "3 3 bad file descriptor\n"}, func() { // C: 3 3 stream
	fd := unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	unix.Close(fd)
	again := unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if unp.Fork() == 0 {
		fmt.Println(fd, again, socketType(again))
		os.Exit(0)
	}
	wait()
})

var _ = register("counted by a handler", prints{Test: "TestDifferences"}, func() { // in a variable that nobody keeps; C: in the child: 1
	ended := 0
	unp.Signal(unix.SIGCHLD, func(unix.Signal) {
		unix.Wait4(-1, nil, 0, nil)
		ended++
	})
	if unp.Fork() == 0 {
		os.Exit(0)
	}
	sys.Sleep(100)
	if unp.Fork() == 0 {
		fmt.Println("in the child:", ended)
		os.Exit(0)
	}
	fmt.Println("in the parent:", ended)
	sys.Sleep(100)
})

var _ = register("two handlers", prints{Stdout: "met\n"}, func() { // at the same time; C: never
	meet := make(chan bool)
	unp.Signal(unix.SIGUSR1, func(unix.Signal) { meet <- true })
	unp.Signal(unix.SIGUSR2, func(unix.Signal) { <-meet })
	unix.Kill(unix.Getpid(), unix.SIGUSR1)
	unix.Kill(unix.Getpid(), unix.SIGUSR2)
	sys.Sleep(0)
	fmt.Println("met")
})

var _ = register("SIGURG", prints{Under: []string{"env", "GODEBUG=asyncpreemptoff=0"}, Stdout: "caught\n"}, func() { // that nobody has sent; C: never
	var caught atomic.Int32
	unp.Signal(unix.SIGURG, func(unix.Signal) { caught.Add(1) })
	go func() {
		for caught.Load() == 0 {
		}
	}()
	for caught.Load() == 0 {
		runtime.GC()
	}
	fmt.Println("caught")
})

var _ = register("round", prints{Test: "TestDifferences"}, func() { // of a server: what an earlier one has counted and set
	listenfd := listen(unp.SERV_PORT)
	for n := 1; ; n++ {
		connfd := accept(listenfd)
		if os.Mkdir(os.Args[2], 0o700) == nil { // in the first round
			unp.Signal(unix.SIGUSR1, sys.SIG_IGN)
		}
		if unp.Fork() == 0 {
			fmt.Println(n, name(unp.Signal(unix.SIGUSR1, sys.SIG_DFL)))
			unp.StrEcho(connfd)
			os.Exit(0)
		}
		unp.Close(connfd)
	}
})

var _ = register("outside unp", prints{Stdout: "main goes on\nthe handler ends\nmain has waited\n"}, func() { // main does not wait for a handler; C: main never goes on
	begins, goOn := make(chan bool), make(chan bool)
	unp.Signal(unix.SIGUSR1, func(unix.Signal) {
		begins <- true
		<-goOn
		fmt.Println("the handler ends")
	})
	unix.Kill(unix.Getpid(), unix.SIGUSR1)
	<-begins
	fmt.Println("main goes on")
	goOn <- true
	sys.Sleep(0)
	fmt.Println("main has waited")
})

var _ = register("blocked by main", prints{Stdout: "true\n"}, func() { // C: the signal stays pending
	var set unix.Sigset_t
	set.Val[0] = 1 << (unix.SIGUSR1 - 1)
	unix.PthreadSigmask(unix.SIG_BLOCK, &set, nil)
	handled := make(chan bool)
	unp.Signal(unix.SIGUSR1, func(unix.Signal) { handled <- true })
	unix.Kill(unix.Getpid(), unix.SIGUSR1)
	fmt.Println(<-handled)
})

var _ = register("inherited", prints{Under: []string{"bash", "-c", `trap "" HUP INT TERM; exec "$@"`, "bash"}, Stdout: "SIG_IGN\nSIG_IGN\nSIG_DFL\n"}, func() { // C: the third is SIG_IGN, too
	for _, signo := range []unix.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGTERM} {
		fmt.Println(name(unp.Signal(signo, sys.SIG_DFL)))
	}
})

var _ = register("ignored by what os/exec starts", prints{Under: []string{"bash", "-c", `trap "" HUP; exec "$@"`, "bash"}, Stdout: "[hangup stopped stopped (tty input) stopped (tty output)]\n"}, func() { // C: all six
	for _, signo := range []unix.Signal{unix.SIGINT, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, unix.SIGUSR1} {
		unp.Signal(signo, sys.SIG_IGN)
	}
	out, err := exec.Command("grep", "SigIgn", "/proc/self/status").Output()
	if err != nil {
		unp.ErrSys(err, "grep error")
	}
	var set uint64
	fmt.Sscanf(string(out), "SigIgn: %x", &set)
	var ignored []unix.Signal
	for signo := unix.Signal(1); signo <= 64; signo++ {
		if set&(1<<(signo-1)) != 0 {
			ignored = append(ignored, signo)
		}
	}
	fmt.Println(ignored)
})

var _ = register("waits for its parent", prints{Long: "Fork waits for five seconds", Stdout: "Fork has waited for five seconds\nthe child is there\n"}, func() { // whose lock it needs; C: the first line is missing
	const path = "lock"
	sys.OnceFunc(func() { os.WriteFile(path, nil, 0o600) })
	unp.Signal(unix.SIGINT, func(unix.Signal) {})
	lock, err := os.Open(path)
	if err != nil {
		unp.ErrSys(err, "open error")
	}
	unix.Flock(int(lock.Fd()), unix.LOCK_EX)
	begin := time.Now()
	if unp.Fork() == 0 {
		fmt.Println("the child is there")
		os.Exit(0)
	}
	waited := time.Since(begin)
	if 5*time.Second <= waited && waited < 8*time.Second {
		fmt.Println("Fork has waited for five seconds")
	}
	unix.Flock(int(lock.Fd()), unix.LOCK_UN)
	wait()
})

var _ = register("ignored at the start", prints{Under: []string{"bash", "-c", `trap "" INT; exec "$@"`, "bash"}, Stdout: "true false\n"}, func() { // as C learns from what signal returns
	fmt.Println(ossignal.Ignored(unix.SIGINT), ossignal.Ignored(unix.SIGHUP))
})

var _ = register("SIGPROF", prints{Stdout: "slept\n"}, func() { // C: caught, slept
	unp.Signal(unix.SIGPROF, func(unix.Signal) { fmt.Println("caught") })
	unix.Kill(unix.Getpid(), unix.SIGPROF)
	sys.Sleep(1)
	fmt.Println("slept")
})

var _ = register("SIGCHLD", prints{Stdout: "slept\n", Status: 128 + 9}, func() { // to a child without children; C: caught, slept
	unp.Signal(unix.SIGCHLD, func(unix.Signal) { fmt.Println("caught") })
	if unp.Fork() == 0 {
		unix.Kill(unix.Getpid(), unix.SIGCHLD)
		sys.Sleep(1)
		fmt.Println("slept")
		unix.Kill(unix.Getppid(), unix.SIGKILL)
	}
	sys.Sleep(100)
})

var _ = register("files", prints{Under: []string{"prlimit", "--nofile=64:256"}, Stdout: "true 256\n"}, func() { // the limit on their number; C: false 256
	var limit unix.Rlimit
	unix.Getrlimit(unix.RLIMIT_NOFILE, &limit)
	fmt.Println(limit.Cur > 64, limit.Max)
})

var _ = register("counted without", prints{Clients: []client{{"", "1\n"}, {"", "1\n"}, {"", "1\n"}}, Status: terminated}, func() { // C: 1, 2, 3
	clients := 0
	listenfd := listen(unp.SERV_PORT)
	for {
		connfd := accept(listenfd)
		clients++
		if unp.Fork() == 0 {
			say(connfd, clients)
		}
		unp.Close(connfd)
	}
})
