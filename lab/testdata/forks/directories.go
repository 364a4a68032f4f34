package main

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp"
	"tcpcliserv/unp/sys"
)

// The working directory: the child's is its parent's, whatever has become of the path to it.

// where prints whether the child is where its parent is, and whether they find a file there.
func where() {
	number := func() uint64 {
		var here unix.Stat_t
		unix.Stat(".", &here)
		return here.Ino
	}
	show := func(who string) {
		_, err := os.Stat("file")
		fmt.Println(who, err == nil)
	}
	parents := sys.Once(number)
	show("parent")
	if unp.Fork() == 0 {
		fmt.Print(number() == parents, " ")
		show("child")
		os.Exit(0)
	}
	sys.Wait(nil)
}

var _ = register("directory removed", prints{Stdout: "parent false\ntrue child false\n"}, func() { // after main has gone there
	sys.OnceFunc(func() { os.Mkdir("sub", 0o700) })
	sys.Chdir("sub")
	sys.OnceFunc(func() { os.Remove("../sub") })
	where()
})

var _ = register("directory made anew", prints{Stdout: "parent false\ntrue child false\n"}, func() { // the one in which it was started
	sys.OnceFunc(func() {
		dir, _ := os.Getwd()
		os.Remove(dir)
		os.Mkdir(dir, 0o700)
		os.WriteFile(dir+"/file", nil, 0o600)
	})
	where()
})

var _ = register("directory left and entered again", prints{Stdout: "parent true\ntrue child true\n"}, func() { // the first time without this package
	dir, _ := os.Getwd()
	sys.OnceFunc(func() { os.WriteFile("file", nil, 0o600) })
	os.Chdir("/")
	sys.Chdir(dir)
	where()
})

var _ = register("directory left and entered again, once", prints{Stdout: "parent true\ntrue child true\n"}, func() {
	dir, _ := os.Getwd()
	sys.OnceFunc(func() { os.WriteFile("file", nil, 0o600) })
	os.Chdir("/")
	sys.OnceFunc(func() { os.Chdir(dir) })
	where()
})

var _ = register("directory moved", prints{Stdout: "parent true\ntrue child true\n"}, func() { // with a file in it
	sys.OnceFunc(func() { os.Mkdir("sub", 0o700); os.WriteFile("sub/file", nil, 0o600) })
	sys.Chdir("sub")
	sys.OnceFunc(func() { os.Rename("../sub", "../elsewhere"); os.Mkdir("../sub", 0o700) })
	where()
})

var _ = register("directory that cannot be reached", prints{Test: "TestPrivileges", Stdout: "parent false\ntrue child false\n"}, func() { // after main has given up root's privileges
	sys.OnceFunc(func() { os.Mkdir("private", 0o700) })
	sys.Chdir("private")
	sys.OnceFunc(func() { os.Mkdir("sub", 0o777) })
	sys.Chdir("sub")
	sys.OnceFunc(func() { unix.Setresuid(65534, 65534, 65534) })
	where()
})

var _ = register("directory that cannot be searched", prints{Test: "TestPrivileges", Stdout: "true\n"}, func() { // likewise
	sys.OnceFunc(func() { os.Mkdir("locked", 0o700) })
	sys.Chdir("locked")
	sys.OnceFunc(func() { unix.Setresuid(65534, 65534, 65534) })
	inChild(func() { dir, _ := os.Readlink("/proc/self/cwd"); fmt.Println(strings.HasSuffix(dir, "/locked")) })
})

var _ = register("directory to which there is no way back", prints{Test: "TestPrivileges", Stdout: "parent\n"}, func() { // likewise; C: the child runs
	dir := sys.Once(func() string { dir, _ := os.Getwd(); return dir })
	sys.OnceFunc(func() { os.Chmod(dir, 0o700) })
	sys.Chdir("/")
	sys.Chdir(dir)
	sys.OnceFunc(func() { unix.Setresuid(65534, 65534, 65534) })
	inChild(func() { fmt.Println("child") })
	fmt.Println("parent")
})

var _ = register("start directory replaced", prints{Stdout: "old old\n"}, func() { // by one of the same name
	dir := sys.Once(func() string { dir, _ := os.Getwd(); return dir })
	sys.OnceFunc(func() {
		os.WriteFile("file", []byte("old"), 0o600)
		os.Rename(dir, dir+".old")
		os.Mkdir(dir, 0o700)
		os.WriteFile(dir+"/file", []byte("new"), 0o600)
	})
	content, _ := os.ReadFile("file")
	inChild(func() {
		again, _ := os.ReadFile("file")
		fmt.Printf("%s %s\n", content, again)
	})
	os.RemoveAll(dir)
	os.Rename(dir+".old", dir)
})

var _ = register("start directory replaced and entered again", prints{Stdout: "parent\n", Stderr: "fork error: the child cannot return to its parent's directory: no such file or directory\n"}, func() { // C: the child runs
	dir := sys.Once(func() string {
		dir, _ := os.Getwd()
		os.Mkdir("sub", 0o700)
		return dir
	})
	os.Chdir("sub")
	sys.OnceFunc(func() {
		os.Chdir("..")
		os.Rename(dir, dir+".old")
		os.Mkdir(dir, 0o700)
		os.Mkdir(dir+"/sub", 0o700)
	})
	inChild(func() { fmt.Println("child") })
	os.RemoveAll(dir)
	os.Rename(dir+".old", dir)
	fmt.Println("parent")
})

var _ = register("directory under another", prints{Test: "TestMounts", Stdout: "parent true\ntrue child true\n"}, func() { // which has been mounted on it since
	sys.OnceFunc(func() {
		os.WriteFile("file", nil, 0o600)
		dir, _ := os.Getwd()
		err := unix.Mount("none", dir, "tmpfs", 0, "")
		if err != nil {
			unp.ErrSys(err, "mount error")
		}
	})
	where()
})

var _ = register("children in other directories", prints{Stdout: "child true\ngrandchild false\nparent false\n"}, func() {
	show := func(who string) {
		_, err := os.Stat("file")
		fmt.Println(who, err == nil)
	}
	sys.OnceFunc(func() { os.Mkdir("sub", 0o700); os.WriteFile("sub/file", nil, 0o600) })
	if unp.Fork() == 0 {
		sys.Chdir("sub")
		show("child")
		sys.Chdir("..")
		if unp.Fork() == 0 {
			show("grandchild")
			os.Exit(0)
		}
		sys.Wait(nil)
		os.Exit(0)
	}
	sys.Wait(nil)
	show("parent")
})

var _ = register("chdir by unix", prints{Stdout: "/sub\n/sub\n"}, func() { // is made again by the child
	sys.OnceFunc(func() { os.Mkdir("sub", 0o700) })
	if err := unix.Chdir("sub"); err != nil {
		unp.ErrSys(err, "chdir error")
	}
	for range 2 {
		inChild(func() { dir, _ := os.Getwd(); fmt.Println(dir[strings.LastIndexByte(dir, '/'):]) })
	}
})

var _ = register("start directory removed", prints{Stdout: "the child runs\n"}, func() { // the directory in which it started is gone
	dir, _ := os.MkdirTemp("", "")
	unix.Chdir(dir)
	if len(os.Args) == 2 {
		unix.Exec("/proc/self/exe", append(os.Args, "again"), os.Environ())
	}
	os.Remove(dir)
	inChild(func() { fmt.Println("the child runs") })
})

var _ = register("file of another directory", prints{Stdout: "the file's <nil>\n"}, func() { // which main reads again on its way
	sys.OnceFunc(func() { os.Mkdir("sub", 0o700); os.WriteFile("sub/file", []byte("the file's"), 0o600) })
	sys.Chdir("sub")
	content, err := os.ReadFile("file")
	if unp.Fork() == 0 {
		fmt.Println(string(content), err)
		os.Exit(0)
	}
	sys.Wait(nil)
})

var _ = register("chdir in the first round", prints{Stdout: "there\n"}, func() { // the child is there, too, when it reads the file again
	sys.OnceFunc(func() {
		os.Mkdir("there", 0o700)
		os.WriteFile("word", []byte("here\n"), 0o600)
		os.WriteFile("there/word", []byte("there\n"), 0o600)
	})
	listenfd := listen(unp.SERV_PORT)
	for round := 1; round <= 3; round++ {
		sys.Keep(&round)
		sys.Chdir("there")
		word, _ := os.ReadFile("word")
		serveItself(listenfd)
		if round == 3 {
			inChild(func() { fmt.Printf("%s", word) })
		}
	}
})
