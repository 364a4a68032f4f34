package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp"
	"tcpcliserv/unp/sys"
)

// Children, and children of theirs.

var _ = register("no zombies of a child", prints{Stdout: "no child processes\nno child processes\n"}, func() { // SA_NOCLDWAIT, set before Fork
	sys.Sigaction(unix.SIGCHLD, &sys.Sigaction_t{Handler: sys.SIG_DFL, Flags: sys.SA_NOCLDWAIT}, nil)
	if unp.Fork() == 0 {
		if unp.Fork() == 0 {
			os.Exit(3)
		}
		_, err := sys.Wait(nil)
		fmt.Println(err)
		os.Exit(0)
	}
	_, err := sys.Wait(nil)
	fmt.Println(err)
})

var _ = register("two", prints{Stdout: "first child\nsecond child\n"}, func() {
	if unp.Fork() == 0 {
		fmt.Println("first child")
		os.Exit(0)
	}
	wait()
	if unp.Fork() == 0 {
		fmt.Println("second child")
		os.Exit(0)
	}
	wait()
})

var _ = register("loop", prints{Stdout: "child 0\nchild 1\nchild 2\n"}, func() {
	for i := 0; i < 3; i++ {
		if unp.Fork() == 0 {
			fmt.Println("child", i)
			os.Exit(0)
		}
		wait()
	}
})

var _ = register("tree", prints{Stdout: "child 0 of child 0\nchild 1 of child 0\nchild 0\nchild 0 of child 1\nchild 1 of child 1\nchild 1\n"}, func() {
	for i := range 2 {
		if unp.Fork() == 0 {
			for k := range 2 {
				if unp.Fork() == 0 {
					fmt.Println("child", k, "of child", i)
					os.Exit(0)
				}
				wait()
			}
			fmt.Println("child", i)
			os.Exit(0)
		}
		wait()
	}
})

var _ = register("grandchildren", prints{Stdout: "great-grandchild: 3 3 4 bad file descriptor stream\nits status is 3\nits status is 2\nits status is 1\nparent: 3\n"}, func() { // with a socket from each
	one := unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if unp.Fork() == 0 {
		unp.Close(one)
		two := unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0) // at the number that is free again
		three := unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if unp.Fork() == 0 {
			unp.Close(two)
			if unp.Fork() == 0 {
				fmt.Println("great-grandchild:", one, two, three, socketType(two), socketType(three))
				os.Exit(3)
			}
			wait()
			os.Exit(2)
		}
		wait()
		os.Exit(1)
	}
	wait()
	fmt.Println("parent:", one)
})

var _ = register("daemon", prints{Test: "TestDaemon", Stdout: "the daemon's parent is 1\n"}, func() {
	if unp.Fork() != 0 {
		os.Exit(0)
	}
	if unp.Fork() != 0 {
		os.Exit(0)
	}
	for unix.Getppid() != 1 {
		unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil)
	}
	fmt.Println("the daemon's parent is", unix.Getppid())
})

var _ = register("arguments", prints{Stdout: "the child runs\n"}, func() { // that main has changed
	os.Args = os.Args[:1]
	if unp.Fork() == 0 {
		fmt.Println("the child runs")
		os.Exit(0)
	}
	wait()
})

var _ = register("shared memory", prints{Stdout: "0\n"}, func() { // C: 1
	mem, _ := unix.Mmap(-1, 0, 1, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
	if unp.Fork() == 0 {
		mem[0] = 1
		os.Exit(0)
	}
	wait()
	fmt.Println(mem[0])
})

var _ = register("setpgid", prints{Stdout: "permission denied\n"}, func() { // C: <nil>
	pid := unp.Fork()
	if pid == 0 {
		sys.Sleep(100)
	}
	fmt.Println(unix.Setpgid(pid, 0))
	unix.Kill(pid, unix.SIGKILL)
})

var _ = register("respawn", prints{Stdout: "0 1 2 3 4 \n"}, func() { // five children, a new one for each that ends
	var stat unix.WaitStatus
	for i := 0; i < 5; i++ {
		if unp.Fork() == 0 {
			fmt.Print(i, " ")
			os.Exit(i)
		}
		if pid, err := sys.Wait(&stat); pid < 0 || stat.ExitStatus() != i {
			fmt.Println(pid, err, stat)
		}
	}
	fmt.Println()
})

var _ = register("deep", prints{Stdout: "the child runs\nthe child runs\n"}, func() {
	var fork func(int)
	fork = func(depth int) {
		if depth > 0 {
			fork(depth - 1)
			return
		}
		inChild(func() { fmt.Println("the child runs") })
	}
	fork(300)
	fork(10_000)
})

var (
	_ = register("path of 1000 calls", prints{}, func() { pathOf(1000) })
	_ = register("path of 10000 calls", prints{}, func() { pathOf(10_000) }) // which do not fit into one variable
)

func pathOf(calls int) {
	for range calls {
		unp.Close(unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0))
	}
	if unp.Fork() == 0 {
		os.Exit(0)
	}
	wait()
}
