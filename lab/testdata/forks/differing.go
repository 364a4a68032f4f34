package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp"
	"tcpcliserv/unp/sys"
)

// Where the child makes a different call from its parent, or where Fork, Keep and the like are called from where they cannot be.

var _ = register("another way", prints{Stdout: "its status is 1\n", Stderr: anotherPath("differing.go:<here>", "socket(AF_INET, SOCK_STREAM, 0)", "differing.go:<there>", "fork()")}, func() { // depending on whether there is a file
	_, err := os.Stat("file")
	os.WriteFile("file", nil, 0o600)
	unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err == nil {
		unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0) // <here>
	}
	if unp.Fork() == 0 { // <there>
		fmt.Println("the child runs")
		os.Exit(0)
	}
	wait()
})

var _ = register("another call", prints{Stdout: "its status is 1\n", Stderr: anotherPath("differing.go:<here>", "socket(AF_INET, SOCK_STREAM, 0)", "differing.go:<here>", "socket(AF_INET, SOCK_DGRAM, 0)")}, func() { // of the same line, likewise
	_, err := os.Stat("file")
	os.WriteFile("file", nil, 0o600)
	_ = err == nil && unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0) > 0 || unp.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0) > 0 // <here>
	if unp.Fork() == 0 {
		fmt.Println("the child runs")
		os.Exit(0)
	}
	wait()
})

var _ = register("another order", prints{Stdout: "its status is 1\n", Stderr: anotherPath("differing.go:<here>", "socket(AF_INET, SOCK_DGRAM, 0)", "differing.go:<here>", "socket(AF_INET, SOCK_STREAM, 0)")}, func() { // of the same call, as a map may have
	types := []int{unix.SOCK_STREAM, unix.SOCK_DGRAM}
	_, err := os.Stat("file")
	os.WriteFile("file", nil, 0o600)
	if err == nil {
		slices.Reverse(types)
	}
	for _, typ := range types {
		unp.Socket(unix.AF_INET, typ, 0) // <here>
	}
	if unp.Fork() == 0 {
		fmt.Println("the child runs")
		os.Exit(0)
	}
	wait()
})

var _ = register("another caller", prints{Stdout: "its status is 1\n", Stderr: anotherPath("differing.go:<fork><differing.go:<here><forks.go:<run>", "fork()", "differing.go:<fork><differing.go:<there><forks.go:<run>", "fork()")}, func() { // of one function, likewise
	_, err := os.Stat("file")
	os.WriteFile("file", nil, 0o600)
	fork := func() {
		if unp.Fork() == 0 { // <fork>
			fmt.Println("the child runs")
			os.Exit(0)
		}
	}
	if err == nil {
		fork() // <here>
	} else {
		fork() // <there>
	}
	wait()
})

var _ = register("in a handler", prints{Stderr: onlyMain("Fork"), Status: 1}, func() {
	unp.Signal(unix.SIGUSR1, func(unix.Signal) { unp.Fork() })
	unix.Kill(unix.Getpid(), unix.SIGUSR1)
	sys.Sleep(60)
})

var _ = register("in a goroutine", prints{Stderr: onlyMain("Fork"), Status: 1}, func() {
	go unp.Fork()
	sys.Sleep(60)
})

var _ = register("waits for a handler", prints{Stdout: "its status is 1\n", Stderr: anotherPath("differing.go:<here>", "sleep(1)", "differing.go:<there>", "fork()")}, func() { // that counts in a variable that nobody keeps; C: the child runs
	ended := 0
	unp.Signal(unix.SIGCHLD, func(unix.Signal) {
		wait()
		ended++
	})
	if unp.Fork() == 0 {
		os.Exit(0)
	}
	for ended == 0 {
		sys.Sleep(1) // <here>
	}
	if unp.Fork() == 0 { // <there>
		fmt.Println("the child runs")
		os.Exit(0)
	}
	for ended == 1 {
		sys.Sleep(1)
	}
})

var _ = register("keeps something else", prints{Stderr: anotherPath("differing.go:<here>", "Keep()", "differing.go:<there>", "Keep()")}, func() { // depending on whether the file that its argument names exists
	a, b := 1, 2
	_, err := os.Stat("file")
	os.WriteFile("file", nil, 0o600)
	if err != nil {
		sys.Keep(&a) // <there>
	} else {
		sys.Keep(&b) // <here>
	}
	inChild(func() { fmt.Println("the child runs") })
})

var (
	_ = register("ends before", prints{}, endsBefore)
	_ = register("ends before, and prints", prints{Under: []string{"env", "UNP_PRINT=1"}, Stdout: "already running\n"}, endsBefore)
)

// endsBefore ends the child if there is a file, which its parent has made.
func endsBefore() {
	_, err := os.Stat("file")
	os.WriteFile("file", nil, 0o600)
	if err == nil {
		fmt.Println("already running")
		os.Exit(1)
	}
	inChild(func() { fmt.Println("the child runs") })
}

// anotherPath is what a child says that has made a different call from its parent.
func anotherPath(at, call, parentsAt, parentsCall string) string {
	return fmt.Sprintf("fork error: the child came to %s %s, where its parent was at %s %s.\n"+
		"Something on main's way to Fork differs in the child: see sys.Once and sys.Keep.\n", at, call, parentsAt, parentsCall)
}

// onlyMain is what is said of a call that only main can make.
func onlyMain(name string) string {
	return "fork error: only main can call " + name + ", not a signal handler, another goroutine, or Once\n"
}

// refused registers a program that does what cannot be handed to a child.
func refused(name, sentence string, run func()) bool {
	return registerAt(2, "refused: "+name, prints{Stderr: sentence + "\n", Status: 1}, run)
}

// cannotGive is what is said of a type whose values a child cannot be given.
func cannotGive(typ string) string {
	return "fork error: a child cannot be given a value of type " + typ + " (sys.Once lists the types), as differing.go:<asks> asks"
}

var (
	_ = refused("*os.File", cannotGive("*os.File"), func() {
		sys.Once(func() *os.File { return os.Stdin }) // <asks>
	})
	_ = refused("*errors.errorString", cannotGive("*errors.errorString"), func() {
		sys.Once(func() error { return errors.New("") }) // <asks>
	})
	_ = refused("time.Time", cannotGive("time.Time"), func() {
		sys.Once(func() time.Time { return time.Now() }) // <asks>
	})
	_ = refused("any", cannotGive("<nil>"), func() {
		sys.Once(func() any { return nil }) // <asks>
	})
	_ = refused("map", cannotGive("map[int]int"), func() {
		sys.Once(func() map[int]int { return nil }) // <asks>
	})
	_ = refused("[]string", cannotGive("[]string"), func() {
		sys.Once(func() []string { return nil }) // <asks>
	})
	_ = refused("struct", cannotGive("struct { S string }"), func() {
		sys.Once(func() (v struct{ S string }) { return v }) // <asks>
	})
	_ = refused("func", cannotGive("func()"), func() {
		sys.Once(func() func() { return nil }) // <asks>
	})
	_ = refused("kept pointer", cannotGive("*int"), func() {
		var p *int
		sys.Keep(&p) // <asks>
	})
	_ = refused("kept nil", "fork error: Keep at differing.go:<asks> takes pointers to variables, not <nil>", func() {
		sys.Keep(nil) // <asks>
	})
	_ = refused("kept pointer that is nil", "fork error: Keep at differing.go:<asks> takes pointers to variables, not (*int)(nil)", func() {
		var p *int
		sys.Keep(p) // <asks>
	})
	_ = refused("kept number", "fork error: Keep at differing.go:<asks> takes pointers to variables, not 7", func() {
		sys.Keep(7) // <asks>
	})
	_ = refused("kept later", cannotGive("*errors.errorString"), func() { // a value of a type that Keep would refuse
		var err error
		sys.Keep(&err)
		unp.Signal(unix.SIGUSR1, func(unix.Signal) {})
		err = errors.New("")
		unp.Fork() // <asks>
	})
	_ = refused("Keep in a handler", strings.TrimSpace(onlyMain("Keep")), func() {
		unp.Signal(unix.SIGUSR1, func(unix.Signal) { sys.Keep(new(int)) })
		sys.Kill(sys.Getpid(), unix.SIGUSR1)
		sys.Sleep(60)
	})
	_ = refused("Pause in a handler", "pause error: only main can call Pause and Sigsuspend, not a signal handler or another goroutine", func() {
		unp.Signal(unix.SIGUSR1, func(unix.Signal) { sys.Pause() })
		sys.Kill(sys.Getpid(), unix.SIGUSR1)
		sys.Sleep(60)
	})
	_ = refused("Fork in Once", strings.TrimSpace(onlyMain("Fork")), func() {
		sys.OnceFunc(func() { unp.Fork() })
	})
	_ = refused("Signal in Once", "signal error: main cannot call Sigaction inside Once, because a child would not call it", func() {
		sys.OnceFunc(func() { unp.Signal(unix.SIGUSR1, sys.SIG_IGN) })
	})
	_ = refused("Chdir in Once", "chdir error: main cannot call Chdir inside Once, because a child would not call it", func() {
		sys.OnceFunc(func() { sys.Chdir("/") })
	})
	_ = refused("Pselect in a handler", "pselect error: only main can call Pselect with a mask, not a signal handler or another goroutine", func() {
		unp.Signal(unix.SIGUSR1, func(unix.Signal) { sys.Pselect(0, nil, nil, nil, nil, &unix.Sigset_t{}) })
		sys.Kill(sys.Getpid(), unix.SIGUSR1)
		sys.Sleep(60)
	})
	_ = refused("Keep in Once", strings.TrimSpace(onlyMain("Keep")), func() {
		sys.OnceFunc(func() { sys.Keep(new(int)) })
	})
	_ = refused("goroutine", "fork error: a goroutine of the child calls socket before main has reached Fork", func() {
		ready := make(chan bool)
		go func() { unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0); close(ready) }()
		<-ready
		inChild(func() {})
		os.Exit(1)
	})
)
