//go:build linux && (amd64 || arm64)

package sys

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// <fcntl.h>, <sys/file.h> and <sys/stat.h>

// Open is the system call open, see open(2). It returns the descriptor, or -1 and the error.
// Like [Socket], it drops the flag O_CLOEXEC.
func Open(name string, mode int, perm uint32) (int, error) {
	c := slowly("open", name, constant(fmt.Sprintf("%#o", mode)), constant(fmt.Sprintf("%#o", perm)))
	return c.replayed(func() (int, error) { return c.opened(unix.Open(name, mode&^unix.O_CLOEXEC, perm)) })
}

// FcntlInt is the system call fcntl with an argument that is an int, see fcntl(2). It returns
// what the command returns, or -1 and the error.
func FcntlInt(fd uintptr, cmd, arg int) (int, error) {
	c := briefly("fcntl", fd, cmd, arg)
	return c.replayed(func() (int, error) {
		if cmd == unix.F_GETOWN {
			return owner(fd)
		}
		n, err := unix.FcntlInt(fd, cmd, arg)
		if cmd == unix.F_DUPFD || cmd == unix.F_DUPFD_CLOEXEC {
			return c.opened(n, err)
		}
		return n, err
	})
}

// owner is fcntl with F_GETOWN. Like the C library, it uses F_GETOWN_EX, because the kernel's
// F_GETOWN returns the negative ID of a process group, which may look like an error.
func owner(fd uintptr) (int, error) {
	const fOwnerPgrp = 2
	var owner struct{ kind, id int32 }
	_, err := result(unix.Syscall(unix.SYS_FCNTL, fd, unix.F_GETOWN_EX, uintptr(unsafe.Pointer(&owner))))
	switch {
	case err != nil:
		return -1, err
	case owner.kind == fOwnerPgrp:
		return int(-owner.id), nil
	}
	return int(owner.id), nil
}

// FcntlFlock is the system call fcntl with a lock, see fcntl(2). It returns the error. As in C,
// the child of [Fork] does not have its parent's locks, except those of F_OFD_SETLK, which
// belong to the open file.
func FcntlFlock(fd uintptr, cmd int, lk *unix.Flock_t) error {
	if lk == nil {
		return unix.EFAULT
	}
	_, err := slowly("fcntl", fd, cmd).on(int(fd)).replayed(func() (int, error) { return 0, unix.FcntlFlock(fd, cmd, lk) }, lk)
	return err
}

// Flock is the system call flock, see flock(2). It returns the error.
func Flock(fd, how int) error {
	return slowly("flock", fd, how).on(fd).skippedErr(func() error { return unix.Flock(fd, how) })
}

// Umask is the system call umask, see umask(2). It returns the previous mask.
func Umask(mask int) int {
	old, _ := briefly("umask", mask).replayed(func() (int, error) { return unix.Umask(mask), nil })
	return old
}
