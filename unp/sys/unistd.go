//go:build linux && (amd64 || arm64)

package sys

import "golang.org/x/sys/unix"

// <unistd.h>

// Read is the system call read, see read(2). It returns the number of bytes, 0 at the end of
// input, or -1 and the error.
func Read(fd int, p []byte) (int, error) {
	if fd >= 0 && int(path.unseen.Load()) == fd && undisturbed() { // nobody needs main's place: that saves time
		return unix.Read(fd, p)
	}
	c := slowly("read", fd, len(p)).on(fd).reading()
	return c.filling(p, func() (int, error) { return unix.Read(fd, p) })
}

// Write is the system call write, see write(2). It returns the number of bytes, or -1 and
// the error.
func Write(fd int, p []byte) (int, error) {
	c := func() *call { return slowly("write", fd, len(p)).on(fd) }
	if path.unseen.Load() >= 0 && undisturbed() { // if all goes well, nobody needs main's place: that saves time
		n, err := unix.Write(fd, p)
		if n == len(p) {
			return n, nil
		}
		return c().skipped(len(p), func() (int, error) { return n, err })
	}
	return c().skipped(len(p), func() (int, error) { return unix.Write(fd, p) })
}

// Close is the system call close, see close(2). It returns the error. If a handler closes
// a descriptor on which main is blocked, main's call fails.
func Close(fd int) error {
	forgetDescriptor(fd)
	return briefly("close", fd).skippedErr(func() error {
		err := unix.Close(fd)
		wakeFrom(fd)
		return err
	})
}

// Pipe is the system call pipe, see pipe(2). It stores two descriptors, for reading and for
// writing, in p, and returns the error.
func Pipe(p []int) error { return pipe("pipe", p, 0) }

// Pipe2 is the system call pipe2, see pipe(2). It stores two descriptors, for reading and for
// writing, in p, and returns the error. It drops the flag O_CLOEXEC.
func Pipe2(p []int, flags int) error { return pipe("pipe2", p, flags) }

func pipe(name string, p []int, flags int) error {
	if len(p) != 2 {
		return unix.EINVAL
	}
	var fd [2]int
	c := briefly(name, flags)
	_, err := c.replayed(func() (int, error) {
		err := unix.Pipe2(fd[:], flags&^unix.O_CLOEXEC)
		c.opened(fd[0], err)
		c.opened(fd[1], err)
		return 0, err
	}, &fd[0], &fd[1])
	if err == nil {
		copy(p, fd[:])
	}
	return err
}

// Dup is the system call dup, see dup(2). It returns the new descriptor, or -1 and the error.
func Dup(oldfd int) (int, error) {
	c := briefly("dup", oldfd)
	return c.replayed(func() (int, error) { return c.opened(unix.Dup(oldfd)) })
}

// Dup2 is the system call dup2, see dup(2). It returns the error.
func Dup2(oldfd, newfd int) error {
	c := briefly("dup2", oldfd, newfd)
	_, err := c.replayed(func() (int, error) {
		if oldfd == newfd { // unix.Dup2 would fail
			return unix.FcntlInt(uintptr(oldfd), unix.F_GETFD, 0)
		}
		return c.opened(newfd, unix.Dup2(oldfd, newfd))
	})
	return err
}

// Getpid is the system call getpid, see getpid(2).
func Getpid() int {
	pid, _ := briefly("getpid").replayed(func() (int, error) { return unix.Getpid(), nil })
	return pid
}

// Getppid is the system call getppid, see getpid(2).
func Getppid() int {
	pid, _ := briefly("getppid").replayed(func() (int, error) { return unix.Getppid(), nil })
	return pid
}

// Setsid is the system call setsid, see setsid(2). It returns the session id, or -1 and the
// error.
func Setsid() (int, error) {
	return briefly("setsid").replayed(func() (int, error) { return unix.Setsid() })
}

// Setpgid is the system call setpgid, see setpgid(2). It returns the error. If pid is a child
// of [Fork], it fails with EACCES, because the child has executed a program.
func Setpgid(pid, pgid int) error {
	return briefly("setpgid", pid, pgid).skippedErr(func() error { return unix.Setpgid(pid, pgid) })
}

// Chdir is the system call chdir, see chdir(2). It returns the error. A child on its way to
// Fork starts where the first process was started, and changes its directory again, so that it
// finds the files that its parent found.
func Chdir(dir string) error {
	if onMain() && insideOnce() {
		Fatal("chdir error: main cannot call Chdir inside Once, because a child would not call it")
	}
	retracing := path.retracing.Load()
	if retracing {
		keepDirectory()
	}
	_, err := briefly("chdir", dir).replayed(func() (int, error) { return 0, unix.Chdir(dir) })
	if retracing && err == nil {
		unix.Chdir(dir)
	}
	return err
}

// Unlink is the system call unlink, see unlink(2). It returns the error.
func Unlink(name string) error {
	return briefly("unlink", name).skippedErr(func() error { return unix.Unlink(name) })
}

// Ftruncate is the system call ftruncate, see ftruncate(2); the length is in bytes. It
// returns the error.
func Ftruncate(fd int, length int64) error {
	return briefly("ftruncate", fd, length).skippedErr(func() error { return unix.Ftruncate(fd, length) })
}

// Lseek is the system call lseek, see lseek(2). It returns the offset in bytes, or -1 and the
// error.
func Lseek(fd int, offset int64, whence int) (int64, error) {
	n, err := briefly("lseek", fd, offset, whence).replayed(func() (int, error) {
		n, err := unix.Seek(fd, offset, whence)
		return int(n), err
	})
	return int64(n), err
}

// Exec is the system call execve, see execve(2). It returns only on error.
func Exec(argv0 string, argv, envv []string) error {
	_, err := briefly("execve", argv0).replayed(func() (int, error) {
		ignoreForExec()
		defer catchAgain()
		return -1, unix.Exec(argv0, argv, envv)
	})
	return err
}

// Sleep waits for the given number of seconds, or until a signal handler has returned, see
// sleep(3). It returns the number of whole seconds left, or 0 if it has waited for all of them
// (Figure 5.14).
func Sleep(seconds uint) uint {
	const maximum = 1<<32 - 1 // an unsigned int, as in C
	left, _ := asleep("sleep", seconds).replayed(func() (int, error) {
		left := unix.Timespec{Sec: int64(min(seconds, maximum))}
		if sleepFor(&left) == nil {
			return 0, nil
		}
		return int(left.Sec), nil
	})
	return uint(left)
}

// sleepFor sleeps until the time has passed or a handler has returned. In the second case it
// stores what is left of the time in *left, and returns EINTR.
func sleepFor(left *unix.Timespec) error {
	before := handlersReturned.Load()
	for {
		err := unix.ClockNanosleep(unix.CLOCK_REALTIME, 0, left, left)
		if err != unix.EINTR {
			return err
		}
		if !onMain() { // a handler's own sleep is not interrupted
			continue
		}
		waitHandlers()
		if handlersReturned.Load() != before {
			return unix.EINTR
		}
	}
}

// Pause waits until a signal handler has returned, see pause(2). It returns EINTR. If a handler
// has returned since main's last call to this package, Pause returns immediately. A loop that
// calls Pause until a handler has set a variable therefore ends; if main forks after it, the
// variable must be given to [Keep]. Only main can call Pause; strace shows it as rt_sigsuspend.
func Pause() error { return waitForHandler("pause", currentMask(), seen) }

// Alarm has the kernel send SIGALRM to this process after the given number of seconds; 0
// cancels the previous alarm. See alarm(2). Alarm returns the number of seconds that were left
// on the previous alarm.
func Alarm(seconds uint) uint {
	const maximum = 1<<32 - 1 // an unsigned int, as in C
	left, _ := briefly("alarm", seconds).replayed(func() (int, error) {
		old, err := unix.Setitimer(unix.ITIMER_REAL, unix.Itimerval{Value: unix.Timeval{Sec: int64(min(seconds, maximum))}})
		left := old.Value
		if left.Usec >= 500_000 || left.Sec == 0 && left.Usec > 0 {
			left.Sec++ // rounded as the kernel does, since 0 is no alarm
		}
		return int(left.Sec), err
	})
	return uint(left)
}
