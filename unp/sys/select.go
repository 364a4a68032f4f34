//go:build linux && (amd64 || arm64)

package sys

import (
	"fmt"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// <sys/select.h> and <poll.h>

// Select is the system call select, see select(2): it waits until a descriptor is ready, and
// leaves only the ready ones in the sets. It stores the time that is left in *timeout, and
// returns the number of ready descriptors, 0 if the timeout has expired, or -1 and the error.
// A nil set is empty; with a nil timeout Select waits forever.
func Select(nfd int, r, w, e *unix.FdSet, timeout *unix.Timeval) (int, error) {
	nfd = min(nfd, unix.FD_SETSIZE)
	c := asleep("select", nfd, shownSet(r), shownSet(w), shownSet(e)).reading()
	return c.replayed(func() (int, error) {
		if timeout == nil {
			return unix.Pselect(nfd, r, w, e, nil, nil)
		}
		if timeout.Sec < 0 || timeout.Usec < 0 {
			return -1, unix.EINVAL
		}
		left := unix.Timespec{Sec: timeout.Sec + timeout.Usec/1e6, Nsec: timeout.Usec % 1e6 * 1e3}
		// not unix.Pselect, which does not tell what is left
		n, err := result(unix.Syscall6(unix.SYS_PSELECT6, uintptr(nfd), uintptr(unsafe.Pointer(r)), uintptr(unsafe.Pointer(w)),
			uintptr(unsafe.Pointer(e)), uintptr(unsafe.Pointer(&left)), 0))
		*timeout = unix.Timeval{Sec: left.Sec, Usec: left.Nsec / 1e3}
		return n, err
	}, setsOut(r, w, e, timeout)...)
}

// Pselect is the system call pselect, see select(2). It differs from [Select] in two ways: the
// timeout has another type and is not changed, and while Pselect waits, sigmask replaces what
// [Sigprocmask] has set. A signal that is pending because it was blocked is not lost: it ends
// the wait if sigmask lets it through. If sigmask is nil, the mask stays as it is. Only main
// can call Pselect with a mask.
func Pselect(nfd int, r, w, e *unix.FdSet, timeout *unix.Timespec, sigmask *unix.Sigset_t) (int, error) {
	nfd = min(nfd, unix.FD_SETSIZE)
	if sigmask != nil && !onMain() {
		Fatal("pselect error: only main can call Pselect with a mask, not a signal handler or another goroutine")
	}
	c := asleep("pselect6", nfd, shownSet(r), shownSet(w), shownSet(e)).reading()
	return c.replayed(func() (int, error) {
		if sigmask == nil {
			return unix.Pselect(nfd, r, w, e, timeout, nil)
		}
		n, err := ready(nfd, r, w, e)
		if n != 0 {
			return n, err
		}
		before := handlersReturned.Load()
		return whileBlocking(sigmask.Val[0], func(mask unix.Sigset_t) (int, error) {
			waitHandlers()
			if handlersReturned.Load() == before {
				return unix.Pselect(nfd, r, w, e, timeout, &mask)
			}
			n, err := ready(nfd, r, w, e)
			if n == 0 {
				return -1, unix.EINTR
			}
			return n, err
		})
	}, setsOut(r, w, e, nil)...)
}

// Poll is the system call poll, see poll(2); the timeout is in milliseconds, or negative to
// wait forever. It stores the events of each descriptor in that descriptor's element of fds,
// and returns the number of elements with an event, 0 if the timeout has expired, or -1 and
// the error.
func Poll(fds []unix.PollFd, timeout int) (int, error) {
	var events strings.Builder
	for _, fd := range fds {
		fmt.Fprintf(&events, "{%d %#x}", fd.Fd, fd.Events)
	}
	after := fds // a child gets a slice of its own here, and copies it below
	n, err := asleep("poll", constant("["+events.String()+"]")).reading().replayed(func() (int, error) {
		return unix.Poll(fds, timeout)
	}, &after)
	copy(fds, after)
	return n, err
}

// ready does what pselect does before it waits: if descriptors are ready, it leaves only those
// in the sets, and returns their number. Otherwise it returns 0 and leaves the sets as they are.
func ready(nfd int, r, w, e *unix.FdSet) (int, error) {
	var ready [3]unix.FdSet
	var copies [3]*unix.FdSet
	sets := [3]*unix.FdSet{r, w, e}
	for i, fds := range sets {
		if fds != nil {
			ready[i] = *fds
			copies[i] = &ready[i]
		}
	}
	n, err := unix.Pselect(nfd, copies[0], copies[1], copies[2], &unix.Timespec{}, nil)
	for i, fds := range sets {
		if fds != nil && n > 0 {
			*fds = ready[i]
		}
	}
	return n, err
}

// shownSet is a set of descriptors as an argument of a call.
func shownSet(fds *unix.FdSet) any {
	if fds == nil {
		return nil
	}
	var list []int
	for fd := range int(unsafe.Sizeof(*fds)) * 8 {
		if fds.IsSet(fd) {
			list = append(list, fd)
		}
	}
	return constant(fmt.Sprint(list))
}

// setsOut returns pointers to what a call changes.
func setsOut(r, w, e *unix.FdSet, timeout *unix.Timeval) (out []any) {
	for _, fds := range []*unix.FdSet{r, w, e} {
		if fds != nil {
			out = append(out, fds)
		}
	}
	if timeout != nil {
		out = append(out, timeout)
	}
	return out
}
