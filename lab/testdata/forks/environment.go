package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
	_ "tcpcliserv/lab/testdata/forks/cleared"
	"tcpcliserv/unp"
	"tcpcliserv/unp/sys"
)

// The environment: the child's is its parent's.

var _ = register("environment cleared", prints{Stdout: "child\nparent\n"}, func() { // before unp can look at it
	if unp.Fork() == 0 {
		fmt.Println("child")
		os.Exit(0)
	}
	sys.Wait(nil)
	fmt.Println("parent")
})

var _ = register("setenv", prints{Stdout: "child x\ngrandchild xy\nparent x\n"}, func() { // makes a variable longer
	os.Setenv("X", os.Getenv("X")+"x")
	if unp.Fork() == 0 {
		fmt.Println("child", os.Getenv("X"))
		os.Setenv("X", os.Getenv("X")+"y")
		if unp.Fork() == 0 {
			fmt.Println("grandchild", os.Getenv("X"))
			os.Exit(0)
		}
		sys.Wait(nil)
		os.Exit(0)
	}
	sys.Wait(nil)
	fmt.Println("parent", os.Getenv("X"))
})

var _ = register("unsetenv", prints{Under: []string{"env", "A=1", "B=2"}, Stdout: "child: A false, B true, C 3\nparent: A false, B true, C 3\n"}, func() {
	_, before := os.LookupEnv("A")
	if !before {
		fmt.Println("A is not set")
	}
	os.Unsetenv("A")
	os.Setenv("C", os.Getenv("C")+"3")
	show := func(who string) {
		_, a := os.LookupEnv("A")
		fmt.Printf("%s: A %v, B %v, C %s\n", who, a, os.Getenv("B") == "2", os.Getenv("C"))
	}
	if unp.Fork() == 0 {
		show("child")
		os.Exit(0)
	}
	sys.Wait(nil)
	show("parent")
})

var _ = register("files of no bytes", prints{Under: []string{"prlimit", "--fsize=0"}, Status: 7}, func() { // fork writes none
	var stat unix.WaitStatus
	for range 2 {
		sys.OnceFunc(func() {})
		if unp.Fork() == 0 {
			os.Exit(7)
		}
		sys.Wait(&stat)
	}
	os.Exit(stat.ExitStatus())
})
