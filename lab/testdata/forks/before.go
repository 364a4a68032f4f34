package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp"
	"tcpcliserv/unp/sys"
)

// What main does before Fork is done once.

var _ = register("log", prints{Stdout: "once\nparent\nchild\n"}, func() { // emptied when it is opened
	logfd, err := sys.Open("log", unix.O_CREAT|unix.O_TRUNC|unix.O_RDWR, 0o600)
	if err != nil {
		unp.ErrSys(err, "open error")
	}
	unp.Writen(logfd, []byte("once\n"))
	unp.Writen(logfd, []byte("parent\n"))
	if unp.Fork() == 0 {
		unp.Writen(logfd, []byte("child\n"))
		os.Exit(0)
	}
	sys.Wait(nil)
	buf := make([]byte, 100)
	sys.Lseek(logfd, 0, unix.SEEK_SET)
	n, _ := sys.Read(logfd, buf)
	fmt.Printf("%s", buf[:n])
})

var _ = register("lock", prints{Stdout: "true -1 resource temporarily unavailable\n"}, func() { // by flock: the child has it too
	lock := func() (int, error) {
		fd, err := sys.Open("lock", unix.O_CREAT|unix.O_RDWR, 0o600)
		if err != nil {
			unp.ErrSys(err, "open error")
		}
		if err := sys.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
			return -1, err
		}
		return fd, nil
	}
	fd, _ := lock()
	if unp.Fork() == 0 {
		again, err := lock()
		fmt.Println(fd >= 0, again, err)
		os.Exit(0)
	}
	sys.Wait(nil)
})

var _ = register("record lock", prints{Stdout: "locked: <nil>\nchild: resource temporarily unavailable, held by its parent: true\n"}, func() {
	// the lock of fcntl is the parent's alone
	fd, _ := sys.Open("lock", unix.O_CREAT|unix.O_RDWR, 0o600)
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	err := sys.FcntlFlock(uintptr(fd), unix.F_SETLK, &lock)
	fmt.Println("locked:", err)
	if unp.Fork() == 0 {
		other := unix.Flock_t{Type: unix.F_WRLCK}
		err := sys.FcntlFlock(uintptr(fd), unix.F_SETLK, &other)
		sys.FcntlFlock(uintptr(fd), unix.F_GETLK, &other)
		fmt.Printf("child: %v, held by its parent: %v\n", err, int(other.Pid) == sys.Getppid())
		os.Exit(0)
	}
	sys.Wait(nil)
})

var _ = register("kill before", prints{Stdout: "caught 1\nchild 1\nparent 1\n"}, func() {
	caught := 0
	sys.Keep(&caught)
	unp.Signal(unix.SIGUSR1, func(unix.Signal) { caught++; fmt.Println("caught", caught) })
	sys.Kill(sys.Getpid(), unix.SIGUSR1)
	for caught == 0 {
		sys.Pause()
	}
	if unp.Fork() == 0 {
		fmt.Println("child", caught)
		os.Exit(0)
	}
	sys.Wait(nil)
	fmt.Println("parent", caught)
})

var _ = register("getpid before", prints{Stdout: "true true false\ntrue\n"}, func() {
	pid, ppid := sys.Getpid(), sys.Getppid()
	if unp.Fork() == 0 {
		fmt.Println(pid == sys.Getppid(), ppid != pid, sys.Getpid() == pid)
		os.Exit(0)
	}
	sys.Wait(nil)
	fmt.Println(pid == sys.Getpid())
})

var _ = register("setsid before", prints{Under: []string{"setsid", "--fork", "--wait"}, Stdout: "true\ntrue 7\n"}, func() {
	// the child is in its parent's session, and process group
	sid, err := sys.Setsid() // fails: this process leads one already
	if err != nil {
		sid = sys.Getpid()
	}
	pid := unp.Fork()
	if pid == 0 {
		its, _ := unix.Getsid(0)
		fmt.Println(its == sid)
		os.Exit(7)
	}
	var stat unix.WaitStatus
	got, _ := sys.Waitpid(0, &stat, 0)
	fmt.Println(got == pid, stat.ExitStatus())
})

var _ = register("setsid in a child", prints{Stdout: "true true\n"}, func() { // as daemon_init does, which forks again
	if unp.Fork() == 0 {
		sid, err := sys.Setsid()
		if unp.Fork() == 0 {
			its, _ := unix.Getsid(0)
			fmt.Println(err == nil, its == sid && sid != sys.Getpid())
			os.Exit(0)
		}
		sys.Wait(nil)
		os.Exit(0)
	}
	sys.Wait(nil)
})

var _ = register("umask before", prints{Stdout: "22 77 -rw-------\n27\n"}, func() {
	sys.Umask(0o22)
	old := sys.Umask(0o77)
	if unp.Fork() == 0 {
		fd, _ := sys.Open("file", unix.O_CREAT|unix.O_WRONLY, 0o666)
		unp.Close(fd)
		info, _ := os.Stat("file")
		fmt.Printf("%o %o %v\n", old, sys.Umask(0o27), info.Mode())
		fmt.Printf("%o\n", sys.Umask(0))
		os.Exit(0)
	}
	sys.Wait(nil)
})

var _ = register("chdir before", prints{Stdout: "parent /a/b\nchild /a/b\ngrandchild /a\nparent /a\n"}, func() {
	// step by step, each relative to the one before
	where := func(who string) {
		dir, _ := os.Getwd()
		fmt.Println(who, dir[len(start):])
	}
	for _, dir := range []string{"a", "b"} {
		unix.Mkdir(dir, 0o700)
		if err := sys.Chdir(dir); err != nil {
			unp.ErrSys(err, "chdir error")
		}
	}
	where("parent")
	if unp.Fork() == 0 {
		where("child")
		sys.Chdir("..")
		if unp.Fork() == 0 {
			where("grandchild")
			os.Exit(0)
		}
		sys.Wait(nil)
		os.Exit(0)
	}
	sys.Wait(nil)
	sys.Chdir("..")
	where("parent")
})

// start is the directory in which this program has been started.
var start, _ = unix.Getwd()

var _ = register("fcntl before", prints{Stdout: "false 3 5 20\ntrue resource temporarily unavailable 5 20\n"}, func() {
	var p [2]int
	sys.Pipe(p[:])
	flags, _ := sys.FcntlInt(uintptr(p[0]), unix.F_GETFL, 0)
	sys.FcntlInt(uintptr(p[0]), unix.F_SETFL, flags|unix.O_NONBLOCK)
	five, _ := sys.FcntlInt(uintptr(p[0]), unix.F_DUPFD, 0)
	twenty, _ := sys.FcntlInt(uintptr(p[0]), unix.F_DUPFD, 20)
	fmt.Println(flags&unix.O_NONBLOCK != 0, p[0], five, twenty)
	if unp.Fork() == 0 {
		now, _ := sys.FcntlInt(uintptr(five), unix.F_GETFL, 0)
		_, err := sys.Read(twenty, make([]byte, 1))
		fmt.Println(now == flags|unix.O_NONBLOCK, err, five, twenty)
		os.Exit(0)
	}
	sys.Wait(nil)
})

var _ = register("close-on-exec by fcntl", prints{Stdout: "bad file descriptor\n"}, func() { // C: stream
	fd := unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	sys.FcntlInt(uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC)
	if unp.Fork() == 0 {
		fmt.Println(socketType(fd))
		os.Exit(0)
	}
	sys.Wait(nil)
})

var _ = register("lseek before", prints{Stdout: "6 2\nchild cd\nparent ef\n"}, func() { // the offset is the file's
	buf := make([]byte, 2)
	fd, _ := sys.Open("file", unix.O_CREAT|unix.O_RDWR, 0o600)
	unp.Writen(fd, []byte("abcdef"))
	end, _ := sys.Lseek(fd, 0, unix.SEEK_CUR)
	two, _ := sys.Lseek(fd, 2, unix.SEEK_SET)
	fmt.Println(end, two)
	if unp.Fork() == 0 {
		sys.Read(fd, buf)
		fmt.Printf("child %s\n", buf)
		os.Exit(0)
	}
	sys.Wait(nil)
	sys.Read(fd, buf)
	fmt.Printf("parent %s\n", buf)
})

var _ = register("time before", prints{Stdout: "true true true\n"}, func() {
	var seconds unix.Time_t
	var tv unix.Timeval
	t, _ := sys.Time(&seconds)
	sys.Gettimeofday(&tv)
	parents := fmt.Sprint(t, seconds, tv)
	out, _ := sys.Open("time", unix.O_CREAT|unix.O_RDWR, 0o600)
	unp.Writen(out, []byte(parents))
	sys.Nanosleep(&unix.Timespec{Sec: 1}, nil) // or the child could not be wrong
	if unp.Fork() == 0 {
		its, _ := os.ReadFile("time")
		var now unix.Time_t
		sys.Time(&now)
		fmt.Println(t == seconds, fmt.Sprint(t, seconds, tv) == string(its), now > t)
		os.Exit(0)
	}
	sys.Wait(nil)
})

var _ = register("setitimer before", prints{Stdout: "child: 0 0, {100 0}\nparent: 100 true\n"}, func() { // the timer is the parent's alone
	hundred := unix.Itimerval{Value: unix.Timeval{Sec: 200}}
	sys.Setitimer(unix.ITIMER_REAL, hundred)
	hundred.Value.Sec = 100
	hundred.Interval.Sec = 100
	old, _ := sys.Setitimer(unix.ITIMER_REAL, hundred)
	if unp.Fork() == 0 {
		none, _ := sys.Setitimer(unix.ITIMER_REAL, unix.Itimerval{})
		fmt.Printf("child: %d %d, %v\n", none.Value.Sec, none.Interval.Sec, hundred.Value)
		os.Exit(0)
	}
	sys.Wait(nil)
	rest, _ := sys.Setitimer(unix.ITIMER_REAL, unix.Itimerval{})
	fmt.Println("parent:", rest.Interval.Sec, rest.Value.Sec >= 90 && old.Value.Sec >= 190)
})

var _ = register("slept before", prints{Stdout: "0 interrupted system call true\ntrue\n"}, func() {
	var began, now unix.Timeval
	sys.Gettimeofday(&began)
	unp.Signal(unix.SIGALRM, func(unix.Signal) {})
	left := sys.Sleep(1)
	rest := unix.Timespec{}
	sys.Alarm(1)
	err := sys.Nanosleep(&unix.Timespec{Sec: 100}, &rest)
	if unp.Fork() == 0 {
		fmt.Println(left, err, rest.Sec == 98 || rest.Sec == 99)
		os.Exit(0)
	}
	sys.Wait(nil)
	sys.Gettimeofday(&now)
	fmt.Println(now.Sec-began.Sec < 4) // seconds: the child has not slept again
})

var _ = register("written before", prints{Stdout: "0 5 5 xaaaa\n"}, func() { // into the middle of a file, which is cut
	fd, _ := sys.Open("file", unix.O_CREAT|unix.O_RDWR, 0o600)
	unp.Writen(fd, []byte("aaaaaaaaaa"))
	sys.Ftruncate(fd, 5)
	start, _ := sys.Lseek(fd, 0, unix.SEEK_SET)
	unp.Writen(fd, []byte("x"))
	end, _ := sys.Lseek(fd, 0, unix.SEEK_END)
	if unp.Fork() == 0 {
		b, _ := os.ReadFile("file")
		fmt.Println(start, end, len(b), string(b))
		os.Exit(0)
	}
	sys.Wait(nil)
})

var _ = register("unlinked before", prints{Stdout: "no such file or directory\nabc no such file or directory\nparent: no such file or directory\n"}, func() {
	// a temporary file, as tmpfile makes it
	sys.Unlink("file")
	fd, _ := sys.Open("file", unix.O_CREAT|unix.O_EXCL|unix.O_RDWR, 0o600)
	unp.Writen(fd, []byte("abc"))
	sys.Unlink("file")
	_, err := sys.Open("file", unix.O_RDONLY, 0)
	fmt.Println(err)
	if unp.Fork() == 0 {
		buf := make([]byte, 3)
		sys.Lseek(fd, 0, unix.SEEK_SET)
		sys.Read(fd, buf)
		fmt.Println(string(buf), err)
		os.Exit(0)
	}
	sys.Wait(nil)
	fmt.Println("parent:", err)
})

var _ = register("pid file", prints{Stdout: "true true\n"}, func() {
	fd, err := sys.Open("pid", unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY, 0o600)
	if err != nil {
		unp.ErrSys(err, "already running")
	}
	unp.Writen(fd, fmt.Append(nil, sys.Getpid()))
	unp.Close(fd)
	if unp.Fork() == 0 {
		b, _ := os.ReadFile("pid")
		fmt.Println(string(b) == fmt.Sprint(sys.Getppid()), fd == 3)
		os.Exit(0)
	}
	sys.Wait(nil)
})
