package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp"
	"tcpcliserv/unp/sys"
)

// The working directory: the child's is its parent's, whatever has become of the path to it.

// twoSee prints where the parent and its child are, and which files they find there.
func twoSee(who string) {
	fmt.Printf("%s: %s\n", who, sees())
}

func sees() string {
	var here, saved unix.Stat_t
	unix.Stat(".", &here)
	unix.Fstat(20, &saved)
	_, err := os.Stat("file")
	return fmt.Sprint(here.Dev == saved.Dev && here.Ino == saved.Ino, " ", err == nil)
}

// see has the parent and its child say whether they are in the directory that is open as
// descriptor 20, and whether file is there.
func see() {
	fd, err := unix.Open(".", unix.O_RDONLY, 0)
	if err == nil && fd != 20 && !retraced() {
		unix.Dup2(fd, 20)
	}
	unix.Close(fd)
	twoSee("parent")
	if unp.Fork() == 0 {
		twoSee("child")
		os.Exit(0)
	}
	sys.Wait(nil)
}

// retraced tells whether this process is a child that has descriptor 20 already.
func retraced() bool {
	_, err := unix.FcntlInt(20, unix.F_GETFD, 0)
	return err == nil
}

var _ = register("directory removed", prints{Stdout: "parent: true false\nchild: true false\n"}, func() { // after main has gone there
	sys.OnceFunc(func() { os.Mkdir("sub", 0o700) })
	sys.Chdir("sub")
	sys.OnceFunc(func() { os.Remove("../sub") })
	see()
})

var _ = register("directory made anew", prints{Stdout: "parent: true false\nchild: true false\n"}, func() { // the one in which it was started
	sys.OnceFunc(func() {
		dir, _ := os.Getwd()
		os.Remove(dir)
		os.Mkdir(dir, 0o700)
		os.WriteFile(dir+"/file", nil, 0o600)
	})
	see()
})

var _ = register("directory moved", prints{Stdout: "parent: true true\nchild: true true\n"}, func() { // with a file in it
	sys.OnceFunc(func() { os.Mkdir("sub", 0o700); os.WriteFile("sub/file", nil, 0o600) })
	sys.Chdir("sub")
	sys.OnceFunc(func() { os.Rename("../sub", "../elsewhere"); os.Mkdir("../sub", 0o700) })
	see()
})

var _ = register("directory that cannot be reached", prints{Test: "TestPrivileges", Stdout: "parent: true false\nchild: true false\n"}, func() { // after main has given up root's privileges
	sys.OnceFunc(func() { os.Mkdir("private", 0o700) })
	sys.Chdir("private")
	sys.OnceFunc(func() { os.Mkdir("sub", 0o777) })
	sys.Chdir("sub")
	sys.OnceFunc(func() { unix.Setresuid(65534, 65534, 65534) })
	see()
})

var _ = register("children in other directories", prints{Stdout: "child: true true\ngrandchild: true false\nparent: true false\n"}, func() {
	dir := func(who string) {
		fd, _ := unix.Open(".", unix.O_RDONLY, 0)
		unix.Dup2(fd, 20)
		unix.Close(fd)
		twoSee(who)
	}
	sys.OnceFunc(func() { os.Mkdir("sub", 0o700); os.WriteFile("sub/file", nil, 0o600) })
	if unp.Fork() == 0 {
		sys.Chdir("sub")
		dir("child")
		sys.Chdir("..")
		if unp.Fork() == 0 {
			dir("grandchild")
			os.Exit(0)
		}
		sys.Wait(nil)
		os.Exit(0)
	}
	sys.Wait(nil)
	dir("parent")
})
