//go:build linux && (amd64 || arm64)

package sys

import "golang.org/x/sys/unix"

// <time.h> and <sys/time.h>

// Time is the system call time, see time(2): it returns the seconds since 1970, and stores
// them in *t unless t is nil.
func Time(t *unix.Time_t) (unix.Time_t, error) {
	seconds, err := briefly("time").reading().replayed(func() (int, error) {
		now, err := unix.Time(nil)
		return int(now), err
	})
	if t != nil {
		*t = unix.Time_t(seconds)
	}
	return unix.Time_t(seconds), err
}

// Gettimeofday stores the time since 1970 in *tv, see gettimeofday(2). It returns the error.
func Gettimeofday(tv *unix.Timeval) error {
	if tv == nil {
		tv = new(unix.Timeval)
	}
	_, err := briefly("gettimeofday").reading().replayed(func() (int, error) { return 0, unix.Gettimeofday(tv) }, tv)
	return err
}

// Nanosleep is the system call nanosleep, see nanosleep(2). If a signal handler returns
// in the meantime, Nanosleep stores the time that is left in *leftover, unless leftover is nil,
// and returns EINTR.
func Nanosleep(time, leftover *unix.Timespec) error {
	if time == nil {
		return unix.EFAULT
	}
	left := *time
	_, err := asleep("nanosleep").replayed(func() (int, error) { return 0, sleepFor(&left) }, &left)
	if leftover != nil && err == unix.EINTR {
		*leftover = left
	}
	return err
}

// Setitimer is the system call setitimer, see setitimer(2). It returns the previous value of
// the timer, and the error. As in C, the child of [Fork] does not have its parent's timers.
func Setitimer(which unix.ItimerWhich, it unix.Itimerval) (unix.Itimerval, error) {
	var old unix.Itimerval
	_, err := briefly("setitimer", int(which)).replayed(func() (int, error) {
		was, err := unix.Setitimer(which, it)
		old = was
		return 0, err
	}, &old)
	return old, err
}
