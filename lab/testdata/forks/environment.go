package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
	"tcpcliserv/lab/testdata/forks/early"
	"tcpcliserv/unp"
	"tcpcliserv/unp/sys"
)

// The environment: the child's is its parent's.

var _ = register("set and restored", prints{Stdout: "child \"\"\n"}, func() { // by a function that the child does not call
	os.Setenv("SETTING", "2")
	sys.OnceFunc(func() { os.Unsetenv("SETTING") })
	inChild(func() { fmt.Printf("child %q\n", os.Getenv("SETTING")) })
})

var _ = register("environment cleared", prints{Stdout: "child\nparent\n"}, func() { // before unp can look at it
	if unp.Fork() == 0 {
		fmt.Println("child")
		os.Exit(0)
	}
	sys.Wait(nil)
	fmt.Println("parent")
})

// inThreeGenerations calls show in a child, its child and its parent, one after the other.
func inThreeGenerations(show func()) {
	if unp.Fork() == 0 {
		if unp.Fork() == 0 {
			show()
			os.Exit(0)
		}
		sys.Wait(nil)
		show()
		os.Exit(0)
	}
	sys.Wait(nil)
	show()
}

var _ = register("program that may not be read", prints{Stdout: strings.Repeat("first second\n", 3), Test: "TestPrivileges"}, func() {
	found := os.Getenv("SETTING")
	os.Setenv("SETTING", "second")
	inThreeGenerations(func() { fmt.Println(found, os.Getenv("SETTING")) })
})

var _ = register("found early", prints{
	Under:  []string{"bash", "-c", `echo in the file > file; SETTING=first exec "$@"`, "bash"},
	Args:   []string{"-v", "argument"},
	Stdout: strings.Repeat("first true [argument] in the file\n", 3),
}, func() { // by a package, before main changes it
	os.Setenv("SETTING", "second")
	sys.Chdir("/")
	show := func() { fmt.Printf("%s %v %v %s", early.Setting, early.Verbose, os.Args[2:], early.File) }
	inThreeGenerations(show)
})

var _ = register("changed early", prints{
	Under:  []string{"env", "SETTING="},
	Stdout: strings.Repeat("+ /sub true\n", 3),
}, func() { // by a package
	start := sys.Once(func() string { dir, _ := os.Getwd(); return dir })
	show := func() {
		dir, _ := os.Getwd()
		fmt.Println(os.Getenv("SETTING"), dir[strings.LastIndexByte(dir, '/'):], dir == start)
	}
	inThreeGenerations(show)
})

var _ = register("changed early and restored", prints{Under: []string{"env", "SETTING=x"}, Stdout: strings.Repeat("x\n", 3)}, func() { // by main
	os.Setenv("SETTING", "x")
	inThreeGenerations(func() { fmt.Println(os.Getenv("SETTING")) })
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

var _ = register("environment", prints{Under: []string{"env", "--ignore-environment", "A=1", "B=2"}, Stdout: "in the child: \"\"\nA=1\nB=2\nafter exec: 4\n"}, func() { // nothing of Fork reaches a program that the child starts
	unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if unp.Fork() == 0 {
		fmt.Printf("in the child: %q\n", os.Getenv("UNP_FORK"))
		out, _ := exec.Command("/usr/bin/env").Output()
		os.Stdout.Write(out)
		syscall.Exec("/proc/self/exe", []string{os.Args[0], "exec"}, os.Environ())
	}
	wait()
})

var _ = register("exec", prints{Stdout: "after exec: 3\n"}, func() {
	fd := unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if unp.Fork() == 0 {
		os.Exit(0)
	}
	wait()
	fmt.Println("after exec:", fd)
})
